"""How many workers a backlog wants, and how keepers pace their restarts: decisions without a process."""

import os
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from pipeline.autoscaler import workers_wanted
from pipeline.keep import pause_after
from tests.journey.system import wait_for


@pytest.mark.parametrize(
    ("orders", "jobs", "wanted"),
    [
        (0, 0, 1),
        (0, 4, 1),
        (0, 5, 2),
        (25, 4, 2),
        (200, 0, 2),
        (250, 8, 4),
        (10_000, 500, 4),
        (1, 0, 1),
    ],
)
def test_more_workers_for_a_longer_backlog_within_the_limits(
    orders: int, jobs: int, wanted: int
) -> None:
    assert workers_wanted(orders, jobs, least=1, most=4) == wanted


def test_at_least_as_many_as_are_asked_for() -> None:
    assert workers_wanted(0, 0, least=3, most=4) == 3


def test_restarts_come_after_one_two_and_four_seconds_and_then_no_more() -> None:
    assert [pause_after(crashes) for crashes in (1, 2, 3, 4, 5)] == [0.1, 1.0, 2.0, 4.0, None]


def keep(*command: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "pipeline.keep", *command])


def test_a_setting_that_makes_no_sense_is_not_tried_again() -> None:
    begun = monotonic()
    kept = keep(sys.executable, "-c", f"raise SystemExit({os.EX_CONFIG})")
    assert kept.wait(10) == 1
    assert monotonic() - begun < 1.5


def test_the_child_goes_with_its_killed_keeper(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    script = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    kept = keep(sys.executable, "-c", script)
    wait_for(lambda: mark.exists() and mark.read_text(), 10, "the child did not start")
    child = int(mark.read_text())
    kept.kill()
    kept.wait()

    def gone() -> bool:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"

    wait_for(gone, 5, "the child is left behind")


def test_sigterm_is_passed_on_and_waited_for(tmp_path: Path) -> None:
    mark = tmp_path / "done"
    script = (
        "import signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (open({str(mark)!r}, 'w').write('x'), sys.exit()))\n"
        f"open({str(mark)!r} + '.up', 'w').close()\n"
        "time.sleep(60)"
    )
    kept = keep(sys.executable, "-c", script)
    wait_for(Path(f"{mark}.up").exists, 10, "the child did not start")
    kept.terminate()
    assert kept.wait(5) == 0
    assert mark.read_text() == "x"
