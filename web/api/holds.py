"""Hold, give back and extend, for machines."""

from flask import Response, jsonify

from web import patience
from web.accounts import holder_now, start_session
from web.api import api
from web.api.contract import HOLDER, contract
from web.api.schemas import HOLD_BODY, SEATS_BODY
from web.holds import lengthen, lock, told, unlock
from web.inputs import event_id as checked
from web.inputs import json_body, seat_ids
from web.problems import Problem, document
from web.seats import find_event, named_seats, seat_json
from web.words import rfc3339

EVENT_NOT_FOUND = {404: ("not_found", "event_not_found"), 422: ("invalid_seats",)}


@api.post("/events/<int:event_id>/lock-seat")
@contract(
    "Hold all of the seats, or none, for ten minutes.",
    {200: "Hold"},
    who=HOLDER,
    takes=HOLD_BODY,
    refuses={
        **EVENT_NOT_FOUND,
        401: ("session_needed",),
        409: ("seat_unavailable", "sold_out", "too_many_seats", "not_on_sale"),
    },
)
def lock_seat(event_id: int) -> Response:
    """Hold all of the seats or none."""
    wanted = seat_ids(json_body().get("seat_ids"))
    patience.carried()
    holder = holder_now()
    if holder is None:
        find_event(event_id)
        return _session_needed()
    checked(event_id)
    answer = lock(event_id, wanted, holder)
    if isinstance(answer, Problem):
        raise told(event_id, answer, holder)
    seats = sorted(answer, key=lambda hold: (hold.section_number, hold.position))
    ends = rfc3339(min(hold.held_until for hold in answer))
    return jsonify(seats=[seat_json(hold) for hold in seats], expires_at=ends)


@api.post("/events/<int:event_id>/unlock-seat")
@contract(
    "Give seats back; names those that were the caller's.",
    {200: "Released"},
    takes=SEATS_BODY,
    refuses=EVENT_NOT_FOUND,
)
def unlock_seat(event_id: int) -> Response:
    """Give seats back. Only the caller's own holds change; the answer names them."""
    named = seat_ids(json_body().get("seat_ids"))
    find_event(event_id)
    named_seats(event_id, named)
    return jsonify(seat_ids=unlock(event_id, named, holder_now()))


@api.post("/events/<int:event_id>/extend-hold")
@contract(
    "Half of the time more, once a seat.",
    {200: "Extended"},
    takes=SEATS_BODY,
    refuses={**EVENT_NOT_FOUND, 409: ("hold_expired",)},
)
def extend_hold(event_id: int) -> Response:
    """Half of HOLD_SECONDS more, once a seat and holder; asked again, the same answer."""
    named = seat_ids(json_body().get("seat_ids"))
    find_event(event_id)
    named_seats(event_id, named)
    ends = lengthen(named, holder_now())
    over = sorted(set(named) - set(ends))
    if over:
        raise Problem(409, "hold_expired", "These seats are not held by you any more.", seats=over)
    return jsonify(expires_at=rfc3339(min(ends.values())))


def _session_needed() -> Response:
    """No token and no cookie: here is a cookie, nothing is held, send it again.

    Raises Problem 429 while too many come at once.
    """
    if patience.needed():
        raise patience.refusal()
    refusal = document(
        Problem(
            401,
            "session_needed",
            "A hold needs a session: send the request again with this cookie.",
        )
    )
    start_session(refusal)
    return refusal
