"""For a purchase that may be sent later: a payment method beforehand, what became of it after."""

from flask import Response, jsonify

from pipeline import orders, payments
from web.accounts import signed_in
from web.api import api
from web.api.contract import HOLDER, contract
from web.api.schemas import CARD_BODY
from web.fragments import asked_again
from web.inputs import json_body
from web.keys import is_key, refusal_of
from web.problems import Problem, members_of

RETRY_S = 2


@api.post("/payment-methods")
@contract(
    "Let the bank keep a card; gives a token that pays for one purchase within 24 hours.",
    {201: "Method"},
    who=HOLDER,
    takes=CARD_BODY,
    refuses={422: ("invalid_payment",)},
)
def keep_method() -> Response:
    """Hand the card on to the bank, which alone keeps it; gives its token."""
    signed_in()
    card = json_body().get("card_number")
    number = payments.valid_card(card) if isinstance(card, str) else None
    if number is None:
        raise _no_card()
    try:
        method = payments.keep_method(number)
    except payments.InvalidCardError:
        raise _no_card() from None
    except payments.BankUnreachableError:
        detail = f"The bank does not answer. Try again in {RETRY_S} seconds."
        raise Problem(503, "busy", detail, {"Retry-After": str(RETRY_S)}) from None
    response = jsonify(id=method)
    response.status_code = 201
    response.cache_control.no_store = True
    return response


@api.get("/purchases/<path:key>")
@contract(
    "What became of the caller's purchase under this Idempotency-Key.",
    {200: "Purchase"},
    who=HOLDER,
    refuses={404: ("not_found",)},
)
def show_purchase(key: str) -> Response:
    """Running, bought, or refused and why; somebody else's is as unknown as none."""
    buyer = str(signed_in().account)
    purchase = orders.find(buyer, key) if is_key(key) else None
    if purchase is None:
        raise Problem(404, "not_found", "There is no such purchase, or it is not yours.")
    answer = purchase.answer
    if answer is None:
        response = jsonify(state="running")
    elif answer.status == 201:
        response = jsonify(state="bought", order_uuid=answer.body["order_uuid"])
    else:
        problem = members_of(refusal_of(answer))
        response = jsonify(state="refused", status=answer.status, problem=problem)
    asked_again(response).cache_control.no_store = True
    return response


def _no_card() -> Problem:
    detail = "card_number has 12 to 19 digits with a right check digit."
    return Problem(422, "invalid_payment", detail)
