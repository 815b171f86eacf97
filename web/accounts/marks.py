"""Whose page this is: a mark of the account that a page carries and a later request is held to.

What a browser keeps and sends later (service-worker/src) must never be shown to, or sent as,
another account of the same browser. The mark says which one it was, and nothing else about it.
"""

import hashlib
import hmac

from flask import Flask, Response, request

from pipeline.settings import settings
from web import accounts
from web.problems import Problem

LETTERS = 16
NOBODY = "-"
HEADER = "X-Account"
EXPECTED = "If-Account"
FORM = "orders.create"
"""The one form that carries the mark: others are not sent later than they are seen."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def mark(account: str) -> str:
    """Sixteen hexadecimal digits that stand for the account."""
    secret = settings().secret_key.encode()
    return hmac.new(secret, b"mark:" + account.encode(), hashlib.sha256).hexdigest()[:LETTERS]


def register(app: Flask) -> None:
    """Hold requests to the account they were made for, and say on each page whose it is."""
    app.before_request(_held_to)
    app.after_request(_said)
    app.context_processor(lambda: {"mark_of": mark})


def _held_to() -> None:
    """Raises Problem 412 for what was made as one account and arrives as another."""
    if request.method in SAFE:
        return
    expected = request.headers.get(EXPECTED)
    if expected is None and request.endpoint == FORM:
        expected = request.form.get("account") or None
    account = accounts.caller().account if expected is not None else None
    if account is not None and expected != mark(account):
        detail = "This was made as another account. Nothing was done."
        raise Problem(412, "other_account", detail)


def _said(response: Response) -> Response:
    who = accounts.asked()
    shared = response.cache_control.public
    if who and not shared and response.mimetype == "text/html":
        response.headers[HEADER] = mark(who.account) if who.account else NOBODY
    return response
