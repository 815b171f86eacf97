"""What many ask for and few need to be told anew: asked at most so often in a process."""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Lately(Generic[T]):
    """The answer of `ask`, at most `every_s` seconds old; `first` until there is one.

    One caller asks, and is told of an error; the others go on with the last answer.
    """

    def __init__(self, ask: Callable[[], T], every_s: float, first: T) -> None:
        self._ask, self._every_s, self._first = ask, every_s, first
        self._lock = Lock()
        self._ask_at, self._last = 0.0, first

    def __call__(self) -> T:
        with self._lock:
            due = monotonic() >= self._ask_at
            if due:
                self._ask_at = monotonic() + self._every_s
        if due:
            self._last = self._ask()
        return self._last

    def clear(self) -> None:
        """Forget the answer."""
        self._ask_at, self._last = 0.0, self._first
