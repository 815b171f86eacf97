"""The reverse proxy alone: what it tells web of a caller, and what it says in its own answers."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import psutil
import pytest
import urllib3

from pipeline.prepare import ROOT, free_ports
from web.assets import asset

START_S_MAX = 20
TOLD = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
}


class _Web(BaseHTTPRequestHandler):
    """Answers with what it was told of the caller."""

    ready = 200

    def do_GET(self) -> None:
        told = "\n".join(self.headers.get(name, "") for name in TOLD).encode()
        self.send_response(self.ready if self.path == "/ready" else 200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _NotReady(_Web):
    """Something behind web is away."""

    ready = 503


@contextmanager
def front(folder: Path, behind: type[_Web] = _Web, **environment: str) -> Iterator[str]:
    """A front before a web of ours; gives its address."""
    web = ThreadingHTTPServer(("127.0.0.1", 0), behind)
    Thread(target=web.serve_forever, daemon=True).start()
    port, nobody = free_ports(2)
    process = subprocess.Popen(
        [sys.executable, "-m", "web.front"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        env={
            "PATH": os.environ["PATH"],
            "DATA_DIR": str(folder),
            "PORT": str(port),
            "WEB_PORT": str(web.server_port),
            "UPDATES_PORT": str(nobody),
            **environment,
        },
    )
    address = f"http://127.0.0.1:{port}"
    deadline = monotonic() + START_S_MAX
    try:
        while True:
            try:
                get(address, "/")
                break
            except urllib3.exceptions.HTTPError:
                assert process.poll() is None
                assert monotonic() < deadline
                sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(10)
        web.shutdown()
        web.server_close()


def get(address: str, path: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", address + path, headers=TOLD, retries=False, timeout=5)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with front(tmp_path_factory.mktemp("plain")) as address:
        yield address


def test_what_a_stranger_says_of_a_caller_is_dropped(plain: str) -> None:
    """A forged X-Forwarded-For would give everybody as many allowances as they like."""
    told, scheme, host = get(plain, "/").data.decode().split("\n")
    assert told == "127.0.0.1"
    assert scheme == "http"
    assert host != "evil.example"


@pytest.mark.parametrize(
    "path", [asset("style.css"), "/static/icon.svg", "/static/nothing.js", "/ws"]
)
def test_what_the_front_answers_itself_is_shielded_too(plain: str, path: str) -> None:
    """Our files, a file that is not there, and a process that does not answer."""
    headers = get(plain, path).headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Resource-Policy"] == headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers
    assert "Server" not in headers


def test_a_trusted_proxy_is_believed_and_https_is_promised(tmp_path: Path) -> None:
    """As behind a tunnel that ends TLS on this machine."""
    with front(
        tmp_path, TRUSTED_PROXIES="10.0.0.0/8, 127.0.0.1", PUBLIC_URL="https://tickets.example"
    ) as address:
        assert get(address, "/").data.decode().split("\n")[0] == "203.0.113.9, 127.0.0.1"
        for path in ("/static/style.css", "/ws"):
            assert get(address, path).headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_caddy_that_dies_takes_its_front_with_it_while_nothing_is_ready_yet(
    tmp_path: Path,
) -> None:
    """Else its keeper would not know, and whoever comes would wait at an open door."""
    with front(tmp_path, _NotReady) as address:
        [ours] = [
            one
            for one in psutil.Process().children()
            if one.cmdline()[-1] == "web.front" and address.endswith(f":{one.environ()['PORT']}")
        ]
        [caddy] = ours.children()
        caddy.kill()
        assert ours.wait(5)


def by_file(path: Path) -> str:
    """What web is told of a caller who comes by the tunnel's socket file."""
    asked = "".join(f"{name}: {told}\r\n" for name, told in TOLD.items())
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(5)
        one.connect(str(path))
        one.sendall(f"GET / HTTP/1.0\r\nHost: tickets.example\r\n{asked}\r\n".encode())
        answer = one.makefile("rb").read().decode()
    return answer.partition("\r\n\r\n")[2]


def test_a_tunnels_word_is_believed_on_its_own_socket_alone(tmp_path: Path) -> None:
    """Nobody but our user may open it, so no trusted proxy need be named."""
    with front(tmp_path) as address:
        assert (tmp_path / "front.sock").stat().st_mode & 0o777 == 0o600
        assert by_file(tmp_path / "front.sock").split("\n")[0] == "203.0.113.9"
        assert get(address, "/").data.decode().split("\n")[0] == "127.0.0.1"


def test_a_path_that_is_too_long_for_a_socket_file_costs_the_tunnel_alone(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    with front(folder) as address:
        assert get(address, "/").status == 200
        assert not (folder / "front.sock").exists()
