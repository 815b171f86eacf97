"""A disk that is full, for a process and all that it starts."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

NOTHING = (0, psutil.RLIM_INFINITY)
EVERYTHING = (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY)


@contextmanager
def full(eldest: psutil.Process) -> Iterator[None]:
    """No file takes another byte from it, its children, and what they start meanwhile."""
    _limit(eldest, NOTHING)
    try:
        yield
    finally:
        _limit(eldest, EVERYTHING)


def _limit(eldest: psutil.Process, bytes_max: tuple[int, int]) -> None:
    # The eldest first: what it starts from now on is like it.
    eldest.rlimit(psutil.RLIMIT_FSIZE, bytes_max)
    for one in eldest.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            one.rlimit(psutil.RLIMIT_FSIZE, bytes_max)
