"""Many requests counted together: only every so many of a name go on to where all are counted."""

from threading import Lock
from time import monotonic

NAMES_MAX = 20_000
ONE_BY_ONE_S = 60.0


class Lots:
    """What this process counted by itself; what is left over goes into the name's next lot.

    Whoever was refused is counted one by one for a while: else all of a lot but the last would
    still pass.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[str, int] = {}
        self._refused: dict[str, float] = {}

    def add(self, name: str, lot: int) -> int:
        """One more of this name; gives how many are now to be counted, mostly none."""
        with self._lock:
            if self._refused.get(name, 0.0) > monotonic():
                return 1
            waiting = self._waiting.pop(name, 0) + 1
            if waiting >= lot:
                return waiting
            if len(self._waiting) >= NAMES_MAX:
                self._waiting.clear()
            self._waiting[name] = waiting
            return 0

    def refused(self, name: str) -> None:
        """This name has come too often."""
        with self._lock:
            if len(self._refused) >= NAMES_MAX:
                self._refused.clear()
            self._refused[name] = monotonic() + ONE_BY_ONE_S
