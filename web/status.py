"""What operators see: the state of the system, and the audit log."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Blueprint, Response, make_response, render_template, request, url_for

from web import modes, trail
from web.accounts import needs_role
from web.accounts.audit import ACTIONS
from web.fragments import page_or_fragment, private
from web.problems import Problem
from web.words import ZONE_COOKIE

pages = Blueprint("status", __name__)

DEEDS_SHOWN = 50
UNKNOWN = 503
"""The status where it cannot be known who asks."""
KINDS = ("order", "event", "account")


@pages.get("/status")
def show() -> Response:
    """The mode that buyers are in, what answers, and which orders wait for help.

    While nobody can be recognised it says what `/ready` says to anybody: that is when it is needed.
    """
    try:
        needs_role("operator")
        now = modes.state(whole=True)
    except Problem as problem:
        if problem.status != UNKNOWN:
            raise
        now = modes.state(whole=False)
    return private(
        page_or_fragment("status/show.html", "status/_state.html", state=now, zone=_readers_zone())
    )


@pages.get("/status/audit")
def audit() -> Response:
    """Who did what, the newest first: all of it, or about one order, event or account."""
    needs_role("operator")
    wanted = _wanted()
    told, problem = trail.Page([], None), None
    try:
        told = trail.page(wanted, trail.parse_place(request.args.get("before", "")), DEEDS_SHOWN)
    except Problem as error:
        problem = error
    older = told.older and url_for(
        "status.audit", of=wanted.kind, id=wanted.id, action=wanted.action, before=told.older
    )
    page = render_template(
        "status/audit.html",
        told=told,
        older=older,
        wanted=wanted,
        wrong=problem is not None,
        actions=ACTIONS,
        zone=_readers_zone(),
    )
    return private(make_response(page, problem.status if problem else 200))


def _wanted() -> trail.Wanted:
    """What the address asks for; a filter without an id is none."""
    kind, one = request.args.get("of", ""), request.args.get("id", "").strip()
    action = request.args.get("action", "")
    known = action if action in ACTIONS else None
    return trail.Wanted(kind if kind in KINDS and one else "", one, known)


def _readers_zone() -> str:
    """The zone that the reader's script keeps in a cookie, else UTC."""
    reader = request.cookies.get(ZONE_COOKIE, "")
    try:
        ZoneInfo(reader)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return "UTC"
    return reader
