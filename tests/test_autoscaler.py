"""How many workers a backlog wants, who starts and ends them, and how keepers pace their restarts."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from uuid import uuid4

import psutil
import psycopg
import pytest

from pipeline import autoscaler
from pipeline.autoscaler import CALM_S, ELECTED, Autoscaler, workers_wanted
from pipeline.connections import redis_client
from pipeline.keep import pause_after
from pipeline.messages import ORDERS_GROUP, ORDERS_STREAM, OrderMessage
from pipeline.settings import settings
from tests.journey.system import wait_for
from tests.stations import rows


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


BURST = 225
"""Orders that want three workers."""
END_S = 20.0

Workers = Callable[[], set[int]]


def children() -> set[int]:
    """The pids of this test's processes that have not ended."""
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE:
                found.add(child.pid)
    return found


def holders() -> list[tuple[int]]:
    """The elected one's session."""
    return rows("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", ELECTED)


@pytest.fixture
def workers(clean: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    """The pids of started workers. WORKERS_MAX=3, nothing waits yet, and nobody dispatches."""
    monkeypatch.setenv("WORKERS_MAX", "3")
    settings.cache_clear()
    redis_client().xgroup_create(ORDERS_STREAM, ORDERS_GROUP, id="0", mkstream=True)
    # Postgres notices a moment later that the one of the test before is gone.
    wait_for(lambda: not holders(), END_S, "another autoscaler is elected")
    others = children()
    yield lambda: children() - others
    monkeypatch.undo()
    settings.cache_clear()


@contextmanager
def candidate() -> Iterator[Autoscaler]:
    """One copy of the autoscaler; no worker of its outlives it."""
    one = Autoscaler()
    try:
        yield one
    finally:
        one.stop()


def waiting(orders: int) -> None:
    """So many orders, and no others, are in the stream."""
    redis_client().xtrim(ORDERS_STREAM, maxlen=0, approximate=False)
    for _ in range(orders):
        redis_client().xadd(ORDERS_STREAM, OrderMessage(str(uuid4()), "make").fields())  # type: ignore[arg-type]


def become(workers: Workers, count: int) -> None:
    """Wait until there are so many; one that has begun to work takes a while to end."""
    wait_for(lambda: len(workers()) == count, END_S, f"not {count} workers")


def look(*copies: Autoscaler) -> None:
    """Each looks once, as its loop would let it."""
    for copy in copies:
        with suppress(psycopg.OperationalError):
            copy.run_once()


def test_workers_are_started_up_to_the_limit_when_the_backlog_wants_them_twice(
    workers: Workers,
) -> None:
    with candidate() as scaler:
        waiting(BURST)
        scaler.run_once()
        waiting(0)
        scaler.run_once()
        assert workers() == set(), "a burst that was over at the second look"
        waiting(BURST)
        scaler.run_once()
        assert workers() == set()
        for _ in range(3):
            scaler.run_once()
        assert len(workers()) == 2, "and the Procfile's own"
    assert workers() == set(), "they end with their autoscaler"


def test_a_killed_worker_is_replaced_while_the_backlog_wants_it(
    workers: Workers,
) -> None:
    with candidate() as scaler:
        waiting(BURST)
        look(scaler, scaler)
        before = workers()
        assert len(before) == 2
        killed = psutil.Process(min(before))
        killed.kill()
        wait_for(lambda: killed.status() == psutil.STATUS_ZOMBIE, 5, "it is not dead")
        scaler.run_once()
        assert len(workers()) == 2
        assert workers() & before == before - {killed.pid}


def test_workers_are_let_go_one_by_one_each_after_a_calm_while(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with candidate() as scaler:
        waiting(BURST)
        look(scaler, scaler)
        now = monotonic()
        monkeypatch.setattr(autoscaler, "monotonic", lambda: now)
        for seconds, orders, left in (
            (0, 0, 2),
            (CALM_S - 1, 0, 2),
            (0, BURST, 2),
            (1, 0, 2),
            (CALM_S - 1, 0, 2),
            (1, 0, 1),
            (CALM_S - 1, 0, 1),
            (1, 0, 0),
            (2 * CALM_S, 0, 0),
        ):
            now += seconds
            waiting(orders)
            scaler.run_once()
            assert len(scaler._children) == left  # noqa: SLF001  those that were not told to end
            become(workers, left)


def test_one_autoscaler_is_elected_also_after_postgres_ended_its_session(
    workers: Workers,
) -> None:
    waiting(BURST)
    with candidate() as first, candidate() as second:
        look(first, second, first, second)
        firsts = workers()
        assert len(firsts) == 2, "only the elected one starts workers"
        rows("SELECT pg_terminate_backend(%s)", *holders()[0])

        def taken_over() -> bool:
            look(second, first)
            return len(workers()) == 2 and not workers() & firsts

        wait_for(taken_over, END_S, "both are elected, or none")
        look(first, second, first, second)
        assert len(workers()) == 2
    assert workers() == set()


def test_an_autoscaler_that_stops_kills_who_does_not_hear_and_lets_another_be_elected(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoscaler, "STOP_S_MAX", 0.2)
    waiting(BURST)
    with candidate() as first, candidate() as second:
        look(first, first)
        for pid in workers():
            psutil.Process(pid).suspend()
        first.stop()
        assert workers() == set()

        def takes_over() -> bool:
            look(second)
            return len(workers()) == 2

        wait_for(takes_over, END_S, "nobody is elected")


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
