"""How often something ended lately: whoever starts things again asks before the next time."""

from collections import deque
from time import monotonic


class Ends:
    """The ends within the last `window_s` seconds."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._times: deque[float] = deque()

    def note(self) -> int:
        """One more, now; gives how many there were lately, this one with them."""
        self._times.append(monotonic())
        return self.lately()

    def lately(self) -> int:
        """How many there were."""
        while self._times and self._times[0] < monotonic() - self._window_s:
            self._times.popleft()
        return len(self._times)
