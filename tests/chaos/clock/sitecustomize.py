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


def follow(file: Path) -> None:
    """Be as far off as the file says, for ever."""
    off, travel = 0.0, None
    while True:
        sleep(LOOK_S)
        wanted = float(file.read_text() or 0)
        if wanted == off:
            continue
        if travel is not None:
            travel.stop()
        off, travel = wanted, None
        if wanted:
            travel = time_machine.travel(datetime.now(UTC) + timedelta(seconds=wanted), tick=True)
            travel.start()


def begin() -> None:
    """A thread of its own; a forked child needs another."""
    file = Path(os.environ["CHAOS_CLOCK"])
    threading.Thread(target=follow, args=(file,), daemon=True).start()


if "CHAOS_CLOCK" in os.environ:
    begin()
    os.register_at_fork(after_in_child=begin)
