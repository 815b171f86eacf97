"""A line between two processes of this machine, which a test can cut, stop or slow down."""

import socket
import threading
from contextlib import suppress
from time import sleep
from typing import Literal

PIECE = 65_536
Way = Literal["open", "cut", "deaf", "busy", "mute", "slow"]
PATIENCE_S = 3
BUSY = (
    f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {PATIENCE_S}\r\n"
    "Content-Length: 0\r\nConnection: close\r\n\r\n"
).encode()
SLOW_S = 0.3


class Line:
    """A TCP line to a port of this machine: open, cut, deaf, mute, busy or slow.

    Deaf: what is asked arrives, no answer does. Mute: nothing passes, and nothing says so. Slow:
    each piece takes SLOW_S.
    """

    def __init__(self, to: int) -> None:
        self.to = to
        self._way: Way = "open"
        self._ends: set[socket.socket] = set()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.address = f"http://localhost:{self.port}"
        self.met = 0
        """How often what was wrong with it met somebody."""
        self.passed = 0
        """How many answers began to come that a deaf line swallowed."""
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def way(self) -> Way:
        """How it is now; a cut ends what is under way."""
        return self._way

    @way.setter
    def way(self, now: Way) -> None:
        # What a mute line swallowed is missing: whatever went by it ends with it.
        ends = now in ("cut", "busy") or (self._way == "mute" and now != "mute")
        self._way = now
        if ends:
            self.met += len(self._ends)
            self.hang_up()

    def hang_up(self) -> None:
        """End every connection there is."""
        for end in list(self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.way = "cut"
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        if self.way == "cut":
            self.met += 1
            near.close()
            return
        if self.way == "busy":
            with near, suppress(OSError):
                near.recv(PIECE)
                near.sendall(BUSY)
            return
        try:
            far = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            near.close()
            return
        self._ends |= {near, far}
        back = threading.Thread(target=self._pump, args=(far, near, True), daemon=True)
        back.start()
        self._pump(near, far, answers=False)

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                self.met += self.way != "open"
                if self.way == "deaf" and answers:
                    self.passed += 1
                if self.way == "cut" or (self.way == "deaf" and answers):
                    break
                if self.way == "mute":
                    continue
                if self.way == "slow":
                    sleep(SLOW_S)
                sink.sendall(piece)
        for end in (source, sink):
            self._ends.discard(end)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
