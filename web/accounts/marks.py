"""Whose page this is: every page says it, and what says it may not be done as somebody else.

A page, or a purchase that a service worker kept, may be sent after another person signed in on the
same phone. It carries the mark of its account, and is refused where that is not the caller's.
"""

from flask import Flask, Response, g, request

from web import accounts
from web.problems import Problem

SAID = "X-Account"
ASKED = "If-Account"
FIELD = "account"
NOBODYS = "-"

GUARDED = frozenset({
    "holds.take", "holds.take_best", "holds.release", "holds.extend", "orders.create",
    "orders.cancel", "api.lock_seat", "api.unlock_seat", "api.extend_hold", "api.keep_method",
    "api.create_order", "api.cancel_order",
})  # fmt: skip
TOLD = ("/api/auth/me", "/api/orders", "/api/purchases", "/api/payment-methods")
"""Addresses of the API whose every answer says whose it is, as pages do."""


def register(app: Flask) -> None:
    """Refuse what was meant for another account, and say whose each page is."""
    app.before_request(refuse_other_accounts)
    app.after_request(_say_whose)


def refuse_other_accounts() -> None:
    """Nothing is done for an account but the caller's. Raises Problem 412; 401 for nobody."""
    if request.endpoint not in GUARDED or request.method != "POST":
        return
    meant = {request.headers.get(ASKED)}
    if not request.path.startswith("/api/"):
        meant.add(request.form.get(FIELD))
    meant.discard(None)
    if meant and meant != {accounts.signed_in().mark}:
        detail = "This was meant for another account than the one that is signed in."
        raise Problem(412, "other_account", f"{detail} Nothing was done.")


def _say_whose(response: Response) -> Response:
    # A redirect shows nothing to anybody, and may be the one that changes who it is.
    page = response.mimetype == "text/html" and "Location" not in response.headers
    if not page and not request.path.startswith(TOLD):
        return response
    try:
        mark = accounts.known().mark
    except accounts.AWAY:
        return response
    if not g.get("accounts_away"):
        # Unknown is not nobody: whoever kept something for an account must not think it left.
        response.headers[SAID] = mark or NOBODYS
    return response
