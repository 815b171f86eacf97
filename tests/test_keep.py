"""The keeper: an orderly end is no crash, however often."""

import subprocess
import sys
from time import sleep

import psutil

from pipeline.keep import CRASHES_MAX
from tests.journey.system import wait_for

ENDS_WELL = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); time.sleep(60)"


def keeper(code: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.keep", sys.executable, "-c", code],
        stderr=subprocess.PIPE,
    )


def child(keeping: "subprocess.Popen[bytes]", not_pid: int = 0) -> psutil.Process:
    def one() -> psutil.Process | None:
        found = psutil.Process(keeping.pid).children()
        return found[0] if found and found[0].pid != not_pid else None

    kept = wait_for(one, 10, "nothing is kept alive")
    assert kept
    return kept


def test_what_is_ended_well_starts_again_each_time() -> None:
    with keeper(ENDS_WELL) as keeping:
        last = 0
        for _ in range(CRASHES_MAX + 1):
            now = child(keeping, last)
            sleep(1.2)
            now.terminate()
            last = now.pid
        assert child(keeping, last).is_running()
        assert keeping.poll() is None
        keeping.terminate()
        assert keeping.wait(10) == 0
