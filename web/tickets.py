"""A ticket, its QR picture, and the keys that verify every code."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify, make_response, render_template, request

from pipeline.connections import pool
from pipeline.signing import published
from sql import read
from web.accounts import signed_in
from web.calendars import calendar
from web.fragments import private
from web.problems import Problem

pages = Blueprint("tickets", __name__)

KEYS_S = 300


@pages.get("/tickets/<uuid:ticket_uuid>")
def show(ticket_uuid: UUID) -> Response:
    """The ticket as it is shown at the door."""
    page = render_template("tickets/show.html", ticket=_find(ticket_uuid))
    return private(make_response(page))


@pages.get("/tickets/<uuid:ticket_uuid>.png")
def picture(ticket_uuid: UUID) -> Response:
    """Its QR code, while the ticket lives."""
    ticket = _find(ticket_uuid)
    if ticket.status != "COMPLETED" or ticket.voided_at is not None:
        raise Problem(404, "not_found", "This ticket has no code, or none that is valid any more.")
    response = Response(bytes(ticket.picture), mimetype="image/png")
    response.headers["Content-Disposition"] = f'inline; filename="ticket-{ticket_uuid}.png"'
    private(response).add_etag()
    response.make_conditional(request)
    return response


@pages.get("/tickets/<uuid:ticket_uuid>.ics")
def agenda(ticket_uuid: UUID) -> Response:
    """The ticket for a calendar; of a void one, the cancellation."""
    response = Response(calendar(_find(ticket_uuid)), mimetype="text/calendar")
    response.headers["Content-Disposition"] = f'attachment; filename="ticket-{ticket_uuid}.ics"'
    return private(response)


@pages.get("/.well-known/ticket-keys.json")
def keys() -> Response:
    """The public keys, for scanners and for anybody who wants to check a ticket."""
    response = jsonify(keys=published())
    response.cache_control.public = True
    response.cache_control.max_age = KEYS_S
    return response


def _find(ticket_uuid: UUID) -> Any:
    """The ticket, if it is the caller's. Raises Problem 404."""
    with pool("web").connection() as connection:
        rows = read(
            connection, "orders.ticket", ticket_uuid=ticket_uuid, buyer=str(signed_in().account)
        )
    if not rows:
        raise Problem(404, "not_found", "There is no such ticket, or it is not yours.")
    return rows[0]
