"""The Idempotency-Key of a purchase, and a purchase's refusal as a problem."""

from pipeline.orders import Answer
from web.problems import RETRY_S, Problem

KEY_LETTERS_MAX = 100
DETAILS = {
    "payment_declined": "The bank declined the card. The hold stays; another card needs a new key.",
    "insufficient_funds": "The bank says the funds are insufficient. The hold stays.",
    "seat_unavailable": "Somebody else has some of these seats. Nothing was charged.",
    "hold_expired": "The hold is over. Nothing was charged.",
    "price_changed": "The total that was shown is not the price any more. Nothing was charged.",
    "not_on_sale": "This event is not on sale.",
    "invalid_seats": "These are no seats of this event.",
    "invalid_payment": "Give payment.card_number or payment.method.",
    "too_many_seats": "Too many seats are held at once for this event.",
    "idempotency_key_reused": "This Idempotency-Key was used for another purchase.",
    "in_progress": "A purchase under this key is still being settled.",
    "busy": f"We cannot take the purchase just now. Try again in {RETRY_S} seconds.",
}


def is_key(text: str) -> bool:
    """Whether a purchase can have been begun under this key."""
    return 0 < len(text) <= KEY_LETTERS_MAX and text.isascii() and text.isprintable()


def checked_key(key: str | None) -> str:
    """The key. Raises Problem 400 when it is missing, empty, or longer than 100 characters."""
    if key is None or not is_key(key):
        raise Problem(
            400,
            "idempotency_key_needed",
            f"Send a header Idempotency-Key of 1 to {KEY_LETTERS_MAX} characters.",
        )
    return key


def refusal_of(answer: Answer) -> Problem:
    """Why a purchase was refused, as the contract names it."""
    members = {name: value for name, value in answer.body.items() if name != "error"}
    error = str(answer.body["error"])
    headers = {"Retry-After": str(RETRY_S)} if error in ("in_progress", "busy") else {}
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Problem(answer.status, error, DETAILS[error], headers, **members)
