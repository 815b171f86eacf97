"""The bank's HTTP interface: JSON in, the payment's state out."""

import re
import socket
import sqlite3
from decimal import Decimal
from pathlib import Path
from time import sleep
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from pipeline.bank import cards
from pipeline.bank.ledger import InvalidCardError, Ledger, RefundFailedError

BODY_BYTES_MAX = 16 * 1024
AMOUNT = re.compile(r"\d{1,10}(\.\d{1,3})?")
CURRENCY = re.compile(r"[A-Z]{3}")
KEY_LETTERS_MAX = 100


class _BadRequestError(Exception):
    """The body makes no sense."""


class Bank:
    """The bank's addresses over one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def authorise(self) -> Response:
        """Reserve money; test cards have their bad days here."""
        body = _body()
        amount, currency = body.get("amount"), body.get("currency")
        method = str(body.get("method") or "")
        if not isinstance(amount, str) or not AMOUNT.fullmatch(amount) or not Decimal(amount):
            raise _BadRequestError("amount")
        if not isinstance(currency, str) or not CURRENCY.fullmatch(currency):
            raise _BadRequestError("currency")
        card = "" if method else _card(body.get("card_number"))
        state, card, made = self._ledger.authorise(
            _key(body), Decimal(amount), currency, card, method
        )
        if made and card == cards.SLOW:
            sleep(cards.SLOW_S)
        if made and card == cards.ANSWER_LOST:
            _lose_answer()
        return jsonify(state=state)

    def capture(self) -> Response:
        """Take what was reserved."""
        return jsonify(state=self._ledger.capture(_key(_body())))

    def void(self) -> Response:
        """Let go of it."""
        return jsonify(state=self._ledger.void(_key(_body())))

    def refund(self) -> Response:
        """Give back what was taken."""
        return jsonify(state=self._ledger.refund(_key(_body())))

    def look_up(self, key: str) -> Response:
        """What is known of a key."""
        return jsonify(state=self._ledger.look_up(key[:KEY_LETTERS_MAX]))

    def keep_method(self) -> tuple[Response, int]:
        """A token for a card."""
        return jsonify(id=self._ledger.keep_method(_card(_body().get("card_number")))), 201

    def payments(self) -> Response:
        """All payments, for proofs."""
        return jsonify(payments=self._ledger.payments())

    def health(self) -> Response:
        """This process runs."""
        return jsonify(status="alive")


def create_app(path: Path, late_s: float = cards.LATE_S) -> Flask:
    """The bank over the ledger at this path."""
    app = Flask("bank", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    bank = Bank(Ledger(path, late_s))
    for address, view in (
        ("/authorise", bank.authorise),
        ("/capture", bank.capture),
        ("/void", bank.void),
        ("/refund", bank.refund),
        ("/methods", bank.keep_method),
    ):
        app.add_url_rule(address, view_func=view, methods=["POST"])
    for address, shown in (("/ledger", bank.payments), ("/health", bank.health)):
        app.add_url_rule(address, view_func=shown)
    app.add_url_rule("/payments/<key>", view_func=bank.look_up)
    _register_errors(app)
    return app


def _register_errors(app: Flask) -> None:
    app.register_error_handler(InvalidCardError, lambda _: (jsonify(error="invalid_card"), 422))
    app.register_error_handler(
        _BadRequestError, lambda error: (jsonify(error="bad_request", field=str(error)), 400)
    )
    app.register_error_handler(RefundFailedError, lambda _: (jsonify(error="try_again"), 503))
    # A full disk or a ledger that cannot be opened: no answer is better than a wrong one.
    app.register_error_handler(sqlite3.Error, lambda _: (jsonify(error="try_again"), 503))
    app.register_error_handler(
        HTTPException, lambda error: (jsonify(error="bad_request"), error.code or 500)
    )


def _body() -> dict[str, Any]:
    body = request.get_json()
    if not isinstance(body, dict):
        raise _BadRequestError("body")
    return body


def _key(body: dict[str, Any]) -> str:
    key = body.get("key")
    if not isinstance(key, str) or not 1 <= len(key) <= KEY_LETTERS_MAX:
        raise _BadRequestError("key")
    return key


def _card(number: object) -> str:
    """Digits that pass Luhn's check. The bank trusts nobody's check but its own."""
    if not isinstance(number, str) or not re.fullmatch(r"[0-9]{12,19}", number):
        raise InvalidCardError
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    if sum(n // 10 + n % 10 for n in doubled) % 10:
        raise InvalidCardError
    return number


def _lose_answer() -> None:
    """End the connection, as a network does: what was asked for is done, and nobody hears of it."""
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_RDWR)
