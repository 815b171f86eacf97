"""Doors: listening sockets that outlive the process that answers at them.

A keeper opens the door and whoever it starts inherits it, as in systemd's socket activation: while
nobody answers, who comes waits in the system's queue and is not turned away.
"""

import errno
import os
import socket
from collections.abc import Iterable, Mapping

LOOPBACK_4, LOOPBACK_6 = "127.0.0.1", "::1"
VARIABLE = "TICKETBUSTER_DOORS"
"""Carries the doors' file descriptors from the keeper to its child."""
QUEUE_MAX = 2048
FAMILIES = {LOOPBACK_4: socket.AF_INET, LOOPBACK_6: socket.AF_INET6}


class PortInUseError(Exception):
    """Somebody else answers on this port."""


def opened(port: int, *, both: bool = False, listen: bool = True) -> list[socket.socket]:
    """Listen on a port of the loopback address, or of both where the machine has two.

    Raises PortInUseError.
    """
    doors: list[socket.socket] = []
    for address in (LOOPBACK_4, LOOPBACK_6) if both else (LOOPBACK_4,):
        try:
            doors.append(_door(address, port, listen))
        except OSError as error:
            # Another server on the second would be met by who asks for localhost there first.
            if address == LOOPBACK_4 or error.errno == errno.EADDRINUSE:
                for door in doors:
                    door.close()
                raise PortInUseError(port) from None
    return doors


def _door(address: str, port: int, listen: bool) -> socket.socket:
    door = socket.socket(FAMILIES[address])
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Who is let in has it from here: else the second piece of an answer waits 40 ms.
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        door.bind((address, port))
        if listen:
            door.listen(QUEUE_MAX)
    except OSError:
        door.close()
        raise
    return door


def is_free(port: int, *, both: bool = False) -> bool:
    """Whether a server could listen here; nobody can come in meanwhile."""
    try:
        doors = opened(port, both=both, listen=False)
    except PortInUseError:
        return False
    for door in doors:
        door.close()
    return True


def in_use(port: int, setting: str = "PORT", target: str = "run") -> str:
    """The sentence that says what to do about a port that somebody else has."""
    do = f"give another, as in `PORT=8001 make {target}`"
    if setting != "PORT":
        do = f"call `make setup`, which finds another {setting}"
    return f"Port {port} is in use: {do}."


def named(doors: Iterable[socket.socket]) -> dict[str, str]:
    """What a child that inherits these doors finds in its environment."""
    return {VARIABLE: " ".join(str(door.fileno()) for door in doors)}


def inherited(environ: Mapping[str, str] = os.environ) -> list[int]:
    """The file descriptors of the doors that our keeper opened; none where it opened none."""
    return [int(number) for number in environ.get(VARIABLE, "").split()]
