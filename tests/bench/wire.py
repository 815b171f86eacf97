"""HTTP and websocket as cheaply as a load generator wants them: bytes over asyncio's streams."""

import asyncio
import base64
import json
import os
from typing import Any

FRAME_LONG, FRAME_HUGE = 126, 127
OP_TEXT, OP_CLOSE, OP_PING, OP_PONG = 0x1, 0x8, 0x9, 0xA


class Connection:
    """One keep-alive connection; one request at a time."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._head = f"Host: localhost:{port}\r\nAuthorization: Bearer {token}\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: Any, key: str = "") -> tuple[int, Any]:
        """POST JSON; gives status and parsed answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        content = json.dumps(body)
        idempotency = f"Idempotency-Key: {key}\r\n" if key else ""
        writer.write(
            (
                f"POST {path} HTTP/1.1\r\n{self._head}{idempotency}"
                f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}"
            ).encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
        answer = await reader.readexactly(length)
        return int(head.split()[1]), json.loads(answer)

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()


class Socket:
    """A websocket that only listens."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int, token: str) -> "Socket":
        """Shake hands as a browser would."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            (
                f"GET /ws HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\n"
                f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n"
            ).encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in head.split(b"\r\n")[0], head
        return cls(reader, writer)

    async def text(self) -> str:
        """The next text; answers pings meanwhile. Raises EOFError when it was closed."""
        while True:
            first, second = await self._reader.readexactly(2)
            length = second & 0x7F
            if length == FRAME_LONG:
                length = int.from_bytes(await self._reader.readexactly(2))
            elif length == FRAME_HUGE:
                length = int.from_bytes(await self._reader.readexactly(8))
            content = await self._reader.readexactly(length)
            kind = first & 0x0F
            if kind == OP_TEXT:
                return content.decode()
            if kind == OP_CLOSE:
                raise EOFError
            if kind == OP_PING:
                mask = b"\0\0\0\0"
                self._writer.write(bytes([0x80 | OP_PONG, 0x80 | length]) + mask + content)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
