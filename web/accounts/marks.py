"""Whose page this is: a mark of the account that a page carries and a later request is held to.

What a browser keeps and sends later (service-worker/src) must never be shown to, or sent as,
another account of the same browser. The mark says which one it was, and nothing else about it.
"""

import hashlib
import hmac

from flask import Flask, Response, g, request

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
SIGNING_IN = "/api/auth/"
"""What changes who it is asks for no account."""
TOLD = ("/api/auth/me", "/api/orders", "/api/purchases", "/api/payment-methods")
"""Addresses of the API whose every answer says whose it is, as pages do."""


def mark(account: str) -> str:
    """Sixteen hexadecimal digits that stand for the account."""
    secret = settings().secret_key.encode()
    return hmac.new(secret, b"mark:" + account.encode(), hashlib.sha256).hexdigest()[:LETTERS]


def register(app: Flask) -> None:
    """Hold requests to the account they were made for, and say on each page whose it is."""
    app.before_request(hold_to_account)
    app.after_request(_said)
    app.context_processor(lambda: {"mark_of": mark})


def guards(method: str, path: str) -> bool:
    """Whether a request of this kind is held to the account that it names."""
    return method not in SAFE and not path.startswith(SIGNING_IN)


def hold_to_account() -> None:
    """What was made as one account is not done as another. Raises Problem 412; 401 for nobody."""
    if request.endpoint is None or not guards(request.method, request.path):
        return
    expected = {request.headers.get(EXPECTED)}
    if request.endpoint == FORM:
        expected.add(request.form.get("account") or None)
    expected.discard(None)
    if expected and expected != {mark(str(accounts.signed_in().account))}:
        detail = "This was made as another account. Nothing was done."
        raise Problem(412, "other_account", detail)


def _said(response: Response) -> Response:
    # A redirect shows nothing, and may be the one that changes who it is; what everybody gets
    # from one cache is nobody's.
    # A page has asked already who it is drawn for; where nobody did, nobody is looked up for this.
    drawn = "caller" in g and "Location" not in response.headers
    page = drawn and response.mimetype == "text/html"
    told = (page and not response.cache_control.public) or request.path.startswith(TOLD)
    if not told:
        return response
    try:
        who = accounts.known()
    except accounts.AWAY:
        return response
    if not g.get("accounts_away"):
        # Unknown is not nobody: whoever kept something for an account must not think it left.
        response.headers[HEADER] = mark(who.account) if who.account is not None else NOBODY
    return response
