"""Normal, read-only, queue-only: what buyers, organisers and operators are told of it."""

import pytest
from flask.testing import FlaskClient
from psycopg import OperationalError

from tests.halls import hall, owner
from tests.people import ANA, OLGA, OSCAR, Person, bearer, sign_in
from tests.stations import bought, later
from web import accounts, health, modes
from web.recent import forget

LATE = "created_at = now() - interval '11 s'"
DEAD = "attempts = 4, dead_at = now(), status = 'PROCESSING'"
COMES_LATER = "las entradas tardan más de lo normal"


def status(client: FlaskClient, mode: str) -> str:
    forget()
    page = client.get("/status", headers=bearer(OSCAR))
    assert page.status_code == 200
    assert f'data-mode="{mode}"' in page.text
    return page.text


@pytest.mark.usefixtures("clean")
def test_all_is_well(client: FlaskClient) -> None:
    page = status(client, "normal")
    assert "Todo funciona" in page
    assert "no responde" not in page
    assert COMES_LATER not in client.get(f"/events/{hall().id}").text


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("away", "mode"),
    [("postgres", "read-only"), ("seatlock", "read-only"), ("redis", "queue-only")],
)
def test_what_is_away_decides_the_mode(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, away: str, mode: str
) -> None:
    monkeypatch.setitem(health.CHECKS, away, lambda: False)
    assert status(client, mode).count("no responde") == 1


@pytest.mark.usefixtures("clean")
def test_a_bank_that_is_away_is_no_mode_and_is_told(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modes, "_bank", lambda: False)
    page = status(client, "normal")
    assert "Sin banco" in page
    assert "Todo funciona" not in page


@pytest.mark.usefixtures("clean")
def test_an_operators_page_goes_on_while_nobody_can_be_recognised(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session is a row; what anybody may know is told to anybody then, and no more."""
    order = bought(hall())
    later(DEAD)
    sign_in(client, OSCAR)
    assert order in client.get("/status").text

    def away(*_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(accounts, "session", away)
    monkeypatch.setitem(health.CHECKS, "postgres", lambda: False)
    page = client.get("/status", headers={"HX-Request": "true"})
    assert page.status_code == 200
    assert 'data-mode="read-only"' in page.text
    assert order not in page.text
    assert "Compras sin terminar" not in page.text


@pytest.mark.usefixtures("clean")
def test_one_order_that_nobody_can_finish_is_no_mode(client: FlaskClient) -> None:
    """Whoever works on it dies of it; everybody else gets their tickets."""
    bought(hall())
    later(f"{LATE}, status = 'PROCESSING'")
    status(client, "normal")


@pytest.mark.usefixtures("clean")
def test_tickets_that_do_not_come_are_told_to_everybody(client: FlaskClient) -> None:
    event = hall()
    order = bought(event)
    sign_in(client, ANA)
    assert "Tarda más de lo normal" not in client.get(f"/orders/{order}").text
    status(client, "normal")
    later(LATE)
    page = status(client, "queue-only")
    assert "la más antigua espera 11 s" in page
    assert (
        "Tarda más de lo normal, pero tu compra está hecha" in client.get(f"/orders/{order}").text
    )
    for path in (f"/events/{event.id}", f"/events/{event.id}/checkout"):
        assert COMES_LATER in client.get(path).text, path
    # What a server was asked for and did not give is another matter: it is tried again by itself.
    later("retry_at = now()")
    status(client, "normal")


@pytest.mark.usefixtures("clean")
def test_who_asks_for_nothing_is_not_kept_waiting_by_a_postgres_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away() -> None:
        raise OperationalError

    monkeypatch.setattr(modes, "_read_waiting", away)
    forget()
    assert not modes.tickets_late()


@pytest.mark.usefixtures("clean")
def test_stuck_orders_are_counted_for_operators_and_for_the_events_organiser(
    client: FlaskClient,
) -> None:
    event, other = hall(), hall()
    order = bought(event)
    assert seen(client, OLGA, event.id) == ""
    later(DEAD)
    page = status(client, "normal")
    assert f"id={order}" in page
    assert "Una compra de tu evento está detenida" in seen(client, OLGA, event.id)
    assert seen(client, OLGA, other.id) == ""
    assert seen(client, ANA, event.id) == ""
    with owner() as connection:
        connection.execute(
            "UPDATE catalog.events SET organiser = 'another' WHERE id = %s", [event.id]
        )
    assert seen(client, OLGA, event.id) == ""


def seen(client: FlaskClient, person: Person, event_id: int) -> str:
    """What the event's page tells this person of stuck orders."""
    text = client.get(f"/events/{event_id}", headers=bearer(person)).text
    return text.partition('id="stuck"')[2].partition("</p>")[0]


@pytest.mark.parametrize("person", [ANA, OLGA])
def test_only_operators_see_the_state(client: FlaskClient, person: Person) -> None:
    assert client.get("/status", headers=bearer(person)).status_code == 403


def test_a_visitor_signs_in_first(client: FlaskClient) -> None:
    answer = client.get("/status")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=%2Fstatus")
