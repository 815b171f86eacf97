"""Events and seats for machines."""

from flask import Response, jsonify, request

from web.api import api
from web.api.contract import contract
from web.api.schemas import CURSOR_ASKED
from web.inputs import event_id as checked
from web.listing import CATEGORIES, PAGE_EVENTS_MAX, Page, Search, read_page
from web.recent import Recent
from web.seats import (
    event_json,
    find_event,
    find_event_or_last_known,
    map_version,
    seat_json,
    seats_of,
)

LIST_S = 1.0
LISTS_KEPT_MAX = 256

_lists: Recent[Page] = Recent(LIST_S, LISTS_KEPT_MAX)


EVENT_NOT_FOUND = {404: ("not_found", "event_not_found")}


@api.get("/events")
@contract(
    "Events on sale or to come, a page at a time.",
    {200: "Events"},
    query={
        "category": {"type": "string", "enum": ["", *CATEGORIES]},
        "q": {"type": "string", "description": "words in title, venue and description"},
        "sort": {"type": "string", "enum": ["", "date", "price"]},
        "order": {"type": "string", "enum": ["", "asc", "desc"]},
        "limit": {"type": "integer", "minimum": 1, "maximum": PAGE_EVENTS_MAX},
        "cursor": CURSOR_ASKED,
    },
    refuses={422: ("invalid_parameter",)},
)
def list_events() -> Response:
    """The events on sale or to come, a page at a time."""
    search = Search.parse(request.args)
    page = _lists.get(search, lambda: read_page(search))
    following = page.value.following
    return _answer(
        {
            "events": [event_json(event) for event in page.value.events],
            "next": following and following.cursor,
        },
        stale=page.stale,
    )


@api.get("/events/<int:event_id>")
@contract("One event.", {200: "Event"}, refuses=EVENT_NOT_FOUND)
def show_event(event_id: int) -> Response:
    """One event."""
    event = find_event_or_last_known(event_id)
    return _answer(event_json(event.value), stale=event.stale)


@api.get("/events/<int:event_id>/seats")
@contract("All seats of an event.", {200: "Seats"}, refuses=EVENT_NOT_FOUND)
def list_seats(event_id: int) -> Response:
    """All seats of an event; they are at least as new as `version` of the live updates."""
    find_event(checked(event_id))
    version = map_version()
    seats = [seat_json(seat) for seat in seats_of(event_id)]
    return _answer({"event_id": event_id, "version": version, "seats": seats}, stale=False)


def _answer(body: dict[str, object], *, stale: bool) -> Response:
    response = jsonify(body)
    response.cache_control.no_cache = True
    if stale:
        response.headers["X-From-Cache"] = "true"
    response.add_etag()
    response.make_conditional(request)
    return response
