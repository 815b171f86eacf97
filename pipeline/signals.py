"""Signals: how a process learns that it is to stop, and that its parent is gone."""

import ctypes
import signal
import sys
from threading import Event

PR_SET_PDEATHSIG = 1


def stopping() -> Event:
    """An event that is set by SIGTERM or SIGINT."""
    event = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: event.set())
    return event


def die_with_parent(number: int) -> None:
    """In a child between fork and exec: get this signal when the parent is gone (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
