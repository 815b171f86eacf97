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


def create_app(path: Path, late_s: float = cards.LATE_S) -> Flask:
    """The bank over the ledger at this path."""
    app = Flask("bank", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    ledger = Ledger(path, late_s)

    @app.post("/authorise")
    def authorise() -> Response:
        body = _body()
        amount, currency = body.get("amount"), body.get("currency")
        card, method = body.get("card_number") or "", body.get("method") or ""
        if not isinstance(amount, str) or not AMOUNT.fullmatch(amount) or not Decimal(amount):
            raise _BadRequestError("amount")
        if not isinstance(currency, str) or not CURRENCY.fullmatch(currency):
            raise _BadRequestError("currency")
        if not method:
            card = _card(card)
        state, card, made = ledger.authorise(
            _key(body), Decimal(amount), currency, card, str(method)
        )
        if made and card == cards.SLOW:
            sleep(cards.SLOW_S)
        if made and card == cards.ANSWER_LOST:
            _lose_answer()
        return jsonify(state=state)

    @app.post("/capture")
    def capture() -> Response:
        return jsonify(state=ledger.capture(_key(_body())))

    @app.post("/void")
    def void() -> Response:
        return jsonify(state=ledger.void(_key(_body())))

    @app.post("/refund")
    def refund() -> Response:
        return jsonify(state=ledger.refund(_key(_body())))

    @app.get("/payments/<key>")
    def look_up(key: str) -> Response:
        return jsonify(state=ledger.look_up(key[:KEY_LETTERS_MAX]))

    @app.post("/methods")
    def keep_method() -> tuple[Response, int]:
        return jsonify(id=ledger.keep_method(_card(_body().get("card_number")))), 201

    @app.get("/ledger")
    def payments() -> Response:
        return jsonify(payments=ledger.payments())

    @app.get("/health")
    def health() -> Response:
        return jsonify(status="alive")

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
