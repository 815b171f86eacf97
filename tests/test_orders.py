"""Buying by the API: what is bought, what is refused and how, and that a key is answered once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import urllib3
from flask.testing import FlaskClient

from tests.halls import Hall, change, hall
from tests.people import ANA, BRUNO, CARLA, Person, bearer, token_of
from tests.stations import DECLINED, PAYS, one, rows, run_all, status_of
from web.recent import forget

pytestmark = pytest.mark.usefixtures("clean")

INSUFFICIENT = "4000000000009995"
PAST = datetime.now(UTC) - timedelta(days=1)


def order(
    client: FlaskClient,
    event: Hall,
    seats: Any,
    person: Person = ANA,
    key: str | None = None,
    **body: Any,
) -> Any:
    """POST /api/orders; a key of its own unless one is given."""
    payment = {"payment": {"card_number": body.pop("card", PAYS)}}
    return client.post(
        "/api/orders",
        json={"event_id": event.id, "seat_ids": seats, **payment, **body},
        headers={**bearer(person), "Idempotency-Key": key or str(uuid4())},
    )


def charged(bank: str, order_uuid: str) -> dict[str, Any]:
    """What the bank's ledger says of an order."""
    ledger = urllib3.request("GET", f"{bank}/ledger").json()["payments"]
    by_key: dict[str, dict[str, Any]] = {payment["key"]: payment for payment in ledger}
    return by_key.get(order_uuid, {"state": "unknown"})


def test_two_seats_become_two_tickets(client: FlaskClient, bank: str) -> None:
    event = hall()
    answer = order(client, event, event.seats[:2])
    assert answer.status_code == 201
    body = answer.get_json()
    assert (body["status"], body["total_amount"], body["currency"]) == ("PENDING", "160.00", "PEN")
    assert [seat["id"] for seat in body["seats"]] == event.seats[:2]
    assert answer.headers["Location"] == f"/api/orders/{body['order_uuid']}"
    assert charged(bank, body["order_uuid"])["state"] == "authorised"

    run_all()
    done = client.get(answer.headers["Location"], headers=bearer(ANA)).get_json()
    assert done["status"] == "COMPLETED"
    assert [change["new_status"] for change in done["history"]] == [
        "PENDING",
        "PROCESSING",
        "COMPLETED",
    ]
    assert len({ticket["code"] for ticket in done["tickets"]}) == 2
    paid = charged(bank, body["order_uuid"])
    assert (paid["state"], paid["captured"], paid["refunded"]) == ("captured", "160.00", "0")
    picture = client.get(done["tickets"][0]["qr_url"], headers=bearer(ANA))
    assert picture.data.startswith(b"\x89PNG")


def test_no_code_is_shown_before_the_order_is_completed(client: FlaskClient) -> None:
    event = hall()
    address = order(client, event, event.seats[:1]).headers["Location"]
    pending = client.get(address, headers=bearer(ANA)).get_json()
    assert pending["tickets"][0]["code"] is None
    assert client.get(pending["tickets"][0]["qr_url"], headers=bearer(ANA)).status_code == 404


def test_seats_held_before_are_bought_and_keep_their_price(client: FlaskClient) -> None:
    event = hall()
    lock = f"/api/events/{event.id}/lock-seat"
    client.post(lock, json={"seat_ids": event.seats[:2]}, headers=bearer(ANA))
    assert order(client, event, event.seats[:2]).status_code == 201


def test_somebody_elses_hold_is_refused_with_the_seats_named(
    client: FlaskClient, bank: str
) -> None:
    event = hall()
    lock = f"/api/events/{event.id}/lock-seat"
    client.post(lock, json={"seat_ids": event.seats[1:2]}, headers=bearer(BRUNO))
    answer = order(client, event, event.seats[:2])
    assert (answer.status_code, answer.get_json()["error"]) == (409, "seat_unavailable")
    assert answer.get_json()["unavailable"] == event.seats[1:2]
    assert one("SELECT count(*) FROM catalog.seats WHERE holder = %s AND event_id = %s",
               f"account:{ANA.sub}", event.id) == 0  # fmt: skip
    assert rows("SELECT 1 FROM orders.orders") == []
    purchase = one("SELECT order_uuid FROM orders.purchases WHERE buyer = %s", ANA.sub)
    assert charged(bank, str(purchase))["state"] == "unknown"


def test_a_lapsed_hold_is_taken_anew_where_the_seat_is_free(client: FlaskClient) -> None:
    """H05, by the API: JSON showed no hold, so there is none that could be over."""
    event = hall()
    lock = f"/api/events/{event.id}/lock-seat"
    client.post(lock, json={"seat_ids": event.seats[:1]}, headers=bearer(ANA))
    change(event.seats[:1], held_until=PAST)
    assert order(client, event, event.seats[:1]).status_code == 201


@pytest.mark.parametrize(
    ("card", "error"), [(DECLINED, "payment_declined"), (INSUFFICIENT, "insufficient_funds")]
)
def test_a_refused_card_leaves_the_hold_and_no_order(
    client: FlaskClient, card: str, error: str
) -> None:
    event, key = hall(), str(uuid4())
    answer = order(client, event, event.seats[:1], key=key, card=card)
    assert (answer.status_code, answer.get_json()["error"]) == (402, error)
    assert rows("SELECT 1 FROM orders.orders") == []
    assert one("SELECT holder FROM catalog.seats WHERE id = %s", event.seats[0]) == (
        f"account:{ANA.sub}"
    )
    again = order(client, event, event.seats[:1], key=key, card=card)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (402, "true")
    other = order(client, event, event.seats[:1], key=key)
    assert (other.status_code, other.get_json()["error"]) == (422, "idempotency_key_reused")
    assert order(client, event, event.seats[:1]).status_code == 201


def test_the_same_key_gives_the_same_order_and_one_charge(client: FlaskClient, bank: str) -> None:
    """H11."""
    event, key = hall(), str(uuid4())
    first = order(client, event, event.seats[:1], key=key)
    again = order(client, event, event.seats[:1], key=key)
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    run_all()
    late = order(client, event, event.seats[:1], key=key)
    assert late.get_json() == first.get_json()
    assert rows("SELECT count(*) FROM orders.orders") == [(1,)]
    assert charged(bank, first.get_json()["order_uuid"])["captured"] == "80.00"


def test_a_key_belongs_to_its_buyer(client: FlaskClient) -> None:
    event, key = hall(), str(uuid4())
    mine = order(client, event, event.seats[:1], key=key).get_json()
    his = order(client, event, event.seats[1:2], BRUNO, key=key)
    assert his.status_code == 201
    assert his.get_json()["order_uuid"] != mine["order_uuid"]


@pytest.mark.parametrize("body", [{"seat_ids": "others"}, {"card": "4000000000000127"}])
def test_a_key_with_another_body_is_refused(client: FlaskClient, body: dict[str, Any]) -> None:
    event, key = hall(), str(uuid4())
    order(client, event, event.seats[:1], key=key)
    seats = event.seats[1:2] if body.pop("seat_ids", None) else event.seats[:1]
    answer = order(client, event, seats, key=key, **body)
    assert (answer.status_code, answer.get_json()["error"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", "x" * 101, "x" * 300, "a\tb"])
def test_a_key_that_makes_no_sense_is_refused(client: FlaskClient, key: str) -> None:
    event = hall()
    body = {"event_id": event.id, "seat_ids": event.seats[:1], "payment": {"card_number": PAYS}}
    headers = {**bearer(ANA), "Idempotency-Key": key}
    answer = client.post("/api/orders", json=body, headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "idempotency_key_needed")
    assert client.post("/api/orders", json=body, headers=bearer(ANA)).status_code == 400
    assert rows("SELECT 1 FROM orders.purchases") == []


def test_free_seats_need_no_card(client: FlaskClient, bank: str) -> None:
    event = hall([("Sala", 1, 4, "0.00")])
    answer = client.post(
        "/api/orders",
        json={"event_id": event.id, "seat_ids": event.seats[:2]},
        headers={**bearer(ANA), "Idempotency-Key": str(uuid4())},
    )
    assert (answer.status_code, answer.get_json()["total_amount"]) == (201, "0.00")
    run_all()
    assert status_of(answer.get_json()["order_uuid"]) == "COMPLETED"
    assert charged(bank, answer.get_json()["order_uuid"])["state"] == "unknown"


BAD_BODIES: list[tuple[dict[str, Any], int, str]] = [
    ({"event_id": 999_999_999}, 404, "event_not_found"),
    ({"event_id": -1}, 404, "event_not_found"),
    ({"event_id": "1"}, 404, "event_not_found"),
    ({"event_id": None}, 404, "event_not_found"),
    ({"event_id": 2**70}, 404, "event_not_found"),
    ({"seat_ids": []}, 422, "invalid_seats"),
    ({"seat_ids": [999_999_999]}, 422, "invalid_seats"),
    ({"seat_ids": [-1]}, 422, "invalid_seats"),
    ({"seat_ids": [0]}, 422, "invalid_seats"),
    ({"seat_ids": [2**63]}, 422, "invalid_seats"),
    ({"seat_ids": ["1"]}, 422, "invalid_seats"),
    ({"seat_ids": [True]}, 422, "invalid_seats"),
    ({"seat_ids": None}, 422, "invalid_seats"),
    ({"seat_ids": list(range(1, 12))}, 422, "invalid_seats"),
    ({"payment": None}, 422, "invalid_payment"),
    ({"payment": {}}, 422, "invalid_payment"),
    ({"payment": "4242424242424242"}, 422, "invalid_payment"),
    ({"payment": {"card_number": "4242424242424241"}}, 422, "invalid_payment"),
    ({"payment": {"card_number": 4242424242424242}}, 422, "invalid_payment"),
    ({"payment": {"card_number": ""}}, 422, "invalid_payment"),
    ({"payment": {"card_number": "4" * 5000}}, 422, "invalid_payment"),
    ({"payment": {"method": "pm_never-kept"}}, 422, "invalid_payment"),
    ({"payment": {"method": "x"}}, 422, "invalid_payment"),
    ({"payment": {"card_number": PAYS, "method": "pm_x"}}, 422, "invalid_payment"),
]


@pytest.mark.parametrize(("wrong", "status", "error"), BAD_BODIES)
def test_an_order_that_makes_no_sense_changes_nothing(
    client: FlaskClient, wrong: dict[str, Any], status: int, error: str
) -> None:
    event = hall()
    body = {"event_id": event.id, "seat_ids": event.seats[:1], "payment": {"card_number": PAYS}}
    answer = client.post(
        "/api/orders",
        json={**body, **wrong},
        headers={**bearer(ANA), "Idempotency-Key": str(uuid4())},
    )
    assert (answer.status_code, answer.get_json()["error"]) == (status, error)
    assert answer.mimetype == "application/problem+json"
    assert rows("SELECT 1 FROM orders.orders") == []
    assert rows(
        "SELECT 1 FROM catalog.seats WHERE event_id = %s AND status <> 'AVAILABLE'", event.id
    ) == []  # fmt: skip


def test_duplicates_and_foreign_seats_are_named(client: FlaskClient) -> None:
    event, other = hall(), hall()
    twice = order(client, event, [event.seats[0], event.seats[0]])
    assert (twice.status_code, twice.get_json()["seats"]) == (422, event.seats[:1])
    foreign = order(client, event, [event.seats[0], other.seats[0]])
    assert (foreign.status_code, foreign.get_json()["error"]) == (422, "invalid_seats")
    assert foreign.get_json()["seats"] == other.seats[:1]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"[1]", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b'{"x": "' + b"x" * 70_000 + b'"}', "application/json", 413),
    ],
)
def test_an_unreadable_body_is_a_problem_document(
    client: FlaskClient, body: bytes, content_type: str, status: int
) -> None:
    headers = {**bearer(ANA), "Idempotency-Key": "k"}
    answer = client.post("/api/orders", data=body, content_type=content_type, headers=headers)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


@pytest.mark.parametrize(
    "columns", [{"starts_at": PAST}, {"sales_end_at": PAST}, {"status": "CANCELLED"}]
)
def test_an_event_that_is_over_sells_nothing(client: FlaskClient, columns: dict[str, Any]) -> None:
    event = hall(**columns)
    answer = order(client, event, event.seats[:1])
    assert (answer.status_code, answer.get_json()["error"]) == (409, "not_on_sale")


def test_a_sold_out_event_names_the_seats(client: FlaskClient) -> None:
    event = hall([("Sala", 1, 1, "10.00")])
    order(client, event, event.seats)
    answer = order(client, event, event.seats, BRUNO)
    assert (answer.status_code, answer.get_json()["unavailable"]) == (409, event.seats)


@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer x.y.z", "Basic YTpi", "Bearer " + "x" * 9000]
)
def test_without_a_valid_token_nothing_is_bought(client: FlaskClient, header: str | None) -> None:
    event = hall()
    headers = {"Idempotency-Key": "k", **({"Authorization": header} if header else {})}
    body = {"event_id": event.id, "seat_ids": event.seats[:1], "payment": {"card_number": PAYS}}
    answer = client.post("/api/orders", json=body, headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_expired_token_is_refused(client: FlaskClient) -> None:
    headers = {"Authorization": f"Bearer {token_of(ANA, -10)}"}
    assert client.get("/api/orders", headers=headers).status_code == 401


def test_somebody_elses_order_is_as_unknown_as_none(client: FlaskClient) -> None:
    """Carla may see nothing: not the order, its ticket, its picture, nor cancel it."""
    event = hall()
    address = order(client, event, event.seats[:1]).headers["Location"]
    run_all()
    ticket = client.get(address, headers=bearer(ANA)).get_json()["tickets"][0]
    for path in (address, ticket["qr_url"], f"/tickets/{ticket['ticket_uuid']}"):
        assert client.get(path, headers=bearer(CARLA)).status_code == 404
    assert client.post(f"{address}/cancel", headers=bearer(CARLA)).status_code == 404
    assert client.get("/api/orders", headers=bearer(CARLA)).get_json()["orders"] == []
    assert client.get(f"/api/orders/{uuid4()}", headers=bearer(ANA)).status_code == 404
    assert client.get("/api/orders/1", headers=bearer(ANA)).status_code == 404


def test_orders_are_listed_page_by_page_the_newest_first(client: FlaskClient) -> None:
    event = hall()
    bought = [order(client, event, [seat]).get_json()["order_uuid"] for seat in event.seats[:5]]
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/api/orders?limit=2&cursor={cursor}", headers=bearer(ANA)).get_json()
        seen += [one["order_uuid"] for one in page["orders"]]
        cursor = page["next"]
    assert seen == bought[::-1]
    for wrong in ("limit=0", "limit=101", "limit=x", "cursor=x", "cursor=WzEsMl0="):
        assert client.get(f"/api/orders?{wrong}", headers=bearer(ANA)).status_code == 422


def test_an_unchanged_order_is_not_sent_again(client: FlaskClient) -> None:
    event = hall()
    address = order(client, event, event.seats[:1]).headers["Location"]
    etag = client.get(address, headers=bearer(ANA)).headers["ETag"]
    same = client.get(address, headers={**bearer(ANA), "If-None-Match": etag})
    assert same.status_code == 304
    run_all()
    new = client.get(address, headers={**bearer(ANA), "If-None-Match": etag})
    assert new.status_code == 200


@pytest.mark.usefixtures("nothing_on_sale")
def test_cancelling_refunds_voids_and_puts_the_seats_back_on_sale(
    client: FlaskClient, bank: str
) -> None:
    """H13: Ana cancels, Bruno buys the same seat, cancels, Carla buys it.

    H14: no new code is signed meanwhile, which offline nobody would know to be void.
    """
    event = hall()
    for person in (ANA, BRUNO, CARLA):
        bought = order(client, event, event.seats[:1], person)
        assert bought.status_code == 201
        run_all()
        address = bought.headers["Location"]
        ticket = client.get(address, headers=bearer(person)).get_json()["tickets"][0]
        if person is CARLA:
            break
        codes = rows("SELECT ticket_uuid, code FROM orders.tickets")
        cancelled = client.post(f"{address}/cancel", headers=bearer(person))
        assert (cancelled.status_code, cancelled.get_json()["status"]) == (200, "CANCELLED")
        assert client.get(ticket["qr_url"], headers=bearer(person)).status_code == 404
        again = client.post(f"{address}/cancel", headers=bearer(person))
        assert (again.status_code, again.get_json()["status"]) == (200, "CANCELLED")
        run_all()
        paid = charged(bank, bought.get_json()["order_uuid"])
        assert (paid["state"], paid["refunded"]) == ("refunded", "80.00")
        assert rows("SELECT ticket_uuid, code FROM orders.tickets") == codes
        forget()
        shown = client.get(f"/api/events/{event.id}/seats").get_json()["seats"]
        listed = client.get("/api/events?limit=100").get_json()["events"]
        assert [seat["status"] for seat in shown] == ["AVAILABLE"] * 10
        assert [one["available_seats"] for one in listed if one["id"] == event.id] == [10]
    assert rows("SELECT status, count(*) FROM orders.orders GROUP BY status ORDER BY status") == [
        ("CANCELLED", 2),
        ("COMPLETED", 1),
    ]
    assert one("SELECT count(*) FROM orders.tickets WHERE voided_at IS NULL") == 1


def test_only_a_completed_order_before_its_event_is_cancelled(client: FlaskClient) -> None:
    event = hall()
    address = order(client, event, event.seats[:1]).headers["Location"]
    pending = client.post(f"{address}/cancel", headers=bearer(ANA))
    assert (pending.status_code, pending.get_json()["error"]) == (409, "not_cancellable")
    run_all()
    with_event_begun = (
        "UPDATE catalog.events SET starts_at = now() - interval '1 hour' WHERE id = %s"
    )
    rows(with_event_begun + " RETURNING id", event.id)
    late = client.post(f"{address}/cancel", headers=bearer(ANA))
    assert (late.status_code, late.get_json()["error"]) == (409, "not_cancellable")
    assert client.get(address, headers=bearer(ANA)).get_json()["cancellable"] is False
