"""What monitors ask: alive, serving, ready, and what is shown while a server is away."""

from collections.abc import Iterator
from socket import create_server
from time import monotonic

import grpc
import pytest
import redis
from flask.testing import FlaskClient
from grpc_health.v1 import health_pb2_grpc
from psycopg_pool import ConnectionPool, PoolTimeout
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline import breaker
from pipeline.connections import REDIS_ASKED_S
from pipeline.lately import Lately
from pipeline.seatlock import client as seatlock
from pipeline.seatlock import seatlock_pb2_grpc
from tests.halls import hall
from tests.people import ANA, sign_in
from web import health, modes, seats
from web.recent import forget


def test_ready_when_everything_answers(client: FlaskClient) -> None:
    answer = client.get("/ready")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ready", "away": []})
    assert client.get("/health").status_code == 200
    assert client.get("/serving").status_code == 200


@pytest.mark.parametrize("name", ["postgres", "redis", "seatlock"])
def test_what_does_not_answer_is_named(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(health.CHECKS, name, lambda: False)
    answer = client.get("/ready")
    assert (answer.status_code, answer.get_json()["away"]) == (503, [name])
    assert answer.headers["Retry-After"]
    assert client.get("/serving").status_code == 200


@pytest.fixture(params=["refuses", "is silent"])
def dead(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server that takes no calls, or takes them and answers none."""
    with create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if request.param == "refuses":
            server.close()
        yield port


def test_each_server_is_really_asked_and_not_for_long(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, dead: int
) -> None:
    nowhere = redis.Redis(port=dead, socket_timeout=REDIS_ASKED_S, retry=Retry(NoBackoff(), 0))
    monkeypatch.setattr(health, "asked_redis_client", lambda: nowhere)
    assert away(client) == ["redis"]
    address = f"postgresql://ticketbuster@127.0.0.1:{dead}/x?connect_timeout=3"
    with (
        grpc.insecure_channel(f"127.0.0.1:{dead}") as channel,
        ConnectionPool(address, min_size=1, open=True) as pool,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        monkeypatch.setattr(health, "_health_stub", lambda: stub)
        assert away(client) == ["redis", "seatlock"]
        monkeypatch.setattr(health, "pool", lambda _: pool)
        assert away(client) == ["postgres", "redis", "seatlock"]


def away(client: FlaskClient) -> list[str]:
    """Who does not answer, as `/ready` says it, soon."""
    begun = monotonic()
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert monotonic() - begun < 5 * health.CHECK_S
    names: list[str] = answer.get_json()["away"]
    return names


def test_without_postgres_a_page_is_shown_from_memory_and_says_so(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = hall()
    forget()
    assert "X-From-Cache" not in client.get(f"/events/{event.id}").headers

    def away(*_: object) -> None:
        raise PoolTimeout

    monkeypatch.setattr(seats, "pool", away)
    monkeypatch.setattr("web.seats.COUNTS_S", 0)
    seats._events._seconds = 0  # noqa: SLF001  a second passes
    try:
        answer = client.get(f"/events/{event.id}")
        assert answer.headers["X-From-Cache"] == "true"
        assert "ves lo último que supimos" in answer.text
    finally:
        seats._events._seconds = seats.COUNTS_S  # noqa: SLF001
        forget()


def test_postgres_away_is_503_with_a_time_to_come_back(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget()

    def away(*_: object) -> None:
        raise PoolTimeout

    monkeypatch.setattr(seats, "pool", away)
    answer = client.get("/api/events/1/seats")
    assert (answer.status_code, answer.get_json()["error"]) == (503, "busy")
    assert answer.headers["Retry-After"]
    forget()


def test_without_seatlock_the_map_is_shown_and_says_that_nothing_can_be_held(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its breaker: nobody waits for a seatlock that is known to be away."""
    event, said = hall(), "Ahora no se puede apartar"
    sign_in(client, ANA)
    page = f"/events/{event.id}"
    assert said not in client.get(page).text
    # Long enough for a busy machine, and over when this test says so.
    monkeypatch.setattr(breaker, "TRIAL_S", 30.0)
    with grpc.insecure_channel("127.0.0.1:9") as channel:
        nowhere = seatlock_pb2_grpc.InventoryServiceStub(channel)
        monkeypatch.setattr(seatlock, "_stub", lambda: nowhere)
        for _ in range(breaker.CALLS_MIN):
            assert client.post(f"{page}/holds", data={"seat": event.seats[0]}).status_code == 503
        asked: list[object] = []
        monkeypatch.setattr(seatlock, "_heard", lambda *what: asked.append(what))
        answer = client.post(f"{page}/holds", data={"seat": event.seats[0]})
        assert (answer.status_code, answer.headers["Retry-After"], asked) == (503, "2", [])
        answer = client.get(page)
        assert (answer.status_code, said in answer.text) == (200, True)
        assert answer.headers["X-From-Cache"] == "true"
    monkeypatch.undo()
    seatlock.breaker.reset_timeout = 0
    assert said not in client.get(page).text, "the next one may try"
    assert "X-From-Cache" not in client.get(page).headers
    assert client.post(f"{page}/holds", data={"seat": event.seats[0]}).status_code == 303


def test_where_nobody_buys_a_page_knows_it_by_asking(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call failed, so no breaker is open; the page's process asks every two seconds."""
    monkeypatch.setattr(modes, "_seatlock", Lately(lambda: False, 2.0, first=True))
    answer = client.get(f"/events/{hall().id}")
    assert "Ahora no se puede apartar" in answer.text
    assert answer.headers["X-From-Cache"] == "true"
