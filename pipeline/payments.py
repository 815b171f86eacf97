"""The bank behind one interface: authorise, capture, void, refund, look_up, keep_method.

The simulated bank and a real provider's adapter fill the same six. Every call is idempotent by its
key, the order_uuid, so an answer that was lost is asked for again.
"""

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import urllib3

from pipeline.breaker import Breaker, OpenError
from pipeline.settings import settings

State = Literal[
    "unknown",
    "authorised",
    "declined",
    "insufficient_funds",
    "pending",
    "captured",
    "voided",
    "refunded",
]
STATES = frozenset(get_args(State))

DEADLINE_S = 3.0
CONNECT_S = 1.0
CONNECTIONS_MAX = 32
CARD_DIGITS_MIN = 12
CARD_DIGITS_MAX = 19
REFUSED_CARD = 422
METHOD = re.compile(r"pm_[!-~]{1,97}")
JSON = {"Content-Type": "application/json"}


class BankUnreachableError(Exception):
    """No answer in time; whether the bank did what was asked is not known."""


class BankNotAskedError(BankUnreachableError):
    """It was not even asked, as it does not answer just now: no try is used up."""


class InvalidCardError(Exception):
    """The card number makes no sense, or the payment method is unknown or spent."""


@dataclass(frozen=True)
class Payment:
    """How a purchase is paid: a card number, or a payment method kept before. Never printed."""

    card_number: str = field(default="", repr=False)
    method: str = field(default="", repr=False)


def authorise(key: str, amount: Decimal, currency: str, payment: Payment) -> State:
    """Reserve the money. Raises BankUnreachableError and InvalidCardError."""
    return _state(
        "/authorise",
        {
            "key": key,
            "amount": str(amount),
            "currency": currency,
            "card_number": payment.card_number,
            "method": payment.method,
        },
    )


def capture(key: str) -> State:
    """Take what was reserved: `captured`, or why not (`declined`: the bank refuses; `voided`)."""
    return _state("/capture", {"key": key})


def void(key: str) -> State:
    """Let go of what was reserved, or refuse it beforehand: `voided`; `captured`: too late."""
    return _state("/void", {"key": key})


def refund(key: str) -> State:
    """Give back what was captured, once: `refunded`, or the state of what never was captured."""
    return _state("/refund", {"key": key})


def look_up(key: str) -> State:
    """What the bank knows of this key; `unknown` proves nothing about a call under way."""
    return _read_state(_ask("GET", f"/payments/{key}"))


def keep_method(card_number: str) -> str:
    """A token that pays for one purchase within a day. Raises as authorise does."""
    method = valid_method(_ask("POST", "/methods", {"card_number": card_number}).get("id"))
    if method is None:
        raise BankUnreachableError("the bank's answer makes no sense")
    return method


def valid_method(text: object) -> str | None:
    """A payment method's token, None where it cannot be one; whether it pays the bank knows."""
    return text if isinstance(text, str) and METHOD.fullmatch(text) else None


def valid_card(number: str) -> str | None:
    """The digits of a card number typed with spaces or dashes; None when they make no sense."""
    digits = number.replace(" ", "").replace("-", "").replace("\N{NO-BREAK SPACE}", "")
    plain = digits.isascii() and digits.isdigit()
    if not plain or not CARD_DIGITS_MIN <= len(digits) <= CARD_DIGITS_MAX:
        return None
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return digits if sum(n // 10 + n % 10 for n in doubled) % 10 == 0 else None


def _state(path: str, body: dict[str, str]) -> State:
    return _read_state(_ask("POST", path, body))


def _read_state(answer: dict[str, Any]) -> State:
    state: Any = answer.get("state")
    if state not in STATES:
        raise BankUnreachableError("the bank's answer makes no sense")
    known: State = state
    return known


breaker = Breaker("the bank", InvalidCardError)


def _ask(method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    try:
        return breaker.call(_exchange, method, path, body)
    except OpenError as error:
        raise BankNotAskedError("it is not asked just now") from error


def _exchange(method: str, path: str, body: dict[str, str] | None) -> dict[str, Any]:
    bank = urlsplit(settings().bank_url)
    try:
        answer = _connections(bank.geturl()).urlopen(
            method, bank.path + path, body=body and json.dumps(body).encode(), headers=JSON
        )
        said = json.loads(answer.data)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        # Only the kind: an error's text could carry what was sent.
        raise BankUnreachableError(type(error).__name__) from None
    if answer.status == REFUSED_CARD:
        raise InvalidCardError
    if answer.status not in (200, 201) or not isinstance(said, dict):
        raise BankUnreachableError(f"the bank answered {answer.status}")
    return said


@cache
def _connections(bank_url: str) -> urllib3.HTTPConnectionPool:
    """To this one server, so no manager that would look it up anew for every request."""
    return urllib3.connection_from_url(
        bank_url,
        maxsize=CONNECTIONS_MAX,
        timeout=urllib3.Timeout(connect=CONNECT_S, total=DEADLINE_S),
        retries=False,
    )
