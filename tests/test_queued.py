"""A purchase that is sent later: its payment method, what became of it, and never as another account."""

import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import urllib3
from flask import Flask
from flask.testing import FlaskClient

from pipeline import payments
from pipeline.settings import settings
from tests.halls import change, hall
from tests.people import ANA, BRUNO, bearer, sign_in
from tests.stations import DECLINED, PAYS, one, paid, rows, run_all
from tests.test_checkout import checkout, form_of, hold
from tests.test_purchases import LATE
from web import limits

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture
def no_bank(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody listens where the bank should be."""
    monkeypatch.setenv("BANK_URL", "http://127.0.0.1:9")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


def keep(client: FlaskClient, card: Any = PAYS, person: Any = ANA) -> Any:
    return client.post("/api/payment-methods", json={"card_number": card}, headers=bearer(person))


def method_of(client: FlaskClient, card: str = PAYS) -> str:
    return str(keep(client, card).get_json()["id"])


def buy(client: FlaskClient, event: Any, key: str = "", **more: Any) -> Any:
    body = {"event_id": event.id, "seat_ids": event.seats[:1], **more}
    headers = {**bearer(ANA), "Idempotency-Key": key or str(uuid4())}
    return client.post("/api/orders", json=body, headers=headers)


def became(client: FlaskClient, key: str, person: Any = ANA) -> Any:
    return client.get(f"/api/purchases/{key}", headers=bearer(person))


def test_a_method_pays_for_one_purchase(client: FlaskClient) -> None:
    event = hall()
    kept = keep(client, "4242 4242 4242 4242")
    assert (kept.status_code, kept.headers["Cache-Control"]) == (201, "no-store")
    assert set(kept.get_json()) == {"id"}
    method = kept.get_json()["id"]
    assert method.startswith("pm_")
    done = buy(client, event, payment={"method": method})
    assert done.status_code == 201
    assert paid(done.get_json()["order_uuid"])["state"] == "authorised"
    spent = buy(client, hall(), payment={"method": method})
    assert (spent.status_code, spent.get_json()["error"]) == (422, "invalid_payment")


@pytest.mark.parametrize(
    "card", [None, "", "4242", 4242424242424242, "4242424242424241", "4" * 5000, ["4"]]
)
def test_nonsense_is_no_card(client: FlaskClient, card: Any) -> None:
    answer = keep(client, card)
    assert (answer.status_code, answer.get_json()["error"]) == (422, "invalid_payment")


def test_nobody_keeps_a_card_without_an_account(client: FlaskClient) -> None:
    answer = client.post("/api/payment-methods", json={"card_number": PAYS})
    assert (answer.status_code, answer.get_json()["error"]) == (401, "unauthenticated")
    hold(client, event := hall(), event.seats[:1])
    assert client.post("/api/payment-methods", json={"card_number": PAYS}).status_code == 401


@pytest.mark.usefixtures("no_bank")
def test_without_the_bank_it_is_busy(client: FlaskClient) -> None:
    answer = keep(client)
    assert (answer.status_code, answer.get_json()["error"]) == (503, "busy")
    assert answer.headers["Retry-After"] == "2"


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [(201, b"{}", 503), (201, b"[]", 503), (201, b"x", 503), (500, b"{}", 503), (201, b'{"id": "card"}', 503),
     (422, b"[]", 422), (201, b'{"id": "pm_' + b"x" * 98 + b'"}', 503)],
)  # fmt: skip
def test_an_odd_answer_of_the_bank_is_no_500(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, status: int, said: bytes, expected: int
) -> None:
    class Odd:
        @staticmethod
        def urlopen(*_: Any, **__: Any) -> Any:
            return urllib3.HTTPResponse(said, status=status)

    monkeypatch.setattr(payments, "_connections", lambda _: Odd)
    assert keep(client).status_code == expected


def test_neither_card_nor_method_stays_with_us(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    method = method_of(client)
    done = buy(client, hall(), payment={"method": method})
    assert done.status_code == 201
    run_all()
    tables = rows("SELECT schemaname || '.' || tablename FROM pg_tables"
                  " WHERE schemaname IN ('orders', 'accounts', 'catalog')")  # fmt: skip
    for (table,) in tables:
        assert not one(
            f"SELECT count(*) FROM {table} AS a WHERE a::text LIKE %s OR a::text LIKE %s",
            f"%{method}%", f"%{PAYS}%",
        ), table  # fmt: skip
    assert method not in caplog.text
    assert PAYS not in caplog.text
    assert method not in done.text


def test_an_account_keeps_so_many_methods_a_minute(
    limited: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "METHODS_PER_ACCOUNT", "3 per minute")
    client = limited.test_client()
    assert [keep(client).status_code for _ in range(4)] == [201, 201, 201, 429]
    assert keep(client, person=BRUNO).status_code == 201
    assert client.get("/api/orders", headers=bearer(ANA)).status_code == 200


def test_a_form_with_a_method_and_its_replay_by_the_api_are_one_purchase(
    client: FlaskClient,
) -> None:
    """Card fields are neither needed nor read; the service worker may send either."""
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:2])
    form = {**checkout(client, event), "payment_method": method_of(client)}
    method, key = form["payment_method"], form["idempotency_key"]
    for name in list(form):
        if name.startswith("card_"):
            form[name] = "nonsense"
    gone = client.post("/orders", data=form)
    assert gone.status_code == 303
    order_uuid = gone.headers["Location"].rpartition("/")[2]
    again = buy(client, event, key, seat_ids=event.seats[1::-1], payment={"method": method},
                total=form["total"])  # fmt: skip
    assert (again.status_code, again.get_json()["order_uuid"]) == (201, order_uuid)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert client.post("/orders", data=form).headers["Location"] == gone.headers["Location"]
    other = buy(client, event, key, seat_ids=event.seats[:2], payment={"method": method_of(client)})
    assert other.get_json()["error"] == "idempotency_key_reused"
    assert rows("SELECT count(*) FROM orders.orders") == [(1,)]


def test_begun_by_the_api_the_form_leads_to_the_same_order(client: FlaskClient) -> None:
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    form = {**checkout(client, event), "payment_method": method_of(client)}
    first = buy(client, event, form["idempotency_key"], payment={"method": form["payment_method"]})
    gone = client.post("/orders", data=form)
    assert gone.headers["Location"] == f"/orders/{first.get_json()['order_uuid']}"


def test_free_seats_with_a_method_are_the_same_purchase_too(client: FlaskClient) -> None:
    event = hall([("Sala", 1, 4, "0.00")])
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    form = {**checkout(client, event), "payment_method": method_of(client)}
    gone = client.post("/orders", data=form)
    again = buy(client, event, form["idempotency_key"], payment={"method": form["payment_method"]})
    assert gone.headers["Location"] == f"/orders/{again.get_json()['order_uuid']}"


@pytest.mark.parametrize(
    "method", ["pm_never-kept", "pm_", "4242424242424242", "pm_ñ", "pm_" + "x" * 200, "spent"]
)
def test_a_method_that_is_over_asks_for_the_card_again(client: FlaskClient, method: str) -> None:
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    if method == "spent":
        method = method_of(client)
        assert buy(client, hall(), payment={"method": method}).status_code == 201
    form = {**checkout(client, event), "payment_method": method}
    page = client.post("/orders", data=form)
    assert page.status_code == 422
    assert "La tarjeta guardada ya no sirve" in page.text
    assert 'name="card_number"' in page.text
    assert method not in page.text
    assert client.post("/orders", data=form_of(page.text)).status_code == 303


def test_a_declined_method_is_not_spent(client: FlaskClient) -> None:
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    form = {**checkout(client, event), "payment_method": method_of(client, DECLINED)}
    assert client.post("/orders", data=form).status_code == 402
    again = buy(client, event, payment={"method": form["payment_method"]})
    assert again.get_json()["error"] == "payment_declined"


def test_a_total_that_is_not_the_price_any_more_stops_before_any_charge(
    client: FlaskClient,
) -> None:
    event, key = hall(), str(uuid4())
    change(event.seats[:1], price="95.50")
    wrong = buy(client, event, key, payment={"card_number": PAYS}, total="80.00")
    body = wrong.get_json()
    assert (wrong.status_code, body["error"]) == (409, "price_changed")
    assert (body["shown"], body["now"]) == ("80.00", "95.50")
    purchase = one("SELECT order_uuid FROM orders.purchases WHERE buyer = %s", ANA.sub)
    ledger = urllib3.request("GET", f"{settings().bank_url}/payments/{purchase}").json()
    assert ledger["state"] in ("unknown", "voided")
    assert one("SELECT status FROM catalog.seats WHERE id = %s", event.seats[0]) == "AVAILABLE"
    right = buy(client, event, key, payment={"card_number": PAYS}, total="95.5")
    assert (right.status_code, right.get_json()["total_amount"]) == (201, "95.50")
    assert (
        buy(client, event, seat_ids=event.seats[1:2], payment={"card_number": PAYS}).status_code
        == 201
    )


@pytest.mark.parametrize(
    "total", [80, 80.0, "", "x", "-1", "1e3", "NaN", "1,5", "9" * 11, [], "٨٠"]
)
def test_a_total_that_is_no_sum_is_refused(client: FlaskClient, total: Any) -> None:
    answer = buy(client, hall(), payment={"card_number": PAYS}, total=total)
    assert (answer.status_code, answer.get_json()["error"]) == (422, "invalid_total")
    assert rows("SELECT 1 FROM orders.purchases") == []


def test_what_became_of_a_purchase(client: FlaskClient) -> None:
    event, key = hall(), "a/key with 100%? of~oddities"
    bought = buy(client, event, key, payment={"card_number": PAYS}).get_json()
    answer = client.get(
        "/api/purchases/a%2Fkey%20with%20100%25%3F%20of~oddities", headers=bearer(ANA)
    )
    assert answer.get_json() == {"state": "bought", "order_uuid": bought["order_uuid"]}
    assert "no-store" in answer.headers["Cache-Control"]
    assert became(client, "never").get_json()["error"] == "not_found"
    assert became(client, key, BRUNO).status_code == 404
    for odd in ("x" * 101, "a%00b", "%C3%B1", "%0A"):
        assert became(client, odd).status_code == 404
    assert client.get("/api/purchases/k").status_code == 401


@pytest.mark.parametrize(
    ("card", "holder", "status", "error"),
    [(DECLINED, None, 402, "payment_declined"), (PAYS, "account:else", 409, "seat_unavailable")],
)
def test_a_refused_purchase_says_why(
    client: FlaskClient, card: str, holder: str | None, status: int, error: str
) -> None:
    event, key = hall(), str(uuid4())
    if holder:
        lock = f"/api/events/{event.id}/lock-seat"
        client.post(lock, json={"seat_ids": event.seats[:1]}, headers=bearer(BRUNO))
    refused = buy(client, event, key, payment={"card_number": card})
    assert (refused.status_code, refused.get_json()["error"]) == (status, error)
    said = became(client, key).get_json()
    assert said == {"state": "refused", "status": status, "problem": refused.get_json()}


def test_a_purchase_under_way_is_running(client: FlaskClient) -> None:
    event, key = hall(), str(uuid4())
    assert buy(client, event, key, payment={"card_number": LATE}).status_code == 409
    assert became(client, key).get_json() == {"state": "running"}


def test_orders_name_their_event_and_its_end(client: FlaskClient) -> None:
    event = hall(title="Noche de marinera")
    buy(client, event, payment={"card_number": PAYS})
    run_all()
    (order,) = client.get("/api/orders", headers=bearer(ANA)).get_json()["orders"]
    assert (order["status"], order["event_title"]) == ("COMPLETED", "Noche de marinera")
    ends = client.get(f"/api/events/{event.id}").get_json()["ends_at"]
    assert order["event_ends_at"] == ends
    assert order["tickets"][0]["code"]
