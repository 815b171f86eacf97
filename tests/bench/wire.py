"""HTTP and websocket as cheaply as a load generator wants them: bytes over asyncio's streams."""

import asyncio
import base64
import gzip
import json
import os
from dataclasses import dataclass
from math import ceil
from typing import Any

GZIP = b"\x1f\x8b"
FRAME_LONG, FRAME_HUGE = 126, 127
SEGMENT = 1400
"""So many bytes of content fit into a packet on most ways."""
OP_TEXT, OP_CLOSE, OP_PING, OP_PONG = 0x1, 0x8, 0x9, 0xA


@dataclass
class Traffic:
    """Bytes of messages, and how many packets they take where none shares one with another."""

    content: int = 0
    packets: int = 0

    def add(self, content: int) -> None:
        """One more message, of so many bytes."""
        self.content += content
        self.packets += ceil(content / SEGMENT)

    def with_headers(self, header: int) -> int:
        """All bytes, where every packet has such a header and is acknowledged by one of its own."""
        return self.content + self.packets * 2 * header


def bearer(token: str) -> str:
    """The header line that carries a token."""
    return f"Authorization: Bearer {token}\r\n"


class Connection:
    """One keep-alive connection; one request at a time. Counts what goes over it."""

    def __init__(self, port: int, head: str) -> None:
        self._port = port
        self._head = f"Host: localhost:{port}\r\n{head}"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.traffic = Traffic()

    async def post(self, path: str, body: Any, key: str = "") -> tuple[int, Any]:
        """POST JSON; gives status and parsed answer."""
        content = json.dumps(body)
        idempotency = f"Idempotency-Key: {key}\r\n" if key else ""
        status, answer = await self._exchange(
            f"POST {path} HTTP/1.1\r\n{self._head}{idempotency}"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}"
        )
        return status, json.loads(answer)

    async def get(self, path: str, head: str = "") -> tuple[int, str]:
        """GET a text; gives status and text."""
        status, answer = await self._exchange(f"GET {path} HTTP/1.1\r\n{self._head}{head}\r\n")
        zipped = answer.startswith(GZIP)
        return status, (gzip.decompress(answer) if zipped else answer).decode()

    async def _exchange(self, request: str) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        self.traffic.add(len(request))
        writer.write(request.encode())
        raw = await reader.readuntil(b"\r\n\r\n")
        head = raw.decode().lower()
        assert "chunked" not in head, head
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
        answer = await reader.readexactly(length)
        self.traffic.add(len(raw) + length)
        return int(head.split()[1]), answer

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()


class Socket:
    """A websocket; counts what goes over it, both ways and from the first letter of the upgrade on."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.traffic = Traffic()

    @classmethod
    async def open(cls, port: int, head: str, path: str = "/ws") -> "Socket":
        """Shake hands as a browser would; `head` are header lines of its own."""
        socket = cls(*await asyncio.open_connection("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        socket._send(
            (
                f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{head}"
                f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n"
            ).encode()
        )
        answer = await socket._reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in answer.split(b"\r\n")[0], answer
        socket.traffic.add(len(answer))
        return socket

    async def text(self) -> str:
        """The next text; answers pings meanwhile. Raises EOFError when it was closed."""
        while True:
            first, second = await self._reader.readexactly(2)
            length, wide = second & 0x7F, 0
            if length >= FRAME_LONG:
                wide = 2 if length == FRAME_LONG else 8
                length = int.from_bytes(await self._reader.readexactly(wide))
            content = await self._reader.readexactly(length)
            self.traffic.add(2 + wide + length)
            kind = first & 0x0F
            if kind == OP_TEXT:
                return content.decode()
            if kind == OP_CLOSE:
                raise EOFError
            if kind == OP_PING:
                self._frame(OP_PONG, content)

    def say(self, text: str) -> None:
        """Send a short text."""
        self._frame(OP_TEXT, text.encode())

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    def _frame(self, kind: int, content: bytes) -> None:
        """A short frame as a client sends it: masked, here with a mask that changes nothing."""
        self._send(bytes([0x80 | kind, 0x80 | len(content)]) + b"\0\0\0\0" + content)

    def _send(self, message: bytes) -> None:
        self.traffic.add(len(message))
        self._writer.write(message)
