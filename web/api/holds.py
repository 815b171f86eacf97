"""Hold, give back and extend, for machines."""

from flask import Response, jsonify

from web.accounts import caller, start_session
from web.api import api
from web.holds import lengthen, lock, unlock
from web.inputs import event_id as checked
from web.inputs import json_body, seat_ids
from web.limits import under_pressure
from web.patience import WAIT_S
from web.problems import Problem, document
from web.seats import find_event, named_seats, seat_json
from web.words import rfc3339


@api.post("/events/<int:event_id>/lock-seat")
def lock_seat(event_id: int) -> Response:
    """Hold all of the seats or none."""
    wanted = seat_ids(json_body().get("seat_ids"))
    holder = caller().holder
    if holder is None:
        find_event(event_id)
        return _session_needed()
    checked(event_id)
    answer = lock(event_id, wanted, holder)
    if isinstance(answer, Problem):
        raise answer
    seats = sorted(answer, key=lambda hold: (hold.section_number, hold.position))
    ends = rfc3339(min(hold.held_until for hold in answer))
    return jsonify(seats=[seat_json(hold) for hold in seats], expires_at=ends)


@api.post("/events/<int:event_id>/unlock-seat")
def unlock_seat(event_id: int) -> Response:
    """Give seats back. Only the caller's own holds change; the answer names them."""
    named = seat_ids(json_body().get("seat_ids"))
    find_event(event_id)
    named_seats(event_id, named)
    return jsonify(seat_ids=unlock(event_id, named, caller().holder))


@api.post("/events/<int:event_id>/extend-hold")
def extend_hold(event_id: int) -> Response:
    """Half of HOLD_SECONDS more, once a seat and holder; asked again, the same answer."""
    named = seat_ids(json_body().get("seat_ids"))
    find_event(event_id)
    named_seats(event_id, named)
    ends = lengthen(named, caller().holder)
    over = sorted(set(named) - set(ends))
    if over:
        raise Problem(409, "hold_expired", "These seats are not held by you any more.", seats=over)
    return jsonify(expires_at=rfc3339(min(ends.values())))


def _session_needed() -> Response:
    """No token and no cookie: here is a cookie, nothing is held, send it again.

    Raises Problem 429 while too many come at once.
    """
    if under_pressure():
        raise Problem(
            429,
            "too_many_requests",
            "Too many new visitors come at once. Sign in, or try again in a moment.",
            {"Retry-After": str(WAIT_S)},
            retryAfter=WAIT_S,
            remaining=0,
            limit=0,
        )
    refusal = document(
        Problem(
            401,
            "session_needed",
            "A hold needs a session: send the request again with this cookie.",
        )
    )
    start_session(refusal)
    return refusal
