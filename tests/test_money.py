"""Money: sums are exact everywhere, and of two attempts at the same seats only one is ever paid."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from pipeline import orders, sweeper
from pipeline.bank import cards
from pipeline.payments import Payment
from pipeline.purchases import Wish
from pipeline.settings import settings
from tests.halls import hall
from tests.people import ANA, bearer, sign_in
from tests.stations import PAYS, ledger, one, paid, purchase, rows, run_all
from tests.test_checkout import checkout, hold
from web.recent import forget

pytestmark = pytest.mark.usefixtures("clean")

LATE = "4000000000000259"


@pytest.mark.parametrize(
    ("price", "count", "total"),
    [("64.00", 5, "320.00"), ("25.00", 2, "50.00"), ("33.33", 3, "99.99"), ("0.10", 10, "1.00")],
)
def test_a_sum_is_the_same_on_page_in_order_and_at_the_bank(
    client: FlaskClient, price: str, count: int, total: str
) -> None:
    """H46."""
    forget()
    event = hall([("Sala", 1, 10, price)])
    sign_in(client, ANA)
    hold(client, event, event.seats[:count])
    assert f"Pagar S/\N{NO-BREAK SPACE}{total}" in client.get(f"/events/{event.id}/checkout").text
    answer = purchase(event, event.seats[:count])
    assert answer.body["total_amount"] == total
    run_all()
    assert paid(answer.body["order_uuid"])["captured"] == total
    shown = client.get(f"/api/orders/{answer.body['order_uuid']}", headers=bearer(ANA)).get_json()
    assert shown["total_amount"] == total


@pytest.mark.parametrize("language", ["es", "en"])
def test_a_price_goes_back_as_it_was_sent_whatever_the_language(
    client: FlaskClient, language: str
) -> None:
    """H47."""
    event = hall([("Sala", 1, 2, "8.50")])
    client.post("/language", data={"to": language, "back": "/"})
    sign_in(client, ANA)
    best = {"count": "2", "price_max": "8.50"}
    answer = client.post(f"/events/{event.id}/holds/best", data=best)
    assert answer.headers["Location"] == f"/events/{event.id}/checkout"
    form = checkout(client, event)
    assert form["total"] == "17.00"
    paid_with = client.post("/orders", data=form)
    assert paid_with.status_code == 303
    assert one("SELECT total_amount FROM orders.orders") == Decimal("17.00")


def confirm() -> None:
    """Thirty seconds pass at the bank."""
    with closing(sqlite3.connect(settings().data_dir / "bank.sqlite3", timeout=5)) as books, books:
        books.execute("UPDATE payments SET confirmed_at = 0 WHERE state = 'pending'")


def test_a_first_attempt_that_is_confirmed_late_does_not_undo_the_second() -> None:
    """H12: both attempts want the same seat; the one that was paid stays, the other is not charged."""
    event = hall()
    first = Wish(event.id, event.seats[:1], Payment(card_number=LATE))
    key = str(uuid4())
    assert orders.buy(ANA.sub, key, first).body["error"] == "in_progress"
    second = purchase(event, event.seats[:1], card=PAYS)
    assert second.status == 201
    confirm()
    sweeper.run_once()
    late = str(one("SELECT order_uuid FROM orders.purchases WHERE idempotency_key = %s", key))
    assert one("SELECT step FROM orders.purchases WHERE idempotency_key = %s", key) == "REFUSED"
    assert ledger()[late]["state"] == "voided"
    run_all()
    assert rows("SELECT order_uuid::text, status FROM orders.orders") == [
        (second.body["order_uuid"], "COMPLETED")
    ]
    assert one("SELECT status FROM catalog.seats WHERE id = %s", event.seats[0]) == "SOLD"
    assert sweeper.check() == []


def test_a_payment_confirmed_late_still_buys_the_seat_that_nobody_else_took() -> None:
    event, key = hall(), str(uuid4())
    wish = Wish(event.id, event.seats[:1], Payment(card_number=LATE))
    orders.buy(ANA.sub, key, wish)
    confirm()
    sweeper.run_once()
    assert orders.buy(ANA.sub, key, wish).status == 201


def test_after_a_refusal_and_a_lost_answer_it_can_be_tried_again(client: FlaskClient) -> None:
    """H08: the bank says no, then says nothing, then pays; nothing is guessed and nothing waits."""
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:2])
    refused = purchase(event, event.seats[:2], card=cards.DECLINED)
    assert (refused.status, refused.body["error"]) == (402, "payment_declined")
    held = "SELECT count(*) FROM catalog.seats WHERE event_id = %s AND status = 'LOCKED'"
    assert one(held, event.id) == 2, "the hold stays, for another card"
    unknown = purchase(event, event.seats[:1], card=cards.ANSWER_LOST)
    assert unknown.status == 201, "the bank was asked what became of it"
    assert purchase(event, event.seats[1:2], card=cards.PAYS).status == 201
    run_all()
    assert rows("SELECT DISTINCT status FROM orders.orders") == [("COMPLETED",)]
    assert rows("SELECT step, count(*) FROM orders.purchases GROUP BY step ORDER BY step") == [
        ("PLACED", 2),
        ("REFUSED", 1),
    ]
    purchases = rows("SELECT order_uuid::text FROM orders.purchases")
    states = sorted(ledger()[uuid]["state"] for (uuid,) in purchases)
    assert states == ["captured", "captured", "declined"]
    assert sweeper.check() == []
