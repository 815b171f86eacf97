"""How many seats of an event an account may own: the organiser's setting, unlimited unless they say so."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.halls import hall
from tests.people import ANA, BRUNO, bearer, sign_in
from tests.phones import states, take
from tests.stations import PAYS, one, run_all
from tests.test_checkout import CARD

pytestmark = pytest.mark.usefixtures("clean")

ROWS = (("Platea", 2, 10, "80.00"),)


def buy(client: FlaskClient, event: Any, seats: list[int], person: Any = ANA) -> Any:
    return client.post(
        "/api/orders",
        json={"event_id": event.id, "seat_ids": seats, "payment": {"card_number": PAYS}},
        headers={**bearer(person), "Idempotency-Key": str(uuid4())},
    )


def test_unless_the_organiser_says_so_there_is_no_limit(client: FlaskClient) -> None:
    event = hall(ROWS)
    for first in (0, 5, 10):
        assert buy(client, event, event.seats[first : first + 5]).status_code == 201


def test_tickets_of_all_orders_count_and_a_cancelled_one_does_not(client: FlaskClient) -> None:
    event = hall(ROWS, seats_per_buyer=3)
    first = buy(client, event, event.seats[:2])
    assert first.status_code == 201
    refused = buy(client, event, event.seats[2:4])
    assert (refused.status_code, refused.get_json()["error"]) == (409, "too_many_seats")
    assert (refused.get_json()["held"], refused.get_json()["limit"]) == (2, 3)
    assert states(event)[2:4] == ["A", "A"], "nothing is held or charged"
    assert buy(client, event, event.seats[2:4], BRUNO).status_code == 201
    assert buy(client, event, event.seats[4:5]).status_code == 201
    run_all()
    assert buy(client, event, event.seats[5:6]).status_code == 409
    order = first.get_json()["order_uuid"]
    assert client.post(f"/api/orders/{order}/cancel", headers=bearer(ANA)).status_code == 200
    run_all()
    assert buy(client, event, event.seats[5:7]).status_code == 201


def test_a_hold_above_it_is_refused_before_anything_is_held(client: FlaskClient) -> None:
    event = hall(ROWS, seats_per_buyer=2)
    lock = f"/api/events/{event.id}/lock-seat"
    over = client.post(lock, json={"seat_ids": event.seats[:3]}, headers=bearer(ANA))
    assert (over.status_code, over.get_json()["limit"]) == (409, 2)
    assert (
        client.post(lock, json={"seat_ids": event.seats[:2]}, headers=bearer(ANA)).status_code
        == 200
    )
    again = client.post(lock, json={"seat_ids": event.seats[:2]}, headers=bearer(ANA))
    assert again.status_code == 200, "what one holds already is no further seat"
    assert (
        client.post(lock, json={"seat_ids": event.seats[2:3]}, headers=bearer(ANA)).status_code
        == 409
    )
    page = take(client, event, event.seats[3:6])
    assert page.status_code == 409
    assert "hasta 2 asientos" in page.text


def test_a_visitors_tickets_count_once_they_say_who_they_are(client: FlaskClient) -> None:
    event = hall(ROWS, seats_per_buyer=2)
    assert buy(client, event, event.seats[:2]).status_code == 201
    assert take(client, event, event.seats[2:3]).status_code == 303
    sign_in(client, ANA)
    form = {
        "event_id": event.id,
        "seat": event.seats[2],
        "total": "80.00",
        "idempotency_key": "k",
        **CARD,
    }
    refused = client.post("/orders", data=form)
    assert refused.status_code == 409
    assert "pasarías del máximo" in refused.text
    assert "80.00" in refused.text, "the hold stays"


def test_two_purchases_at_once_cannot_both_pass(app: Flask) -> None:
    for _ in range(8):
        event = hall(ROWS, seats_per_buyer=2)

        def attempt(first: int, event: Any = event) -> int:
            return int(buy(app.test_client(), event, event.seats[first : first + 2]).status_code)

        with ThreadPoolExecutor(4) as tabs:
            statuses = list(tabs.map(attempt, (0, 2, 4, 6)))
        assert statuses.count(201) <= 1
        assert set(statuses) <= {201, 409}
        owned = one("SELECT count(*) FROM orders.tickets WHERE event_id = %s", event.id)
        assert owned == 2 * statuses.count(201)
        assert buy(app.test_client(), event, event.seats[8:10]).status_code == (
            409 if owned else 201
        )
