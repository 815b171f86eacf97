"""What monitors ask: alive, serving, ready, and what is shown while a server is away."""

import pytest
from flask.testing import FlaskClient
from psycopg_pool import PoolTimeout

from tests.halls import hall
from web import health, seats
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
