"""The order: its summary and payment, the order itself, the list of a buyer's orders."""

import secrets
from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from flask import Blueprint, Response, make_response, render_template, request, url_for

from pipeline import orders
from pipeline.orders import Answer
from pipeline.payments import Payment, valid_method
from pipeline.purchases import Wish
from pipeline.settings import settings
from web.accounts import holder_now, signed_in
from web.bought import Order, find_order, orders_of
from web.cards import PAST, WRONG, read_card
from web.fragments import page_or_fragment, private, see_other
from web.inputs import amount, form_seat_ids, whole_number
from web.inputs import event_id as checked
from web.keys import checked_key, refusal_of
from web.modes import tickets_late
from web.problems import Problem
from web.seats import cart, find_event, named_seats

pages = Blueprint("orders", __name__)

ORDERS_SHOWN_MAX = 100


@pages.get("/events/<int:event_id>/checkout")
def checkout(event_id: int) -> Response:
    """What is about to be bought, until when it is held, and the form that pays for it."""
    return _checkout(event_id)


@pages.post("/orders")
def create() -> Response:
    """Buy what the form showed; on to the order, or the form again with what went wrong."""
    buyer = signed_in().account
    form = request.form
    event_id = checked(whole_number(form.get("event_id", "")))
    find_event(event_id)
    key = checked_key(request.headers.get("Idempotency-Key") or form.get("idempotency_key"))
    try:
        total = _total(form.get("total", ""))
        seats = form_seat_ids(form.getlist("seat"))
        wish = Wish(event_id, seats, _payment(form, total), total, held=True)
    except Problem as problem:
        return _checkout(event_id, problem)
    answer = orders.buy(str(buyer), key, wish)
    if wish.payment and wish.payment.method and answer.body.get("error") == "invalid_payment":
        return _checkout(event_id, _method_over())
    return _answered(event_id, str(buyer), key, answer)


def _answered(event_id: int, buyer: str, key: str, answer: Answer) -> Response:
    if answer.status == 201:
        return see_other(url_for("orders.show", order_uuid=answer.body["order_uuid"]))
    if answer.body["error"] == "in_progress":
        return see_other(url_for("purchases.show", key=key))
    if answer.body["error"] == "idempotency_key_reused":
        # Back, another card, Pay: what the first tap bought is what they need to see.
        bought = orders.bought_with(buyer, key)
        if bought is not None:
            return see_other(url_for("orders.show", order_uuid=bought))
    return _checkout(event_id, refusal_of(answer))


def _checkout(event_id: int, problem: Problem | None = None) -> Response:
    event = find_event(event_id)
    holds = cart(event_id, holder_now())
    gone = problem.members.get("unavailable") if problem else None
    response = page_or_fragment(
        "orders/checkout.html",
        "orders/_pays.html",
        problem.status if problem else 200,
        event=event,
        holds=holds,
        total=sum((seat.price for seat in holds), Decimal(0)),
        key=secrets.token_urlsafe(18),
        problem=problem,
        fields=problem.members.get("fields", {}) if problem else {},
        shapes=WRONG,
        past=PAST,
        late=tickets_late(),
        extension_minutes=round(settings().hold_seconds / 120) or 1,
        lost=named_seats(event_id, gone) if isinstance(gone, list) and gone else [],
    )
    # A kept page would carry a key that has been used, and seats that are no longer held.
    response.cache_control.no_store = True
    if not holds:
        # A swap of the bar alone has nothing to show: the page says what became of the seats.
        response.headers["HX-Refresh"] = "true"
    if problem:
        response.headers.update(problem.headers)
    return response


@pages.get("/orders")
def index() -> Response:
    """The buyer's orders, the newest first."""
    bought = orders_of(str(signed_in().account), ORDERS_SHOWN_MAX)
    return private(make_response(render_template("orders/index.html", orders=bought)))


@pages.get("/orders/<uuid:order_uuid>")
def show(order_uuid: UUID) -> Response:
    """The order as it is now; while something is to come, pushed, polled, or refreshed."""
    order = find_order(order_uuid, str(signed_in().account))
    return private(page_or_fragment("orders/show.html", "orders/_order.html", order=order))


@pages.get("/orders/<uuid:order_uuid>/cancel")
def ask(order_uuid: UUID) -> Response:
    """A clear question before the order is called off."""
    order = find_order(order_uuid, str(signed_in().account))
    return private(make_response(render_template("orders/cancel.html", order=order)))


@pages.post("/orders/<uuid:order_uuid>/cancel")
def cancel(order_uuid: UUID) -> Response:
    """Call the order off; asked twice, the same answer."""
    call_off(order_uuid, str(signed_in().account))
    return see_other(url_for("orders.show", order_uuid=order_uuid))


def call_off(order_uuid: UUID, buyer: str) -> Order:
    """Cancel the order if it may be; gives it as it then is. Raises Problem 404 and 409."""
    orders.cancel(order_uuid, buyer)
    order = find_order(order_uuid, buyer)
    if order.status != "CANCELLED":
        raise Problem(409, "not_cancellable", "Only a completed order, before its event starts.")
    return order


def _payment(form: Mapping[str, str], total: Decimal) -> Payment | None:
    """The form's payment method, else its card. Raises Problem 422 with what is wrong by field."""
    if form.get("payment_method"):
        method = valid_method(form["payment_method"])
        if method is None:
            raise _method_over()
        return Payment(method=method)
    if not total:
        return None
    number, wrong = read_card(form)
    if wrong:
        raise Problem(422, "invalid_payment", "Some fields of the card are wrong.", fields=wrong)
    return Payment(card_number=number)


def _method_over() -> Problem:
    """The bank takes a payment method once, within a day; the card itself is asked for again."""
    return Problem(422, "method_over", "This payment method is unknown, spent or too old.")


def _total(text: str) -> Decimal:
    """The sum that the form showed. Raises Problem 422."""
    total = amount(text)
    if total is None:
        raise Problem(422, "invalid_total", "total must be a decimal number.")
    return total
