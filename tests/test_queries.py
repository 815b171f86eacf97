"""How often a page asks Postgres: so many times, whether it shows one thing or twenty."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from time import sleep
from typing import Any

import pytest
from flask.testing import FlaskClient
from psycopg import Connection

from pipeline import connections
from tests.halls import Hall, hall
from tests.people import ANA, sign_in
from tests.phones import take
from tests.stations import bought, run_all
from web.recent import forget

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A context that counts the statements of every connection of this process."""
    statements: list[str] = []
    execute = Connection.execute

    def count(connection: Connection[Any], query: Any, *rest: Any, **options: Any) -> Any:
        statements.append(str(query))
        return execute(connection, query, *rest, **options)

    monkeypatch.setattr(Connection, "execute", count)

    @contextmanager
    def counted(most: int, what: str) -> Iterator[None]:
        forget()
        statements.clear()
        yield
        assert statements, f"{what} asked nothing at all"
        assert len(statements) <= most, f"{what}: {len(statements)}\n" + "\n".join(statements)

    return counted


def test_threads_that_come_first_at_once_share_one_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def slow(_role: str, _size: int) -> str:
        sleep(0.05)
        opened.append("pool")
        return "pool"

    monkeypatch.setattr(connections, "_pool", cache(slow))
    with ThreadPoolExecutor(4) as threads:
        assert set(map(str, threads.map(lambda _: connections.pool("web"), range(4)))) == {"pool"}
    assert opened == ["pool"]


def many(halls: int) -> list[Hall]:
    return [hall(title=f"Noche {number}") for number in range(halls)]


def test_a_page_asks_as_often_for_twenty_as_for_one(
    client: FlaskClient, asked: Callable[..., Any]
) -> None:
    events = many(25)
    wide = hall(sections=[(f"Sector {number}", 10, 10, "10.00") for number in range(1, 21)])
    sign_in(client, ANA)
    session = 1  # who asks
    mode = 1  # whether tickets are late, every two seconds a process
    with asked(session + 2, "the list"):
        assert client.get("/events").text.count('class="bill k-') == 20
    with asked(session + 2, "a search"):
        client.get("/events?q=noche", headers={"HX-Request": "true"})
    with asked(session + mode + 4, "an event"):
        client.get(f"/events/{events[0].id}")
    with asked(session + mode + 4, "a hall of twenty sections"):
        assert client.get(f"/events/{wide.id}").text.count('<li data-s="') == 20
    with asked(session + mode + 5, "a section"):
        assert client.get(f"/events/{wide.id}?section=3").text.count('name="seat"') == 100
    take(client, wide, wide.seats[:10])
    with asked(session + mode + 3, "the checkout"):
        assert client.get(f"/events/{wide.id}/checkout").text.count('name="seat"') == 10
    for number in range(10):
        bought(events[number])
    run_all()
    with asked(session + 3, "my orders"):
        assert client.get("/orders").text.count('class="title"') == 10
    with asked(session + 2, "a map without a socket"):
        client.get(f"/events/{wide.id}/updates?section=*&v=0")
