"""What comes in from outside: bodies and ids, each checked once, refused with a stable code."""

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from flask import request
from werkzeug.exceptions import BadRequest

from pipeline.seatlock.client import SEATS_PER_HOLD_MAX
from web.problems import Problem

ID_MAX = 2**63 - 1
ADDRESS_LETTERS_MAX = 2_000
NAME_LETTERS_MAX = 100
AMOUNT = re.compile(r"\d{1,10}(\.\d{1,3})?", re.ASCII)
METHOD = re.compile(r"pm_[!-~]{0,97}", re.ASCII)
ID_DIGITS_MAX = len(str(ID_MAX))


def json_body() -> dict[str, Any]:
    """The request's JSON object. What cannot be read is refused with 400, another type with 415."""
    try:
        body = request.get_json()
    except RecursionError as error:
        raise BadRequest("The body is nested too deeply.") from error
    if not isinstance(body, dict):
        raise Problem(422, "invalid_body", "The body must be a JSON object.")
    return body


def event_id(number: object) -> int:
    """An event's id. Raises Problem 404 where no event can have it."""
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= ID_MAX:
        raise Problem(404, "event_not_found", "There is no such event.")
    return number


def seat_ids(value: object) -> list[int]:
    """One to ten ids of seats, each once. Raises Problem 422 that names the ids that are wrong."""
    if not isinstance(value, list):
        raise _invalid("seat_ids must be a list of seat ids.", [])
    if not value:
        raise _invalid("Name at least one seat.", [])
    if len(value) > SEATS_PER_HOLD_MAX:
        raise _invalid(
            f"At most {SEATS_PER_HOLD_MAX} seats can be taken at once.", value[SEATS_PER_HOLD_MAX:]
        )
    wrong = [
        one
        for one in value
        if isinstance(one, bool) or not isinstance(one, int) or not 1 <= one <= ID_MAX
    ]
    if wrong:
        raise _invalid("A seat id is a whole number from 1 on.", wrong)
    repeated = [one for one, times in Counter(value).items() if times > 1]
    if repeated:
        raise _invalid("Each seat can be named only once.", repeated)
    return value


def form_seat_ids(texts: Sequence[str]) -> list[int]:
    """The same for the field `seat` of a form, which carries text."""
    return seat_ids(
        [whole_number(text) if whole_number(text) is not None else text for text in texts]
    )


def whole_number(text: str) -> int | None:
    """The number that a text of plain digits says, else None."""
    if not (text.isascii() and text.isdigit()) or len(text) > ID_DIGITS_MAX:
        return None
    return int(text)


def payment_method(value: object) -> str:
    """A payment method's token. Raises Problem 422."""
    if isinstance(value, str) and METHOD.fullmatch(value):
        return value
    raise Problem(422, "invalid_payment", "A payment method is the id that a card was given.")


def _invalid(detail: str, seats: list[Any]) -> Problem:
    # Only numbers are sent back: anything else could be as long as the body itself.
    numbers = [one for one in seats if isinstance(one, int) and not isinstance(one, bool)]
    return Problem(422, "invalid_seats", detail, seats=numbers[:SEATS_PER_HOLD_MAX])


def amount(text: str) -> Decimal | None:
    """A sum of money as a form sends it; None where there is none that makes sense."""
    return Decimal(text) if AMOUNT.fullmatch(text) else None


def is_name(text: str) -> bool:
    """Whether somebody can be called so: something to read, and nothing that hides or turns it."""
    return 0 < len(text) <= NAME_LETTERS_MAX and text.isprintable()


def local_path(address: str) -> str:
    """The address if it is a page of ours, else the first page: nobody is led elsewhere."""
    fine = (
        address.startswith("/")
        and not address.startswith(("//", "/\\"))
        and len(address) <= ADDRESS_LETTERS_MAX
        and address.isprintable()
        and "\\" not in address
    )
    return address if fine else "/"
