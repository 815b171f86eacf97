"""What is somebody else's: it looks as if it were not there, whoever asks, whichever way, however they guess."""

import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.halls import hall
from tests.people import ANA, BRUNO, OLGA, OSCAR, PEDRO, Person, bearer, sign_in
from tests.stations import bought, one, purchase, rows, run_all

pytestmark = pytest.mark.usefixtures("clean")

OTHERS = (BRUNO, OLGA, PEDRO, OSCAR)
PAGES = (
    ("GET", "/orders/{order}"), ("GET", "/orders/{order}/cancel"), ("POST", "/orders/{order}/cancel"),
    ("GET", "/tickets/{ticket}"), ("GET", "/tickets/{ticket}.png"), ("GET", "/tickets/{ticket}.ics"),
    ("GET", "/purchases/{key}"), ("GET", "/api/orders/{order}"), ("POST", "/api/orders/{order}/cancel"),
    ("HEAD", "/orders/{order}"), ("HEAD", "/tickets/{ticket}.png"),
)  # fmt: skip


@pytest.fixture
def hers() -> dict[str, str]:
    """Ana's order, COMPLETED, by the names that addresses have for its parts."""
    event = hall()
    key = f"key-{uuid4()}"
    order = str(purchase(event, event.seats[:2], key=key).body["order_uuid"])
    run_all()
    ticket = one("SELECT ticket_uuid FROM orders.tickets WHERE order_uuid = %s LIMIT 1", order)
    return {"order": order, "ticket": str(ticket), "key": key}


def nobodys() -> dict[str, str]:
    return {"order": str(uuid4()), "ticket": str(uuid4()), "key": f"key-{uuid4()}"}


def said(answer: Any) -> tuple[int, str, str]:
    """Status, kind and text, without what is random in every page."""
    text = re.sub(r'nonce="[^"]+"|key-[0-9a-f-]+|[0-9a-f]{8}-[0-9a-f-]{27}', "", answer.text)
    return answer.status_code, answer.mimetype, text


@pytest.mark.parametrize("person", OTHERS, ids=lambda person: person.name)
def test_somebody_elses_is_as_unknown_as_none(
    client: FlaskClient, app: Flask, hers: dict[str, str], person: Person
) -> None:
    """Not even organisers, stewards and operators have a key to all."""
    sign_in(client, person)
    script, tokens = app.test_client(), bearer(person)
    for method, address in PAGES:
        for asker, headers in ((client, {}), (script, tokens), (client, {"HX-Request": "true"})):
            foreign = asker.open(address.format(**hers), method=method, headers=headers)
            unknown = asker.open(address.format(**nobodys()), method=method, headers=headers)
            assert foreign.status_code == 404, (method, address)
            assert said(foreign) == said(unknown), (method, address)
    assert rows("SELECT status::text FROM orders.orders") == [("COMPLETED",)]


def test_what_is_hers_is_there_for_her(client: FlaskClient, hers: dict[str, str]) -> None:
    """Otherwise nothing of the above would be shown."""
    sign_in(client, ANA)
    for method, address in PAGES:
        if method != "POST":
            assert client.open(address.format(**hers), method=method).status_code in (200, 303)


def test_without_a_sign_in_nothing_says_whether_it_exists(
    client: FlaskClient, hers: dict[str, str]
) -> None:
    for method, address in PAGES:
        theirs = client.open(address.format(**hers), method=method)
        none = client.open(address.format(**nobodys()), method=method)
        assert theirs.status_code == (401 if address.startswith("/api") else 303), address
        assert (theirs.status_code, theirs.mimetype) == (none.status_code, none.mimetype)
        assert theirs.headers.get("Location", "/login?").startswith("/login?")


def test_a_remembered_etag_opens_nothing(client: FlaskClient, hers: dict[str, str]) -> None:
    for path in (f"/api/orders/{hers['order']}", f"/tickets/{hers['ticket']}.png"):
        etag = client.get(path, headers=bearer(ANA)).headers["ETag"]
        for tag in (etag, "*"):
            answer = client.get(path, headers={**bearer(BRUNO), "If-None-Match": tag})
            assert answer.status_code == 404


def test_ids_cannot_be_counted_through(hers: dict[str, str]) -> None:
    """Orders and tickets made one after another have nothing in common."""
    event = hall()
    uuids = [UUID(bought(event, number)) for number in range(4)]
    run_all()
    uuids += [row[0] for row in rows("SELECT ticket_uuid FROM orders.tickets")]
    assert {one.version for one in uuids} == {4}
    for part in (slice(0, 8), slice(24, 36)):
        assert len({str(one)[part] for one in uuids}) == len(uuids)


GUESSES = (
    "1", "0", "-1", "00000000-0000-0000-0000-000000000000", "{upper}", "{plain}", "{{{order}}}", "urn:uuid:{order}",
    "{order}%00", "{order}%20", "{order}/../{order}", "{order}.json", "*", "%25", "{order},{order}", "..%2f{order}",
)  # fmt: skip


def test_no_way_of_writing_an_id_opens_it(client: FlaskClient, hers: dict[str, str]) -> None:
    order = hers["order"]
    for guess in GUESSES:
        written = guess.format(order=order, upper=order.upper(), plain=order.replace("-", ""))
        for path in (f"/api/orders/{written}", f"/orders/{written}", f"/tickets/{written}.png"):
            answer = client.get(path, headers=bearer(BRUNO))
            assert answer.status_code == 404, path
            assert hers["ticket"] not in answer.text, path


def test_a_list_is_ones_own_whatever_its_address_says(
    client: FlaskClient, hers: dict[str, str]
) -> None:
    """Neither a parameter nor a cursor of somebody else's list leads into it."""
    event = hall()
    for number in range(2):
        bought(event, number)
    cursor = client.get("/api/orders?limit=1", headers=bearer(ANA)).get_json()["next"]
    for query in (
        {}, {"cursor": cursor}, {"buyer": ANA.sub}, {"sub": ANA.sub}, {"user_id": ANA.sub}, {"account": ANA.sub},
    ):  # fmt: skip
        answer = client.get("/api/orders", query_string=query, headers=bearer(BRUNO))
        assert answer.status_code in (200, 422)
        assert answer.get_json().get("orders", []) == []
    for name in ("X-User-Id", "X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Auth-Sub"):
        headers = {**bearer(BRUNO), name: ANA.sub}
        assert client.get("/api/auth/me", headers=headers).get_json()["sub"] == BRUNO.sub
        assert client.get("/api/orders", headers=headers).get_json()["orders"] == []


def test_nobody_buys_in_somebody_elses_name(client: FlaskClient) -> None:
    """Members that the contract does not know are not obeyed (mass assignment)."""
    event = hall()
    body = {
        "event_id": event.id, "seat_ids": event.seats[:1], "payment": {"card_number": "4242424242424242"},
        "buyer": ANA.sub, "account": ANA.sub, "sub": ANA.sub, "status": "COMPLETED", "total_amount": "0.00",
        "order_uuid": str(uuid4()), "price": "0.00",
    }  # fmt: skip
    headers = {**bearer(BRUNO), "Idempotency-Key": str(uuid4())}
    answer = client.post("/api/orders", json=body, headers=headers)
    if answer.status_code == 201:
        assert answer.get_json()["total_amount"] == "80.00"
        assert answer.get_json()["order_uuid"] != body["order_uuid"]
        assert rows("SELECT buyer FROM orders.orders") == [(BRUNO.sub,)]
    else:
        assert answer.status_code == 422
        assert rows("SELECT buyer FROM orders.orders") == []


def test_a_stolen_cookie_is_worth_nothing_after_sign_out(
    client: FlaskClient, app: Flask, hers: dict[str, str]
) -> None:
    sign_in(client, ANA)
    kept = client.get_cookie("session")
    assert kept
    thief = app.test_client()
    thief.set_cookie("session", kept.value)
    assert thief.get(f"/tickets/{hers['ticket']}.png").status_code == 200
    client.post("/logout")
    for method, address in PAGES:
        answer = thief.open(address.format(**hers), method=method)
        assert answer.status_code in (303, 401), address
    assert thief.post("/api/auth/refresh").status_code == 401
    assert thief.get("/account/data.json").status_code == 303


def test_what_others_may_do_a_buyer_may_not(client: FlaskClient) -> None:
    """Pages of organisers, stewards and operators: those that there are say no, the others are not there."""
    sign_in(client, BRUNO)
    for path in (
        "/status/audit",
        "/status",
        "/organiser",
        "/organiser/events/1",
        "/gate",
        "/gate/1",
        "/metrics",
    ):
        assert client.get(path).status_code in (403, 404), path
    for method, path in (
        ("POST", "/api/events"), ("PATCH", "/api/events/1"), ("POST", "/api/events/1/publish"), ("POST", "/api/checkin"),
        ("POST", "/api/events/1/cancel"), ("DELETE", "/api/events/1"), ("GET", "/api/audit"),
    ):  # fmt: skip
        for who in (BRUNO, PEDRO):
            answer = client.open(path, method=method, json={}, headers=bearer(who))
            assert answer.status_code in (403, 404, 405), (method, path)
