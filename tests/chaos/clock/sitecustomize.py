"""Loaded by Python itself in a process whose PYTHONPATH leads here: its host's clock can jump.

The file at CHAOS_CLOCK says by how many seconds. `monotonic` is what it was, as on a real host.
"""

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep

import time_machine

LOOK_S = 0.05


class Clock:
    """This process's clock, and how far it is off."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._off = 0.0
        self._travel: time_machine.travel | None = None

    def begin(self) -> None:
        """A thread follows the file. A forked child has the parent's clock, and no thread."""
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        while True:
            sleep(LOOK_S)
            wanted = float(self._file.read_text() or self._off)
            if wanted != self._off:
                self._set(wanted)

    def _set(self, seconds: float) -> None:
        if self._travel is not None:
            self._travel.stop()
            self._travel = None
        self._off = seconds
        if seconds:
            there = datetime.now(UTC) + timedelta(seconds=seconds)
            self._travel = time_machine.travel(there, tick=True)
            self._travel.start()


if "CHAOS_CLOCK" in os.environ:
    clock = Clock(Path(os.environ["CHAOS_CLOCK"]))
    clock.begin()
    os.register_at_fork(after_in_child=clock.begin)
