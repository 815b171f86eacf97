"""What was read a moment ago, kept for a second, and longer when Postgres does not answer."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Generic, Protocol, TypeVar

from psycopg import OperationalError

T = TypeVar("T")

TRY_AGAIN_S = 1.0
"""While Postgres is away one caller tries again so often; all others get what is kept, at once."""
TRIAL_S_MAX = 5.0
"""A trial that has not ended by then (longer than the pool lets anybody wait) is given up on."""
AWAY = "Postgres did not answer a moment ago"


class Forgetful(Protocol):
    """A cache that can be emptied."""

    def clear(self) -> None: ...


@dataclass(frozen=True)
class Kept(Generic[T]):
    """What was read; `stale` when it is the last that could be, as Postgres does not answer."""

    value: T
    stale: bool


class _Door:
    """Whether it makes sense to ask Postgres now, as far as this process has seen."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._away = False
        self._try_at = 0.0

    def may_ask(self) -> bool:
        with self._lock:
            if self._away and monotonic() < self._try_at:
                return False
            self._try_at = monotonic() + TRIAL_S_MAX
            return True

    def note(self, *, away: bool) -> None:
        with self._lock:
            self._away, self._try_at = away, monotonic() + TRY_AGAIN_S


_door = _Door()


@dataclass
class _Slot(Generic[T]):
    lock: Lock = field(default_factory=Lock)
    values: list[T] = field(default_factory=list)
    made_at: float = float("-inf")

    def make(self, make: Callable[[], T]) -> Kept[T]:
        """Make the value anew; while Postgres does not answer, give the last one."""
        if _door.may_ask():
            try:
                value = make()
            except OperationalError:
                _door.note(away=True)
                if not self.values:
                    raise
            else:
                _door.note(away=False)
                self.values, self.made_at = [value], monotonic()
                return Kept(value, stale=False)
        if self.values:
            return Kept(self.values[0], stale=True)
        raise OperationalError(AWAY)


class Recent(Generic[T]):
    """A small cache of one process. Of many who want the same at once one reads, the rest wait."""

    def __init__(self, seconds: float, entries_max: int) -> None:
        self._seconds = seconds
        self._entries_max = entries_max
        self._lock = Lock()
        self._slots: OrderedDict[Hashable, _Slot[T]] = OrderedDict()
        EVERY.append(self)

    def get(self, key: Hashable, make: Callable[[], T]) -> Kept[T]:
        """The value for `key`, made anew when too old. Raises what `make` does if none is kept."""
        slot = self._slot(key)
        with slot.lock:
            if slot.values and monotonic() - slot.made_at < self._seconds:
                return Kept(slot.values[0], stale=False)
            return slot.make(make)

    def fresh(self, key: Hashable, make: Callable[[], T]) -> Kept[T]:
        """The value for `key` as it is now, however often that is asked."""
        return self._slot(key).make(make)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._slots.clear()

    def _slot(self, key: Hashable) -> _Slot[T]:
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._entries_max:
                self._slots.popitem(last=False)
            return slot


EVERY: list["Forgetful"] = []
"""All caches of this process, so that a test can begin with none of them filled."""


def forget() -> None:
    """Empty every cache of this process."""
    _door.note(away=False)
    for cache in EVERY:
        cache.clear()
