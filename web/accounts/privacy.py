"""A buyer's own data: what we know of them, to read, to take away, and to have erased."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, stream_with_context

from pipeline import privacy
from pipeline.connections import pool
from pipeline.seatlock.client import SeatlockUnreachableError
from pipeline.settings import settings
from sql import read, write
from web import trail
from web.accounts import Caller, audit, delete_cookie, issuer, signed_in
from web.bought import order_json, orders_of
from web.fragments import private, see_other
from web.holds import unchecked
from web.notices import tell
from web.problems import Problem
from web.words import rfc3339

pages = Blueprint("privacy", __name__)

SESSIONS_MAX = 1_000
HOLDS_MAX = 1_000
PURCHASES_MAX = 10_000
DEEDS_MAX = 10_000
ORDERS_MAX = 10_000
ORDERS_A_PAGE = 100
STANDING_SHOWN_MAX = 50


@pages.get("/account")
def show() -> Response:
    """What we know, in short, and what can be done with it."""
    who = signed_in()
    return private(make_response(render_template("privacy/show.html", sessions=_sessions(who))))


@pages.post("/account/sessions/end")
def end_sessions() -> Response:
    """Signed out everywhere, here too."""
    sub = str(signed_in().account)
    with pool("web").connection() as connection, connection.transaction():
        write(connection, "privacy.end_sessions", sub=sub)
        audit.note(connection, "signed_out_everywhere", sub)
    response = see_other("/")
    delete_cookie(response)
    return tell(response, "out_everywhere")


@pages.get("/account/data.json")
def download() -> Response:
    """Everything that we know of the account, as a file. Orders come a hundred at a time."""
    who = signed_in()
    audit.record("data_downloaded", who.account)
    response = Response(stream_with_context(_written(who)), mimetype="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="ticketbuster.json"'
    response.cache_control.private = True
    response.cache_control.no_store = True
    return response


@pages.route("/account/erase", methods=["GET", "POST"])
def erase() -> Response:
    """A clear question; then nothing of the account is left, and orders name nobody."""
    who = signed_in()
    if who.session is None:
        raise Problem(403, "forbidden", "Erasing an account needs a browser that is signed in.")
    standing = _standing(str(who.account))
    if request.method == "GET" or standing:
        return _asked(who, standing, 409 if request.method == "POST" else 200)
    if request.form.get("phrase", "").strip().casefold() != phrase_of(who).casefold():
        return _asked(who, [], 422, wrong=True)
    if not forget(str(who.account)):
        # Something was begun between the look and the deed.
        return _asked(who, _standing(str(who.account)), 409)
    response = see_other("/")
    delete_cookie(response)
    return tell(response, "erased")


def phrase_of(who: Caller) -> str:
    """What somebody types to show that they mean it."""
    return who.email or who.name or str(who.account)


def forget(sub: str) -> bool:
    """Erase the account; False, and nothing is changed, while something of it is under way.

    Each step may be repeated: cut off between any two, the next call finishes it. Raises Problem
    503 while seatlock does not answer.
    """
    with pool("web").connection() as connection:
        write(connection, "audit.know", sub=sub)
        stand_in = f"{trail.ERASED}{audit.actor_of(connection, sub)}"
    try:
        done = privacy.forget(sub, stand_in)
    except SeatlockUnreachableError as error:
        raise unchecked() from error
    if done:
        with pool("web").connection() as connection, connection.transaction():
            audit.note(connection, "account_erased", sub)
            # The log's name for the account goes with it, so its lines name nobody from here on.
            write(connection, "privacy.erase", sub=sub)
    return done


def _asked(who: Caller, standing: list[Any], status: int, *, wrong: bool = False) -> Response:
    page = render_template(
        "privacy/erase.html",
        standing=standing,
        phrase=phrase_of(who),
        wrong=wrong,
        issuer=settings().oidc_issuer,
    )
    return private(make_response(page, status))


def _standing(sub: str) -> list[Any]:
    with pool("web").connection() as connection:
        return read(connection, "privacy.standing", sub=sub, limit=STANDING_SHOWN_MAX)


def _sessions(who: Caller) -> list[Any]:
    with pool("web").connection() as connection:
        return read(
            connection,
            "privacy.sessions",
            sub=who.account,
            key=who.session,
            issuer=issuer.address(),
            limit=SESSIONS_MAX,
        )


def _written(who: Caller) -> Iterator[str]:
    """The file, piece by piece: no connection is held while a slow phone reads."""
    sub = str(who.account)
    known = {
        "account": {
            "sub": sub,
            "name": who.name,
            "email": who.email,
            "roles": sorted(who.roles),
        },
        "sessions": [_session_json(row) for row in _sessions(who)],
        **_shopping(sub),
        "deeds": _deeds(sub),
    }
    yield json.dumps(known, ensure_ascii=False, indent=1).removesuffix("\n}")
    yield ',\n "orders": ['
    for number, order in enumerate(islice(_orders(sub), ORDERS_MAX)):
        event = {"title": order.title, "venue": order.venue, "starts_at": rfc3339(order.starts_at)}
        text = json.dumps({**order_json(order), "event": event}, ensure_ascii=False)
        yield f"{',' if number else ''}\n  {text}"
    yield "\n ]\n}\n"


def _orders(sub: str) -> Iterator[Any]:
    after: tuple[str, str] | tuple[None, None] = (None, None)
    while page := orders_of(sub, ORDERS_A_PAGE, after):
        yield from page
        after = page[-1].created_at.isoformat(), str(page[-1].order_uuid)


def _session_json(row: Any) -> dict[str, Any]:
    return {
        "signed_in_at": rfc3339(row.signed_in_at or row.created_at),
        "expires_at": rfc3339(row.expires_at),
        "this_one": row.here,
    }


def _shopping(sub: str) -> dict[str, Any]:
    """What is held now, and every attempt to buy."""
    with pool("web").connection() as connection:
        holds = read(connection, "privacy.holds", sub=sub, limit=HOLDS_MAX)
        purchases = read(connection, "privacy.purchases", sub=sub, limit=PURCHASES_MAX)
    return {
        "holds": [
            {
                "event_id": row.event_id,
                "event": row.title,
                "seat_id": row.id,
                "section": row.section,
                "row": row.row_label,
                "number": row.number,
                "price": str(row.price),
                "currency": row.currency,
                "expires_at": rfc3339(row.held_until),
            }
            for row in holds
        ],
        "purchases": [
            {
                "order_uuid": str(row.order_uuid),
                "event_id": row.event_id,
                "idempotency_key": row.idempotency_key,
                "step": row.step,
                "seat_ids": row.seat_ids,
                "amount": None if row.amount is None else str(row.amount),
                "currency": row.currency,
                "answer_status": row.answer_status,
                "answer": row.answer,
                "created_at": rfc3339(row.created_at),
            }
            for row in purchases
        ],
    }


def _deeds(sub: str) -> list[dict[str, Any]]:
    """What the log says of the account; what its orders went through stands with the orders."""
    told = trail.page(trail.Wanted("account", sub), trail.Place(history=0), DEEDS_MAX)
    return [
        {
            "at": rfc3339(deed.at),
            "action": deed.action,
            "by_me": deed.who == sub,
            "order_uuid": deed.order_uuid and str(deed.order_uuid),
            "event_id": deed.event_id,
            "ticket_uuid": deed.ticket_uuid and str(deed.ticket_uuid),
            "detail": deed.detail,
        }
        for deed in told.deeds
    ]
