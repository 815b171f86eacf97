"""Open sockets: what each may hear, and texts handed to them without waiting for a slow phone."""

from collections import defaultdict
from contextlib import suppress
from datetime import datetime
from socket import SHUT_RDWR
from typing import Any

from simple_websocket import ConnectionClosed

RESTART, TRY_LATER = 1012, 1013
TEXT_FRAME = 0x81
SHORT_MAX, LONG_MAX = 125, 0xFFFF


def frame(text: str) -> bytes:
    """A whole websocket message (RFC 6455: from a server, so unmasked), made once for everybody."""
    said = text.encode()
    if len(said) <= SHORT_MAX:
        return bytes([TEXT_FRAME, len(said)]) + said
    if len(said) <= LONG_MAX:
        return bytes([TEXT_FRAME, SHORT_MAX + 1]) + len(said).to_bytes(2) + said
    return bytes([TEXT_FRAME, SHORT_MAX + 2]) + len(said).to_bytes(8) + said


class Listener:
    """One page's socket: whose it is, which event and section it shows."""

    def __init__(self, socket: Any, buyer: str | None, event_id: int | None, language: str) -> None:
        self.buyer = buyer
        self.session: bytes | None = None
        self.ends_at: datetime | None = None
        self.language = language
        self.event_id = event_id
        self.section: int | str | None = None
        self._socket = socket

    def send(self, message: bytes) -> None:
        """Send, if the phone takes all of it at once; never waits.

        One that does not read is let go: it comes back and goes on from where it was. A frame that
        was cut cannot be followed by anything, not even by a goodbye.
        """
        try:
            whole = self._raw.send(message) == len(message)
        except OSError:
            whole = False
        if not whole:
            self._socket.connected = False
            with suppress(OSError):
                self._raw.shutdown(SHUT_RDWR)
            self._wake()

    def close(self, code: int) -> None:
        """Say goodbye with a code that makes the page come back."""
        with suppress(ConnectionClosed, OSError):
            self._socket.close(code)
        self._wake()

    @property
    def _raw(self) -> Any:
        """The socket beneath gevent's, which never waits."""
        return self._socket.sock._sock  # noqa: SLF001  gevent has no public name for it

    def _wake(self) -> None:
        """Let the greenlet go that waits for what the page says."""
        self._socket.event.set()


class Listeners:
    """All sockets of this process, by what they want to hear."""

    def __init__(self) -> None:
        self._all: set[Listener] = set()
        self._by_buyer: dict[str, set[Listener]] = defaultdict(set)
        self._by_event: dict[int, set[Listener]] = defaultdict(set)
        self.stopping = False

    def open(self, listener: Listener) -> None:
        """It is there from now on."""
        self._all.add(listener)
        if listener.buyer is not None:
            self._by_buyer[listener.buyer].add(listener)
        if listener.event_id is not None:
            self._by_event[listener.event_id].add(listener)

    def close(self, listener: Listener) -> None:
        """It is gone."""
        self._all.discard(listener)
        for index, key in ((self._by_buyer, listener.buyer), (self._by_event, listener.event_id)):
            if key in index:
                index[key].discard(listener)  # type: ignore[index]
                if not index[key]:  # type: ignore[index]
                    del index[key]  # type: ignore[arg-type]

    def count(self) -> int:
        """How many sockets are open."""
        return len(self._all)

    def of_buyer(self, buyer: str) -> tuple[Listener, ...]:
        """The sockets of a buyer's pages."""
        return tuple(self._by_buyer.get(buyer, ()))

    def of_event(self, event_id: int) -> tuple[Listener, ...]:
        """The sockets that show an event."""
        return tuple(self._by_event.get(event_id, ()))

    def everywhere(self) -> tuple[Listener, ...]:
        """All sockets."""
        return tuple(self._all)

    def stop(self) -> None:
        """Tell every socket to come back in a moment."""
        self.stopping = True
        for listener in self.everywhere():
            listener.close(RESTART)


listeners = Listeners()
