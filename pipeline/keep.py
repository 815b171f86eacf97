"""Keeps one process alive: `python -m pipeline.keep [--last] [--door SETTING] command …`.

honcho ends everything when one child ends, so each Procfile line runs under a keeper: it starts the
process again after a crash (at once, then after 1, 2, 4 s), gives up after too many, passes SIGTERM
on, and takes its child with it when it goes or when the launcher above it is gone. The port in a
setting (`--door WEB_PORT`) is its door: it stays open while the process starts anew.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from socket import socket
from threading import Event
from time import monotonic

import psutil

from pipeline.doors import PortInUseError, in_use, named, opened
from pipeline.ends import Ends
from pipeline.settings import settings
from pipeline.signals import die_with_parent

PAUSES_S = (0.1, 1.0, 2.0, 4.0)
CRASHES_MAX = 5
CRASH_WINDOW_S = 60.0
ORDERLY_S_MIN = 1.0
"""What lived so long and ended well was asked to: an operator restarts it, and it did not crash."""
STOP_S_MAX = 4.0
OTHERS_S_MAX = 3.0
WATCH_S = 1.0
"""So often it looks whether the launcher is still there."""
OTHERS_PAUSE_S = 0.1
LEFTOVERS_S_MAX = 5.0


def pause_after(crashes: int) -> float | None:
    """Seconds until the next start after so many crashes within the window; None: give up."""
    if crashes >= CRASHES_MAX:
        return None
    return PAUSES_S[min(crashes, len(PAUSES_S)) - 1]


def keep(command: list[str], doors: Sequence[socket] = (), *, last: bool = False) -> int:
    """Run the command until SIGTERM; gives the exit code of the keeper."""
    stop, changed = _signals()
    name = command[-1].rpartition(".")[2]
    launchers = psutil.Process().parents()[:2]
    crashes = Ends(CRASH_WINDOW_S)
    while not stop.is_set():
        began = monotonic()
        child = subprocess.Popen(
            command,
            env={**os.environ, **named(doors)},
            pass_fds=[door.fileno() for door in doors],
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),  # noqa: PLW1509  see embedded.py
        )
        _watch(child, stop, changed, launchers)
        if stop.is_set():
            if last:
                _wait_for_others(launchers)
            _end(child)
            return 0
        if child.returncode == os.EX_CONFIG:
            return 1
        if child.returncode == 0 and monotonic() - began > ORDERLY_S_MIN:
            _say(f"{name} was ended; it starts again")
            continue
        pause = pause_after(crashes.note())
        if pause is None:
            _say(f"{name} crashed {CRASHES_MAX} times in a minute; see its lines above.")
            return 1
        _say(f"{name} ended with {child.returncode}; it starts again in {pause:g} s")
        stop.wait(pause)
    return 0


def _signals() -> tuple[Event, Event]:
    """(stop, changed): the one is set by SIGTERM and SIGINT, the other also when a child ends."""
    stop, changed = Event(), Event()

    def asked(*_: object) -> None:
        stop.set()
        changed.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    signal.signal(signal.SIGCHLD, lambda *_: changed.set())
    return stop, changed


def _watch(
    child: "subprocess.Popen[bytes]",
    stop: Event,
    changed: Event,
    launchers: list[psutil.Process],
) -> None:
    """Return when the child has ended or everything is to stop."""
    while child.poll() is None and not stop.is_set():
        changed.wait(WATCH_S)
        changed.clear()
        if not all(one.is_running() for one in launchers):
            stop.set()


def _wait_for_others(launchers: list[psutil.Process]) -> None:
    """Let the other processes finish while their database and Redis still answer."""
    deadline = monotonic() + OTHERS_S_MAX
    while monotonic() < deadline:
        try:
            others = [
                process
                for process in launchers[-1].children()
                if process not in launchers and process.status() != psutil.STATUS_ZOMBIE
            ]
        except psutil.NoSuchProcess:
            return
        if not others:
            return
        Event().wait(OTHERS_PAUSE_S)


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> int:
    """What the command line asks for; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.keep")
    parser.add_argument("--last", action="store_true", help="end when all others have")
    parser.add_argument("--door", metavar="SETTING", help="keep the port in this setting open")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    said = parser.parse_args()
    if not said.command:
        parser.error("what shall be kept?")
    if said.door != "PORT":
        # honcho adds 100 to it for each next line: it is nobody's, and need not even be a port.
        os.environ.pop("PORT", None)
    doors = _doors(said.door) if said.door else []
    return 1 if doors is None else keep(said.command, doors, last=said.last)


def _doors(setting: str) -> list[socket] | None:
    """What is open from now on; None: somebody else has the port."""
    if setting == "BANK_PORT" and not settings().own_bank:
        return []
    port, deadline = getattr(settings(), setting.lower()), monotonic() + LEFTOVERS_S_MAX
    while True:
        try:
            # A browser asks for localhost, which has two addresses.
            return opened(port, both=setting == "PORT")
        except PortInUseError:
            # A port of our own choice may still be a killed start's.
            if setting == "PORT" or monotonic() > deadline:
                _say(in_use(port, setting))
                return None
        Event().wait(OTHERS_PAUSE_S)


if __name__ == "__main__":
    sys.exit(main())
