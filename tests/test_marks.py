"""H27: what one account began is never done as another; every page says whose it is."""

import re
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.halls import Hall, hall
from tests.people import ANA, BRUNO, CARLA, bearer, sign_in
from tests.stations import PAYS, bought, one, rows, run_all
from tests.test_checkout import checkout, hold
from web import accounts
from web.accounts.marks import mark

pytestmark = pytest.mark.usefixtures("clean")


def body_of(page: str) -> str:
    found = re.search(r"<body[^>]*>", page)
    assert found
    return found[0]


def test_a_mark_tells_accounts_apart_and_names_nobody() -> None:
    seen = {mark(person.sub) for person in (ANA, BRUNO, CARLA)}
    assert len(seen) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in seen)
    assert mark(ANA.sub) == mark(ANA.sub)


@pytest.mark.parametrize("path", ["/", "/orders", "/account", "/nowhere", "/orders/x", "/events/0"])
def test_every_page_says_whose_it_is(client: FlaskClient, path: str) -> None:
    sign_in(client, ANA)
    page = client.get(path)
    assert f'data-account="{mark(ANA.sub)}"' in body_of(page.text)
    assert page.headers["X-Account"] == mark(ANA.sub)
    assert ANA.sub not in body_of(page.text)


def test_a_page_for_nobody_says_nobody(client: FlaskClient) -> None:
    event = hall()
    for path in ("/", "/nowhere", f"/events/{event.id}"):
        page = client.get(path)
        assert "data-account" not in page.text
        assert page.headers["X-Account"] == "-"
    hold(client, event, event.seats[:1])
    page = client.get(f"/events/{event.id}/checkout")
    assert "data-account" not in page.text
    assert page.headers["X-Account"] == "-"


def test_signing_in_and_out_changes_it(client: FlaskClient) -> None:
    for person in (ANA, BRUNO):
        sign_in(client, person)
        assert client.get("/").headers["X-Account"] == mark(person.sub)
        assert "X-Account" not in client.post("/logout").headers
        assert client.get("/").headers["X-Account"] == "-"


def test_answers_about_orders_say_whose_they_are(client: FlaskClient) -> None:
    order_uuid = bought(hall())
    addresses = ("/api/auth/me", "/api/orders", f"/api/orders/{order_uuid}", "/api/purchases/k")
    for path in addresses:
        assert client.get(path, headers=bearer(ANA)).headers["X-Account"] == mark(ANA.sub)
        assert client.get(path).headers["X-Account"] == "-"
        wrong = client.get(path, headers={"Authorization": "Bearer x.y.z"})
        assert (wrong.status_code, wrong.headers["X-Account"]) == (401, "-")
    etag = client.get("/api/orders", headers=bearer(ANA)).headers["ETag"]
    same = client.get("/api/orders", headers={**bearer(ANA), "If-None-Match": etag})
    assert (same.status_code, same.headers["X-Account"]) == (304, mark(ANA.sub))
    assert "X-Account" not in client.get("/api/events").headers


def test_while_sessions_cannot_be_read_nobody_is_called_nobody(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client, ANA)
    client.get("/")

    def away() -> Any:
        raise accounts.AWAY[0]("away")

    monkeypatch.setattr(accounts, "session", away)
    page = client.get("/")
    assert page.status_code == 200
    assert "X-Account" not in page.headers
    assert "data-account" not in page.text


def ask(client: FlaskClient, event: Hall, path: str, body: Any, meant: str | None) -> Any:
    headers = {**bearer(BRUNO), "Idempotency-Key": str(uuid4())}
    if meant is not None:
        headers["If-Account"] = meant
    return client.post(path.format(event=event.id), json=body, headers=headers)


def asked_of(event: Hall) -> list[tuple[str, Any]]:
    """Every address of the API that minds it, and a body for it."""
    seats = {"seat_ids": event.seats[:1]}
    return [
        ("/api/orders", {**seats, "event_id": event.id, "payment": {"card_number": PAYS}}),
        ("/api/events/{event}/lock-seat", seats),
        ("/api/events/{event}/extend-hold", seats),
        ("/api/events/{event}/unlock-seat", seats),
        ("/api/payment-methods", {"card_number": PAYS}),
        ("/api/orders", "no object"),
    ]


@pytest.mark.parametrize("meant", ["ana", "0" * 16, "", "-", "x" * 500])
def test_what_was_meant_for_another_account_is_not_done(client: FlaskClient, meant: str) -> None:
    event = hall()
    said = mark(ANA.sub) if meant == "ana" else meant
    for path, body in asked_of(event):
        answer = ask(client, event, path, body, said)
        assert (answer.status_code, answer.get_json()["error"]) == (412, "other_account"), path
        assert answer.mimetype == "application/problem+json"
    assert rows("SELECT 1 FROM orders.purchases") == []
    assert rows("SELECT 1 FROM catalog.seats WHERE event_id = %s AND holder IS NOT NULL",
                event.id) == []  # fmt: skip


def test_what_was_meant_for_the_caller_is_done(client: FlaskClient) -> None:
    event = hall()
    statuses = [ask(client, event, path, body, mark(BRUNO.sub)).status_code
                for path, body in asked_of(event)[1:5]]  # fmt: skip
    assert statuses == [200, 200, 200, 201]
    path, body = asked_of(event)[0]
    assert ask(client, event, path, body, mark(BRUNO.sub)).status_code == 201


def test_nobody_signed_in_is_the_usual_401(client: FlaskClient) -> None:
    event = hall()
    hold(client, event, event.seats[:1])
    for path, body in asked_of(event):
        answer = client.post(path.format(event=event.id), json=body,
                             headers={"If-Account": mark(ANA.sub), "Idempotency-Key": "k"})  # fmt: skip
        assert (answer.status_code, answer.get_json()["error"]) == (401, "unauthenticated"), path
    form = {"event_id": event.id, "account": mark(ANA.sub)}
    answer = client.post("/orders", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (
        303, f"/login?next=%2Fevents%2F{event.id}%2Fcheckout")  # fmt: skip


def test_a_form_of_ana_is_not_sent_as_bruno(client: FlaskClient) -> None:
    """The page stays open, her session ends, he signs in on the same phone; he presses Pay."""
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    form = checkout(client, event)
    assert form["account"] == mark(ANA.sub)
    client.post("/logout")
    sign_in(client, BRUNO)
    page = client.post("/orders", data=form)
    assert page.status_code == 412
    assert "Esto era de otra cuenta" in page.text
    assert f'data-account="{mark(BRUNO.sub)}"' in page.text
    # A header of the service worker says it as well, and a form without the field is bruno's own.
    del form["account"]
    assert (
        client.post("/orders", data=form, headers={"If-Account": mark(ANA.sub)}).status_code == 412
    )
    mixed = client.post("/orders", data={**form, "account": mark(BRUNO.sub)},
                        headers={"If-Account": mark(ANA.sub)})  # fmt: skip
    assert mixed.status_code == 412
    assert rows("SELECT 1 FROM orders.purchases") == []
    client.post("/logout")
    sign_in(client, ANA)
    assert client.post("/orders", data={**form, "account": mark(ANA.sub)}).status_code == 303


def test_an_order_is_called_off_by_its_own_account_alone(client: FlaskClient) -> None:
    order_uuid = bought(hall())
    run_all()
    path = f"/api/orders/{order_uuid}/cancel"
    refused = client.post(path, headers={**bearer(ANA), "If-Account": mark(BRUNO.sub)})
    assert refused.status_code == 412
    assert one("SELECT status FROM orders.orders WHERE order_uuid = %s", order_uuid) == "COMPLETED"
    done = client.post(path, headers={**bearer(ANA), "If-Account": mark(ANA.sub)})
    assert done.status_code == 200


def test_a_repeat_beyond_the_limit_is_guarded_too(limited: Flask) -> None:
    """A limit lets repeats of a purchase pass; never as another account."""
    client, event, key = limited.test_client(), hall(), str(uuid4())
    body = {"event_id": event.id, "seat_ids": event.seats[:1], "payment": {"card_number": PAYS}}
    headers = {**bearer(BRUNO), "Idempotency-Key": key}
    assert client.post("/api/orders", json=body, headers=headers).status_code == 201
    answers = [client.post("/api/orders", json=body, headers=headers) for _ in range(15)]
    assert {answer.status_code for answer in answers} == {201}
    other = client.post("/api/orders", json=body, headers={**headers, "If-Account": mark(ANA.sub)})
    assert other.status_code == 412


def test_everything_that_changes_something_says_so(client: FlaskClient) -> None:
    paths = client.get("/api/openapi.json").get_json()["paths"]
    for path, ways in paths.items():
        for method, operation in ways.items():
            named = {one["name"] for one in operation["parameters"]}
            guarded = method != "get" and not path.startswith("/api/auth/")
            assert ("412" in operation["responses"]) == ("If-Account" in named) == guarded, path
    assert "X-Account" in paths["/api/auth/me"]["get"]["responses"]["200"]["headers"]


def test_an_address_that_is_none_stays_none(client: FlaskClient) -> None:
    headers = {**bearer(ANA), "If-Account": mark(BRUNO.sub)}
    assert client.delete("/api/orders", headers=headers).status_code == 405
    assert client.post("/api/nowhere", headers=headers).status_code == 404


def test_whoever_signs_in_or_out_names_no_account(client: FlaskClient) -> None:
    sign_in(client, ANA)
    answer = client.post("/api/auth/logout", headers={"If-Account": mark(BRUNO.sub)})
    assert answer.status_code == 204


def test_the_page_for_no_network_is_nobodys(client: FlaskClient) -> None:
    sign_in(client, ANA)
    page = client.get("/offline/en")
    assert page.status_code == 200
    assert "X-Account" not in page.headers
    assert "data-account" not in page.text
