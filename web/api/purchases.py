"""A payment method made before a purchase, and what became of a purchase, for machines."""

from flask import Response, jsonify

from pipeline import orders
from pipeline.payments import BankUnreachableError, InvalidCardError, keep_method, valid_card
from web.accounts import signed_in
from web.api import api
from web.api.contract import HOLDER, contract
from web.api.schemas import CARD_BODY
from web.inputs import json_body
from web.keys import is_key, refusal_of
from web.problems import RETRY_S, Problem, busy, members_of


@api.post("/payment-methods")
@contract(
    "Give a card to the bank; the id pays for one purchase within a day.",
    {201: "PaymentMethod"},
    who=HOLDER,
    takes=CARD_BODY,
    refuses={422: ("invalid_payment",)},
)
def create_payment_method() -> Response:
    """Give a card to the bank; the id pays for one purchase within a day."""
    signed_in()
    card = json_body().get("card_number")
    number = valid_card(card) if isinstance(card, str) else None
    if number is None:
        raise Problem(422, "invalid_payment", "card_number is the number of a card.")
    try:
        kept = keep_method(number)
    except InvalidCardError:
        raise Problem(422, "invalid_payment", "The bank does not know this card.") from None
    except BankUnreachableError as error:
        raise busy(f"The bank does not answer. Try again in {RETRY_S} seconds.") from error
    response = jsonify(id=kept)
    response.status_code = 201
    response.cache_control.no_store = True
    return response


@api.get("/purchases/<path:key>")
@contract(
    "What became of the purchase under this key.",
    {200: "Purchase"},
    who=HOLDER,
    refuses={404: ("not_found",)},
)
def show_purchase(key: str) -> Response:
    """What became of the purchase under this key."""
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
    response.cache_control.no_store = True
    return response
