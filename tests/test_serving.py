"""How our HTTP processes treat connections: those that say nothing, and those that are slow."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic, sleep

import pytest

from pipeline import serving
from pipeline.prepare import ROOT, free_ports

THREADS = 2
SERVER = f"""
import sys
from flask import Flask
from pipeline.serving import serve
app = Flask("app")
app.add_url_rule("/", view_func=lambda: "unread", methods=["GET", "POST"])
serve(lambda: app, int(sys.argv[1]), workers=1, threads={THREADS})
"""
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"
START_S_MAX = 20.0


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A small app under the same server as web: two threads, and it reads no body."""
    port = free_ports(1)[0]
    with subprocess.Popen([sys.executable, "-c", SERVER, str(port)]) as process:
        deadline = monotonic() + START_S_MAX
        while monotonic() < deadline:
            try:
                connected(port).close()
                break
            except ConnectionRefusedError:
                sleep(0.1)
        yield port
        process.terminate()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=3)


def answered(connection: socket.socket) -> bool:
    """A whole answer of 200: head and body may come one after the other."""
    said = b""
    while not said.endswith(b"unread"):
        piece = connection.recv(4096)
        if not piece:
            return False
        said += piece
    return said.startswith(b"HTTP/1.1 200")


def test_silent_phones_park_no_thread(port: int) -> None:
    with ExitStack() as silent:
        for _ in range(4 * THREADS):
            silent.enter_context(connected(port))
        with connected(port) as one:
            began = monotonic()
            one.sendall(GET)
            assert answered(one)
            assert monotonic() - began < 2, "gthread by itself takes 20 s"


def test_a_connection_that_was_promised_to_stay_stays(port: int) -> None:
    with connected(port) as one:
        one.sendall(POST)
        assert answered(one)
        sleep(0.3)  # the machine was busy
        one.sendall(b"body" + GET)
        assert answered(one)


def test_a_stop_is_short_and_front_ends_idle_connections_first() -> None:
    assert serving.GRACE_S < 5
    said = re.search(r"keepalive (\d+)s", (ROOT / "web/front/Caddyfile").read_text())
    assert said
    assert int(said[1]) < serving.KEEP_ALIVE_S
