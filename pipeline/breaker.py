"""Circuit breakers: calls that cannot succeed are not made, so that nobody waits for them.

pybreaker keeps the states; what it counts, how long it waits and that calls run side by side is
ours: by itself it opens after failures in a row, waits the same time always, and lets one call at
a time through.
"""

import logging
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

import pybreaker

log = logging.getLogger(__name__)

T = TypeVar("T")

CALLS_MIN, CALLS_MAX = 10, 20
WINDOW_S = 30.0
"""It opens where half of at least CALLS_MIN calls failed, of the last CALLS_MAX in so long."""
TRIAL_S, TRIAL_S_MAX = 1.0, 30.0
"""One trial after so long, then after twice as long each time, up to the maximum."""

OpenError = pybreaker.CircuitBreakerError
"""The circuit is open: nothing was asked."""


class _Window(pybreaker.CircuitMemoryStorage):
    """pybreaker's memory, with the share of failures for a counter: 1 is too many."""

    def __init__(self) -> None:
        self._calls: deque[tuple[float, bool]] = deque(maxlen=CALLS_MAX)
        self._opened: float | None = None
        super().__init__(pybreaker.STATE_CLOSED)

    @property
    def opened_at(self) -> datetime | None:
        """Told anew each time from a clock that nobody sets: a host's time may jump."""
        if self._opened is None:
            return None
        return datetime.now(UTC) - timedelta(seconds=monotonic() - self._opened)

    @opened_at.setter
    def opened_at(self, at: datetime) -> None:
        self._opened = monotonic() - (datetime.now(UTC) - at).total_seconds()

    @property
    def state(self) -> str:
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        self._state = state
        self._calls.clear()

    def increment_counter(self) -> None:
        self._calls.append((monotonic(), False))

    def reset_counter(self) -> None:
        self._calls.append((monotonic(), True))

    @property
    def counter(self) -> int:
        since = monotonic() - WINDOW_S
        lately = [well for at, well in tuple(self._calls) if at > since]
        return int(len(lately) >= CALLS_MIN and 2 * sum(lately) <= len(lately))


class Breaker(pybreaker.CircuitBreaker):
    """The breaker of one server, in one process. `answers`: exceptions that are answers, too.

    Any other is a failure, also one that cut the call off.
    """

    def __init__(self, name: str, *answers: type[Exception]) -> None:
        super().__init__(
            fail_max=1,
            reset_timeout=TRIAL_S,
            exclude=answers,
            state_storage=_Window(),
            name=name,
            throw_new_error_on_trip=False,
        )
        self._trial = Lock()
        self._opened = 0

    def call(self, func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call it, side by side with others. Raises what it raises, and OpenError."""
        if self.current_state != pybreaker.STATE_HALF_OPEN:
            return self.state.call(func, *args, **kwargs)
        if not self._trial.acquire(blocking=False):
            raise OpenError("somebody else tries just now")
        try:
            return self.state.call(func, *args, **kwargs)
        finally:
            self._trial.release()

    def half_open(self) -> None:
        """Let a trial through, unless another one has ended in this very moment."""
        with self._lock:
            if self.current_state != pybreaker.STATE_OPEN:
                return
            if self.away:
                raise OpenError("somebody else tried just now")
            super().half_open()

    def open(self) -> bool:
        """Stop calling, each time for longer; of several who fail at once the first says so."""
        with self._lock:
            return not self.away and self._open()

    def _open(self) -> bool:
        self.reset_timeout = min(TRIAL_S * 2**self._opened, TRIAL_S_MAX)
        if not self._opened:
            log.warning("%s does not answer: it is asked again in %.0f s", self.name, TRIAL_S)
        self._opened += 1
        return super().open()

    def close(self) -> None:
        """Call as usual."""
        if self._opened:
            log.warning("%s answers again", self.name)
        self._opened = 0
        super().close()

    @property
    def away(self) -> bool:
        """Whether nothing is asked just now, not even for a trial."""
        opened = self._state_storage.opened_at
        if self.current_state == pybreaker.STATE_CLOSED or opened is None:
            return False
        return datetime.now(UTC) < opened + timedelta(seconds=self.reset_timeout)
