"""H43: Redis is away. Pages are quick all the same, orders are accepted, and a bound holds."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from time import monotonic, time
from typing import Any

import pytest
from flask import Flask

from pipeline.connections import asked_redis_client, redis_client
from pipeline.settings import settings
from tests.halls import hall
from tests.people import ANA, bearer
from tests.phones import states
from tests.stations import PAYS
from tests.test_patience import asked, working
from web import accounts, limits, patience
from web.app import create_app

pytestmark = pytest.mark.usefixtures("clean")

QUICK_S = 0.5


@contextmanager
def silent() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    server = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def take() -> None:
        with suppress(OSError):
            while True:
                taken.append(server.accept()[0])

    thread = Thread(target=take)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for one in taken:
        one.close()


@contextmanager
def deaf() -> Iterator[int]:
    """An address whose packets are dropped: nobody takes what waits, and no more may wait."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(server.getsockname())
        yield server.getsockname()[1]
        for one in waiting:
            one.close()


@contextmanager
def refused() -> Iterator[int]:
    """A port where nobody listens."""
    yield 1


@pytest.fixture(params=[silent, deaf, refused])
def alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The app with limits on and without its Redis."""
    with request.param() as port:
        monkeypatch.setenv("RATE_LIMITS", "on")
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}/0")
        settings.cache_clear()
        asked_redis_client.cache_clear()
        app = create_app()
        app.testing = True
        yield app
        asked_redis_client().close()
        asked_redis_client.cache_clear()
        monkeypatch.undo()
        settings.cache_clear()


def timed(ask: Callable[[], Any]) -> Any:
    """The answer, which must come soon."""
    begun = monotonic()
    answer = ask()
    assert monotonic() - begun < QUICK_S
    return answer


def test_pages_are_quick_and_orders_are_accepted(alone: Flask) -> None:
    event = hall()
    client = alone.test_client()
    for path in ("/", f"/events/{event.id}", f"/events/{event.id}?section=1"):
        assert timed(lambda path=path: client.get(path)).status_code == 200  # type: ignore[misc]
    updates = f"/events/{event.id}/updates?section=1&v=0"
    assert timed(lambda: client.get(updates)).status_code == 503
    form = {"seat": event.seats[:1]}
    assert timed(lambda: client.post(f"/events/{event.id}/holds", data=form)).status_code == 307
    held = timed(lambda: client.post(f"/events/{event.id}/holds?cookie=1", data=form))
    assert held.status_code == 303
    bought = timed(
        lambda: client.post(
            "/api/orders",
            json={
                "event_id": event.id,
                "seat_ids": event.seats[1:2],
                "payment": {"card_number": PAYS},
            },
            headers={**bearer(ANA), "Idempotency-Key": "away"},
        )
    )
    assert bought.status_code == 201
    assert states(event)[:2] == ["L", "S"]
    # Whoever comes next does not wait; now and then one looks whether Redis is back.
    begun = monotonic()
    for path in ("/", f"/events/{event.id}", updates):
        client.get(path)
    assert monotonic() - begun < QUICK_S


def test_a_bound_holds_and_locks_nobody_else_out(alone: Flask) -> None:
    client = alone.test_client()
    client.post(f"/events/{hall().id}/holds", data={"seat": "0"})
    statuses = [timed(lambda: client.get("/api/events")).status_code for _ in range(130)]
    assert statuses[:90] == [200] * 90
    assert statuses[-1] == 429, "never wide open"
    assert alone.test_client().get("/api/events").status_code == 200, "never locked shut"


def test_newcomers_are_counted_and_a_task_is_good_once(
    alone: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "NEW_VISITORS", "1 per minute")
    monkeypatch.setattr(patience, "WORK_BITS", 8)
    event = hall()
    first, _ = timed(lambda: asked(alone.test_client(), event))
    assert first.status_code == 307
    second, task = timed(lambda: asked(alone.test_client(), event))
    assert second.status_code == 429
    work = working(task)
    passed, _ = timed(lambda: asked(alone.test_client(), event, task=task, work=work))
    assert passed.status_code == 307
    again, _ = timed(lambda: asked(alone.test_client(), event, task=task, work=work))
    assert again.status_code == 429


def test_when_redis_is_back_everybody_counts_together_again(limited: Flask) -> None:
    limiter = limited.extensions["limits"]
    limiter._storage_dead = True  # noqa: SLF001  as after a failure
    limiter._Limiter__last_check_backend = time() - 60  # noqa: SLF001
    client = limited.test_client()
    client.set_cookie("session", accounts.new_token())
    client.get("/api/events")
    assert not limiter._storage_dead  # noqa: SLF001
    assert list(redis_client().scan_iter("LIMITS:*"))
