"""Orders for machines: buy, follow, list, cancel."""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Response, jsonify, request

from pipeline import orders
from pipeline.orders import Answer
from pipeline.payments import Payment, valid_card
from pipeline.purchases import Wish
from web.accounts import signed_in
from web.api import api
from web.api.contract import HOLDER, contract
from web.api.schemas import CURSOR_ASKED, KEY, ORDER_BODY
from web.bought import Order, find_order, order_json, orders_of
from web.fragments import asked_again
from web.inputs import amount, json_body, payment_method, seat_ids, whole_number
from web.inputs import event_id as checked
from web.keys import checked_key, refusal_of
from web.orders import call_off
from web.problems import Problem
from web.seats import find_event, named_seats

PAGE_ORDERS = 20
PAGE_ORDERS_MAX = 100
CURSOR_LETTERS_MAX = 200


@api.post("/orders")
@contract(
    "Buy seats, held already or free; the same key gives the same answer.",
    {201: "Placed"},
    who=HOLDER,
    takes=ORDER_BODY,
    headers={"Idempotency-Key": KEY},
    refuses={
        400: ("idempotency_key_needed",),
        402: ("payment_declined", "insufficient_funds"),
        404: ("event_not_found",),
        409: (
            "seat_unavailable",
            "too_many_seats",
            "hold_expired",
            "price_changed",
            "not_on_sale",
            "in_progress",
        ),
        412: ("other_account",),
        422: ("invalid_seats", "invalid_payment", "invalid_total", "idempotency_key_reused"),
    },
)
def create_order() -> Response:
    """Buy seats, held already or free; the same key gives the same answer."""
    buyer = str(signed_in().account)
    key = checked_key(request.headers.get("Idempotency-Key"))
    body = json_body()
    event_id, wanted = checked(body.get("event_id")), seat_ids(body.get("seat_ids"))
    answer = orders.buy(buyer, key, Wish(event_id, wanted, _payment(body), _total(body)))
    if answer.status != 201:
        raise _refusal(event_id, wanted, answer)
    response = jsonify(answer.body)
    response.status_code = 201
    response.headers["Location"] = f"/api/orders/{answer.body['order_uuid']}"
    if answer.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _refusal(event_id: int, wanted: list[int], answer: Answer) -> Problem:
    if answer.body["error"] == "invalid_seats" and "seats" not in answer.body:
        find_event(event_id)
        named_seats(event_id, wanted)
    return refusal_of(answer)


def _total(body: dict[str, Any]) -> Decimal | None:
    """The sum that the buyer was shown, if it is said. Raises Problem 422."""
    said = body.get("total")
    if said is None:
        return None
    total = amount(said) if isinstance(said, str) else None
    if total is None:
        raise Problem(422, "invalid_total", "total is a decimal string, as in the event's prices.")
    return total


def _payment(body: dict[str, Any]) -> Payment | None:
    """The payment; none at all is right for seats that cost nothing. Raises Problem 422."""
    payment = body.get("payment")
    if payment is None:
        return None
    if isinstance(payment, dict) and len(payment) == 1:
        card, method = payment.get("card_number"), payment.get("method")
        number = valid_card(card) if isinstance(card, str) else None
        if number is not None:
            return Payment(card_number=number)
        if isinstance(method, str):
            return Payment(method=payment_method(method))
    detail = "payment is an object with card_number or method, and nothing else."
    raise Problem(422, "invalid_payment", detail)


@api.get("/orders")
@contract(
    "The caller's orders, the newest first, a page at a time.",
    {200: "Orders"},
    who=HOLDER,
    query={
        "limit": {"type": "integer", "minimum": 1, "maximum": PAGE_ORDERS_MAX},
        "cursor": CURSOR_ASKED,
    },
    refuses={422: ("invalid_parameter",)},
)
def list_orders() -> Response:
    """The caller's orders, the newest first, a page at a time."""
    buyer = str(signed_in().account)
    limit = whole_number(request.args.get("limit", str(PAGE_ORDERS))) or 0
    if not 1 <= limit <= PAGE_ORDERS_MAX:
        raise Problem(
            422, "invalid_parameter", f"limit is a whole number from 1 to {PAGE_ORDERS_MAX}."
        )
    page = orders_of(buyer, limit + 1, _after(request.args.get("cursor") or ""))
    following = _cursor(page[limit - 1]) if len(page) > limit else None
    return asked_again(jsonify(orders=[order_json(one) for one in page[:limit]], next=following))


@api.get("/orders/<uuid:order_uuid>")
@contract("One order of the caller's.", {200: "Order"}, who=HOLDER, refuses={404: ("not_found",)})
def show_order(order_uuid: UUID) -> Response:
    """One order; ask again with its ETag until it is final."""
    return asked_again(jsonify(order_json(find_order(order_uuid, str(signed_in().account)))))


@api.post("/orders/<uuid:order_uuid>/cancel")
@contract(
    "Call a completed order off before its event; asked twice, the same answer.",
    {200: "Order"},
    who=HOLDER,
    refuses={404: ("not_found",), 409: ("not_cancellable",)},
)
def cancel_order(order_uuid: UUID) -> Response:
    """Call a completed order off before its event; asked twice, the same answer."""
    return jsonify(order_json(call_off(order_uuid, str(signed_in().account))))


def _cursor(last: Order) -> str:
    place = json.dumps([last.created_at.isoformat(), str(last.order_uuid)])
    return urlsafe_b64encode(place.encode()).decode()


def _after(cursor: str) -> tuple[str, str] | tuple[None, None]:
    """Where the list goes on. Raises Problem 422 for a cursor that is not one of ours."""
    if not cursor:
        return None, None
    try:
        moment, order_uuid = json.loads(urlsafe_b64decode(cursor[:CURSOR_LETTERS_MAX]))
        return datetime.fromisoformat(moment).isoformat(), str(UUID(order_uuid))
    except (binascii.Error, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Problem(422, "invalid_parameter", "This is not a cursor of ours.") from error
