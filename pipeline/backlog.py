"""How many orders are unfinished, asked at most once a second a process."""

from threading import Lock
from time import monotonic

from pipeline.connections import pool
from sql import read

ASK_EVERY_S = 1.0


class _Backlog:
    def __init__(self) -> None:
        self._lock = Lock()
        self._ask_at = 0.0
        self._count = 0

    def __call__(self) -> int:
        """The count, at most ASK_EVERY_S old; one caller asks, the others go on with the last."""
        with self._lock:
            due = monotonic() >= self._ask_at
            if due:
                self._ask_at = monotonic() + ASK_EVERY_S
        if due:
            with pool("pipeline").connection() as connection:
                self._count = read(connection, "purchases.backlog")[0].unfinished
        return self._count


unfinished_orders = _Backlog()
