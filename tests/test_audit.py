"""The audit log: who did what, in lines that no process can change, on a page for operators."""

import re
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from flask.testing import FlaskClient

from pipeline.refunds import fail
from tests.halls import hall, owner
from tests.people import (
    ANA,
    BRUNO,
    CARLA,
    OLGA,
    OSCAR,
    PEDRO,
    Person,
    bearer,
    begin_sign_in,
    sign_in,
)
from tests.stations import bought, later, one, rows, run_all, work
from web import trail
from web.accounts.audit import ACTIONS, About, record

pytestmark = pytest.mark.usefixtures("clean")

CHANGES = ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"]
RECORDS = [("accounts.audit", "detail", "'x'"), ("orders.history", "notes", "'x'")]


@pytest.fixture(autouse=True)
def _nothing_done_yet(clean: None) -> None:
    """The log begins anew; only the owner can do that."""
    with owner() as connection:
        connection.execute("TRUNCATE accounts.audit, accounts.actors")


def told(wanted: trail.Wanted | None = None) -> list[tuple[str, str | None]]:
    """What the log says, the oldest first, and of whom."""
    deeds = trail.page(wanted or trail.Wanted(), trail.Place(), 1000).deeds
    return [(deed.action, deed.who) for deed in reversed(deeds)]


def see(client: FlaskClient, query: str = "", person: Person = OSCAR) -> Any:
    return client.get(f"/status/audit{query}", headers=bearer(person))


@pytest.mark.parametrize("role", ["web", "pipeline", "seatlock"])
@pytest.mark.parametrize(("table", "column", "value"), RECORDS)
@pytest.mark.parametrize("change", CHANGES)
def test_no_process_changes_or_deletes_what_was_done(
    role: str, table: str, column: str, value: str, change: str
) -> None:
    record("signed_in", ANA.sub)
    bought(hall())
    with owner() as connection:
        connection.execute(f"SET ROLE {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(change.format(table, column, value).encode())
    assert one(f"SELECT count(*) FROM {table} WHERE {column} = 'x'") == 0
    assert one(f"SELECT count(*) FROM {table}") == 1


@pytest.mark.parametrize(
    ("column", "value"), [("at", "now()"), ("process", "'sweeper'"), ("number", "7")]
)
def test_web_cannot_pretend_another_time_or_doer(column: str, value: str) -> None:
    with owner() as connection:
        connection.execute("SET ROLE web")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                f"INSERT INTO accounts.audit (action, {column}) OVERRIDING SYSTEM VALUE"
                f" VALUES ('signed_in', {value})".encode()
            )


@pytest.mark.parametrize("role", ["pipeline", "seatlock"])
def test_only_web_reads_the_log(role: str) -> None:
    with owner() as connection:
        connection.execute(f"SET ROLE {role}".encode())
        for relation in ("audit", "actors", "trail"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM accounts.{relation}".encode())


def test_an_orders_whole_life_is_told(client: FlaskClient) -> None:
    """Placed and cancelled by its buyer, made and settled by a worker."""
    event = hall()
    order_uuid = bought(event)
    run_all()
    address = f"/api/orders/{order_uuid}/cancel"
    assert client.post(address, headers=bearer(ANA)).status_code == 200
    run_all()
    life = [
        ("order_placed", ANA.sub),
        ("order_started", "worker"),
        ("order_completed", "worker"),
        ("order_cancelled", ANA.sub),
        ("order_settled", "worker"),
    ]
    assert told(trail.Wanted("order", order_uuid)) == life
    assert told(trail.Wanted("event", str(event.id))) == life
    assert told(trail.Wanted("account", ANA.sub)) == life[:4]
    assert told(trail.Wanted("order", str(uuid4()))) == []
    assert {action for action, _ in life} <= ACTIONS.keys()


def test_a_failed_order_says_which_process_gave_it_up_and_why() -> None:
    orders = bought(hall()), bought(hall())
    fail(orders[0], "not_finished_in_time", "sweeper")  # type: ignore[arg-type]
    with owner() as connection:
        connection.execute(
            "UPDATE orders.orders SET attempts = 4, dead_at = now(), changed_by = 'worker'"
            " WHERE order_uuid = %s", [orders[1]]
        )  # fmt: skip
    assert told(trail.Wanted("order", orders[0]))[1:] == [("order_failed", "sweeper")]
    assert told(trail.Wanted("order", orders[1]))[1:] == [("order_dead_lettered", "worker")]
    assert {"order_failed", "order_dead_lettered"} <= ACTIONS.keys()
    failed = trail.page(trail.Wanted(action="order_failed"), trail.Place(), 9).deeds
    assert [(deed.detail, str(deed.order_uuid)) for deed in failed] == [
        ("not_finished_in_time", orders[0])
    ]


def test_signing_in_and_out_is_told_and_so_is_who_tried(client: FlaskClient) -> None:
    sign_in(client, ANA)
    client.post("/logout")
    there = begin_sign_in(client)
    for email in ("ANA@example.com", "nobody@example.com", "ana@example.com\x00"):
        assert client.post(there, data={"email": email, "password": "no"}).status_code == 401
    deeds = trail.page(trail.Wanted(), trail.Place(), 9).deeds[::-1]
    assert [(deed.action, deed.who, deed.account) for deed in deeds] == [
        ("signed_in", ANA.sub, None),
        ("signed_out", ANA.sub, None),
        ("sign_in_refused", None, ANA.sub),
        ("sign_in_refused", None, None),
        ("sign_in_refused", None, None),
    ]


def test_somebody_who_registers_is_told(client: FlaskClient) -> None:
    there = begin_sign_in(client).replace("/authorize?", "/register?")
    form = {"name": "Dora", "email": f"{uuid4().hex}@example.com", "password": "ocho letras"}
    assert client.post(there, data=form).status_code == 302
    ((action, who),) = told()
    assert action == "registered"
    assert one("SELECT sub FROM accounts.users WHERE email = %s", form["email"]) == who


def test_a_deed_names_what_it_was_done_to() -> None:
    event, ticket = hall(), uuid4()
    record("role_refused", OLGA.sub, About(event_id=event.id, ticket_uuid=ticket), "steward")
    (deed,) = trail.page(trail.Wanted("event", str(event.id)), trail.Place(), 9).deeds
    assert (deed.who, deed.ticket_uuid, deed.detail) == (OLGA.sub, ticket, "steward")
    with pytest.raises(AssertionError):
        record("something_else", OLGA.sub)


def test_nothing_personal_is_written(client: FlaskClient) -> None:
    """No address, name or e-mail; not even the subject stands in the lines."""
    sign_in(client, ANA)
    client.get("/account/data.json")
    see(client, person=ANA)
    client.post(begin_sign_in(client), data={"email": ANA.email, "password": "no"})
    written = str(rows("SELECT audit::text FROM accounts.audit AS audit"))
    assert written.count("signed_in") == 1
    assert written.count("data_downloaded") == 1
    for secret in (ANA.sub, ANA.email, "Ana", "127.0.0.1"):
        assert secret not in written


@pytest.mark.parametrize("person", [ANA, OLGA, PEDRO])
def test_only_operators_see_the_log_and_a_refusal_is_told(
    client: FlaskClient, person: Person
) -> None:
    answer = see(client, person=person)
    assert answer.status_code == 403
    assert "No es para tu cuenta" in answer.text
    assert told() == [("role_refused", person.sub)]
    assert see(client).status_code == 200
    # What the answer calls itself is what the log calls it.
    assert answer.headers["X-Request-Id"] in see(client).text


def test_a_visitor_is_led_to_sign_in(client: FlaskClient) -> None:
    answer = client.get("/status/audit")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/login?next=%2Fstatus%2Faudit",
    )


def test_the_page_goes_back_in_time_and_leaves_nothing_out(client: FlaskClient) -> None:
    """Both records merged by time, page by page, while new deeds come in."""
    event = hall([("Sala", 4, 10, "10.00")])
    for number in range(40):
        bought(event, number, person=(ANA, BRUNO)[number % 2])
        record("signed_in", (ANA, BRUNO)[number % 2].sub)
    seen, address = [], "/status/audit"
    while address:
        page = client.get(address, headers=bearer(OSCAR)).text
        seen += re.findall(r"<li><b>([^<]+)</b>", page)
        older = re.search(r'href="([^"]+)">Más antiguo', page)
        address = older.group(1).replace("&amp;", "&") if older else ""
        record("signed_out", CARLA.sub)
    assert len(seen) == 80
    assert seen == ["Sesión iniciada", "Compra hecha"] * 40


def test_records_that_are_out_of_step_in_time_lose_nothing() -> None:
    """Numbers are drawn before clocks are read, so neighbours may stand the other way round."""
    moments = [datetime(2030, 1, 1, 0, 0, second, tzinfo=UTC) for second in (3, 5, 4, 1)]
    lines = [
        SimpleNamespace(source="history", number=9 - place, at=at)
        for place, at in enumerate(moments)
    ]
    first = trail.cut(lines[:3], trail.Place(), 2)
    assert [line.number for line in first.deeds] == [9, 8]
    assert first.older == trail.Place(history=8)


@pytest.mark.parametrize(
    "query",
    [
        "?of=order&id=x",
        "?of=event&id=-1",
        f"?of=event&id={2**63}",
        "?of=account&id=erased:x",
        f"?of=account&id={'x' * 300}",
        "?of=account&id=%00",
        "?before=x",
        "?before=1",
        f"?before={2**63}.1",
    ],
)
def test_a_filter_that_makes_no_sense_is_said_beside_its_field(
    client: FlaskClient, query: str
) -> None:
    answer = see(client, query)
    assert answer.status_code == 422
    assert "Nada tiene ese número" in answer.text


def test_what_a_filter_says_is_shown_as_text(client: FlaskClient) -> None:
    page = see(client, '?of=account&id="><script>alert(1)</script>').text
    assert "<script>alert" not in page
    assert "Nada con ese filtro" in page


def test_what_is_not_known_filters_nothing(client: FlaskClient) -> None:
    record("signed_in", ANA.sub)
    for query in ("?of=planet&id=1", "?of=order&id=", "?action=dance"):
        assert see(client, query).text.count("<li><b>Sesión iniciada</b>") == 1
    assert "<li><b>" not in see(client, "?action=order_failed").text


def test_a_seldom_kind_is_found_among_many(client: FlaskClient) -> None:
    event = hall()
    orders = [bought(event, number) for number in range(3)]
    run_all()
    later("attempts = attempts")
    client.post(f"/api/orders/{orders[1]}/cancel", headers=bearer(ANA))
    work()
    page = see(client, "?action=order_cancelled").text
    assert page.count("<li><b>") == 1
    assert orders[1] in page
