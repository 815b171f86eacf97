"""The process updates, for real: who may listen, what is pushed to whom, and how it says goodbye."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest
import websocket
from flask import Flask

from pipeline.connections import redis_client
from pipeline.doors import is_free
from pipeline.messages import UPDATES_STREAM, OrderChanged
from pipeline.prepare import free_ports
from pipeline.settings import settings
from pipeline.updates import announce
from tests.halls import hall
from tests.journey.system import wait_for
from tests.lines import Line
from tests.people import ANA, BRUNO, Person, sign_in, token_of
from tests.stations import bought, run_all

START_S_MAX = 30
LOOKED_S_MAX = 10


@contextmanager
def updates(at: int, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The gevent process behind /ws, at this port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "web.updates"],
        env={**os.environ, "UPDATES_PORT": str(at), **environment},
    )
    try:
        wait_for(lambda: not is_free(at), START_S_MAX, "updates does not start")
        yield process
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where it listens for most tests."""
    with updates(settings().updates_port):
        yield settings().updates_port


def listen(port: int, person: Person | None = None, **how: Any) -> websocket.WebSocket:
    if person is not None:
        how["header"] = [f"Authorization: Bearer {token_of(person)}"]
    return websocket.create_connection(f"ws://127.0.0.1:{port}/ws", timeout=5, **how)


@pytest.mark.usefixtures("clean")
def test_a_buyers_pages_are_sent_the_finished_ticket_and_nobody_else(port: int) -> None:
    """Rule 10."""
    one, two, his = listen(port, ANA), listen(port, ANA), listen(port, BRUNO)
    order = bought(hall())
    run_all()
    for socket in (one, two):
        text = socket.recv()
        assert 'data-status="COMPLETED"' in text
        assert order in text
        assert 'hx-swap-oob="outerHTML"' in text
    his.settimeout(1)
    with pytest.raises(websocket.WebSocketTimeoutException):
        his.recv()
    for socket in (one, two, his):
        socket.close()


@pytest.mark.usefixtures("clean")
def test_a_signed_in_browser_listens_by_its_cookie(port: int, app: Flask) -> None:
    client = app.test_client()
    sign_in(client, ANA)
    cookie = client.get_cookie("session")
    assert cookie
    socket = listen(port, cookie=f"session={cookie.value}", origin=settings().public_url)
    bought(hall())
    run_all()
    assert 'data-status="COMPLETED"' in socket.recv()
    socket.close()


@pytest.mark.parametrize("origin", [
    "https://evil.example", "http://localhost:1", "null", "https://localhost:18000", "http://localhost.evil.example:18000",
    None,
])  # fmt: skip
def test_another_sites_page_may_not_listen(port: int, app: Flask, origin: str | None) -> None:
    """H41: neither with Ana's cookie nor as anybody, before the upgrade; nor whoever names no origin."""
    client = app.test_client()
    sign_in(client, ANA)
    cookie = client.get_cookie("session")
    assert cookie
    told = {"origin": origin} if origin else {"suppress_origin": True}
    for whose in (f"session={cookie.value}", None):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            listen(port, cookie=whose, **told)
        assert refused.value.status_code == 403


@pytest.mark.usefixtures("clean")
def test_who_listens_is_no_matter_of_what_they_say(port: int, app: Flask) -> None:
    """Bruno's browser and a visitor's name Ana in every way they can; neither hears of her order."""
    client = app.test_client()
    sign_in(client, BRUNO)
    cookie = client.get_cookie("session")
    assert cookie
    asked = f"ws://127.0.0.1:{port}/ws?userId={ANA.sub}&buyer={ANA.sub}&sub={ANA.sub}"
    ears = [
        websocket.create_connection(asked, timeout=5, origin=settings().public_url, cookie=whose)
        for whose in (f"session={cookie.value}", f"session={ANA.sub}; sub={ANA.sub}")
    ]
    hers = listen(port, ANA)
    for ear in ears:
        ear.send(f'{{"type": "subscribe", "userId": "{ANA.sub}"}}')
        ear.send(ANA.sub)
    bought(hall())
    run_all()
    assert 'data-status="COMPLETED"' in hers.recv()
    for ear in ears:
        ear.settimeout(0.5)
        with pytest.raises(websocket.WebSocketTimeoutException):
            ear.recv()
        ear.close()
    hers.close()


def test_a_bad_token_may_not_listen(port: int) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        listen(port, header=["Authorization: Bearer x.y.z"])
    assert refused.value.status_code == 401


def test_an_update_that_is_not_ours_stops_nothing(port: int) -> None:
    socket = listen(port, ANA)
    redis_client().xadd(UPDATES_STREAM, {"what": "nonsense"})
    announce([OrderChanged("00000000-0000-0000-0000-000000000000", ANA.sub, "COMPLETED")])
    redis_client().xadd(
        UPDATES_STREAM, {"what": "order", "order": "x", "buyer": ANA.sub, "status": "y"}
    )
    bought(hall())
    run_all()
    assert 'data-status="COMPLETED"' in socket.recv()
    socket.close()


def test_a_stop_tells_every_page_to_come_back() -> None:
    """1012 and not 1000, from which htmx would not return."""
    [free] = free_ports(1)
    with updates(free) as process:
        sockets = [listen(free, ANA) for _ in range(20)]
        begun = monotonic()
        process.terminate()
        for socket in sockets:
            code, content = socket.recv_data()
            assert (code, int.from_bytes(content[:2])) == (websocket.ABNF.OPCODE_CLOSE, 1012)
            socket.shutdown()  # type: ignore[no-untyped-call]  # a close frame leaves it open
        assert process.wait(5) == 0
        assert monotonic() - begun < 5


def test_who_signed_out_hears_nothing_more(port: int, app: Flask) -> None:
    """A socket asks nobody once it is open, so the process looks which sessions have ended."""
    client = app.test_client()
    sign_in(client, BRUNO)
    cookie = client.get_cookie("session")
    assert cookie
    how: dict[str, Any] = {"cookie": f"session={cookie.value}", "origin": settings().public_url}
    socket, other = listen(port, **how), listen(port, ANA)
    client.post("/logout")
    socket.settimeout(LOOKED_S_MAX)
    opcode, data = socket.recv_data()
    assert (opcode, int.from_bytes(data[:2])) == (websocket.ABNF.OPCODE_CLOSE, 1013)
    other.settimeout(0.5)
    with pytest.raises(websocket.WebSocketTimeoutException):
        other.recv()
    for one in (socket, other):
        one.shutdown()  # type: ignore[no-untyped-call]  # a close frame leaves it open


def test_who_cannot_be_recognised_is_told_to_come_back(app: Flask) -> None:
    """Else a page whose socket opens in a bad moment would never be told of its order."""
    client = app.test_client()
    sign_in(client, ANA)
    cookie = client.get_cookie("session")
    assert cookie
    how: dict[str, Any] = {"cookie": f"session={cookie.value}", "origin": settings().public_url}
    line, [own] = Line(settings().postgres_port), free_ports(1)
    address = settings().database_url.replace(f":{settings().postgres_port}/", f":{line.port}/")
    with updates(own, DATABASE_URL=address):
        listen(own, **how).close()
        line.way = "cut"
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            listen(own, **how)
        assert refused.value.status_code == 503
        listen(own, origin=settings().public_url).close()  # nobody needs no Postgres
    line.close()
