"""Take and give back seats. Only seatlock changes a seat; this asks it and says what came of it."""

import random
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from time import sleep
from typing import Any

from flask import Blueprint, Response, make_response, redirect, request, url_for

from pipeline.seatlock import client as seatlock
from pipeline.settings import settings
from web import patience
from web.accounts import holder_now, start_session
from web.best import Rows, best_together
from web.events import event_page
from web.fragments import see_other
from web.inputs import amount, form_seat_ids, whole_number
from web.notices import tell
from web.offers import equal_seats
from web.problems import RETRY_S, Problem, busy
from web.seats import (
    FREE_S,
    cart,
    facts_of,
    find_event,
    hall_of,
    named_seats,
    owned_seats,
    seats_of,
)

pages = Blueprint("holds", __name__)

BEST_CHOICES, BEST_TRIES, BEST_LOOKS = 40, 4, 5
NOTHING_FOUND = frozenset({"seat_unavailable", "none_together"})


@pages.post("/events/<int:event_id>/holds")
def take(event_id: int) -> Response:
    """Hold the chosen seats and go on to the checkout, or show which of them are gone."""
    facts_of(event_id)
    holder = holder_now()
    if holder is None:
        return _ask_for_cookie(event_id)
    try:
        wanted = form_seat_ids(request.form.getlist("seat"))
    except Problem as problem:
        return _refused(event_id, problem, [])
    answer = lock(event_id, wanted, holder)
    if isinstance(answer, Problem):
        return _refused(event_id, answer, wanted)
    return tell(see_other(url_for("orders.checkout", event_id=event_id)), "taken")


@pages.post("/events/<int:event_id>/holds/best")
def take_best(event_id: int) -> Response:
    """Hold the best so many seats together, and go on to the checkout."""
    facts_of(event_id)
    holder = holder_now()
    if holder is None:
        return _ask_for_cookie(event_id)
    count = whole_number(request.form.get("count", "")) or 0
    if not 1 <= count <= seatlock.SEATS_PER_HOLD_MAX:
        return _refused(event_id, Problem(422, "invalid_seats", "From 1 to 10 seats."), [])
    limit = request.form.get("price_max", "")
    price_max = amount(limit)
    if limit and price_max is None:
        raise Problem(422, "invalid_parameter", "price_max is a decimal number.")
    best = partial(
        best_together,
        count=count,
        price_max=price_max,
        accessible="accessible" in request.form,
        most=BEST_CHOICES,
    )
    answer = _lock_best(event_id, best, holder)
    if isinstance(answer, Problem) and answer.error == "seat_unavailable":
        answer = Problem(
            409, "others_quicker", "Others were quicker each time.", {"Retry-After": "1"}
        )
    if answer is None:
        answer = Problem(409, "none_together", "There are not so many together.", count=count)
    if isinstance(answer, Problem):
        return _refused(event_id, answer, [])
    return tell(see_other(url_for("orders.checkout", event_id=event_id)), "taken")


def _lock_best(
    event_id: int, best: Callable[[Rows], list[tuple[int, ...]]], holder: str
) -> list[seatlock.Hold] | Problem | None:
    """Hold the first of the best choices that nobody was quicker to take; None: there are none.

    Whoever comes second tries others at random, so that many who ask at once spread out.
    """
    answer: list[seatlock.Hold] | Problem | None = None
    for look in range(BEST_LOOKS):
        if look:
            sleep(FREE_S)
        first, *rest = best(hall_of(event_id)) or [()]
        if not first:
            return None
        for ids in [first, *random.sample(rest, min(len(rest), BEST_TRIES - 1))]:
            answer = lock(event_id, ids, holder)
            if isinstance(answer, list) or answer.error != "seat_unavailable":
                return answer
    return answer


@pages.get("/events/<int:event_id>/holds/best")
@pages.get("/events/<int:event_id>/holds")
def back(event_id: int) -> Response:
    """Somebody opens the address of a refusal again: the event is what they want."""
    return see_other(url_for("events.show", event_id=event_id))


@pages.post("/events/<int:event_id>/holds/release")
def release(event_id: int) -> Response:
    """Give back the named seats, or all that this holder has for the event."""
    facts_of(event_id)
    holder = holder_now()
    named = request.form.getlist("seat")
    freed = unlock(event_id, form_seat_ids(named) if named else None, holder)
    section = whole_number(request.form.get("section", ""))
    response = see_other(url_for("events.show", event_id=event_id, section=section))
    return tell(response, "released") if freed else response


@pages.post("/events/<int:event_id>/holds/extend")
def extend(event_id: int) -> Response:
    """Half as long again for what is held, once a seat; the checkout shows until when."""
    facts_of(event_id)
    holder = holder_now()
    lengthen([seat.id for seat in cart(event_id, holder)], holder)
    return see_other(url_for("orders.checkout", event_id=event_id))


def lengthen(seat_ids: Collection[int], holder: str | None) -> dict[int, datetime]:
    """Half of HOLD_SECONDS more, once a seat; the new ends of those held. Raises Problem 503."""
    if holder is None or not seat_ids:
        return {}
    try:
        return seatlock.extend(seat_ids, holder, settings().hold_seconds / 2)
    except seatlock.SeatlockUnreachableError as error:
        raise unchecked() from error


def lock(event_id: int, wanted: Sequence[int], holder: str) -> list[seatlock.Hold] | Problem:
    """Ask seatlock for all of the seats. A refusal is an answer, no error. Raises Problem 503."""
    refused = _above_the_organisers_limit(event_id, wanted, holder)
    if refused is not None:
        return refused
    try:
        answer = seatlock.lock(event_id, wanted, holder)
    except seatlock.SeatlockUnreachableError as error:
        raise unchecked() from error
    return problem_of(answer) if isinstance(answer, seatlock.Refusal) else answer


def _above_the_organisers_limit(
    event_id: int, wanted: Sequence[int], holder: str
) -> Problem | None:
    """More seats than one may own of this event; the purchase has the last word.

    A visitor's tickets are not known before sign-in.
    """
    limit = facts_of(event_id).seats_per_buyer
    if limit is None:
        return None
    held = {seat.id for seat in cart(event_id, holder)}
    kind, _, sub = holder.partition(":")
    owned = len(held) + (owned_seats(event_id, sub) if kind == "account" else 0)
    return too_many(owned, limit) if owned + len(set(wanted) - held) > limit else None


def too_many(held: int, limit: int) -> Problem:
    """So many are the most that somebody may have of an event at once."""
    detail = f"At most {limit} seats can be had for this event; {held} are."
    return Problem(409, "too_many_seats", detail, held=held, limit=limit)


def unlock(event_id: int, seat_ids: Collection[int] | None, holder: str | None) -> list[int]:
    """Give back those of the seats (None: all) that this holder has; answer the freed ids.

    Raises Problem 503.
    """
    holds = [
        (seat.id, seat.fence)
        for seat in cart(event_id, holder)
        if seat_ids is None or seat.id in seat_ids
    ]
    if holder is None or not holds:
        return []
    try:
        return seatlock.unlock(holds, holder)
    except seatlock.SeatlockUnreachableError as error:
        raise unchecked() from error


def unchecked() -> Problem:
    """Nobody could check the seats just now."""
    return busy(f"Nobody could check the seats just now. Try again in {RETRY_S} seconds.")


def problem_of(refusal: seatlock.Refusal) -> Problem:
    """What seatlock refused, as the contract names it."""
    ids = sorted(refusal.seat_ids)
    match refusal.code:
        case "event_not_found":
            return Problem(404, "event_not_found", "There is no such event.")
        case "invalid_seats":
            return Problem(422, "invalid_seats", "These are no seats of this event.", seats=ids)
        case "too_many_seats":
            return too_many(refusal.held, seatlock.SEATS_PER_HOLD_MAX)
        case "not_on_sale":
            return Problem(409, "not_on_sale", "This event is not on sale.")
        case _:
            detail = "Somebody else has some of these seats. Nothing was held."
            return Problem(409, "seat_unavailable", detail, unavailable=ids)


def told(event_id: int, problem: Problem, holder: str | None) -> Problem:
    """The same refusal, or that nothing at all is left: then nobody need look further."""
    if problem.error not in NOTHING_FOUND:
        return problem
    event = find_event(event_id)
    if event.available_seats or not event.on_sale or cart(event_id, holder):
        return problem
    detail = "No seat of this event is left. Nothing was held."
    return Problem(409, "sold_out", detail, problem.headers, **problem.members)


def _refused(event_id: int, refusal: Problem, wanted: Sequence[int]) -> Response:
    """The event's page again, with what was refused, why, and what could be taken instead."""
    if refusal.status == 404:
        raise refusal
    problem = told(event_id, refusal, holder_now())
    gone: Any = problem.members.get("unavailable", [])
    lost = named_seats(event_id, gone) if gone else []
    seats = named_seats(event_id, wanted) if problem.error == "seat_unavailable" else []
    sections = {seat.section_number for seat in seats} or {
        whole_number(request.form.get("section", ""))
    }
    shown = sections & {section.number for section in find_event(event_id).sections}
    return event_page(
        event_id,
        shown.pop() if len(shown) == 1 else None,
        problem.status,
        problem=problem,
        lost=lost,
        offer=_offer(event_id, seats, gone),
        wanted=set(wanted) - set(gone),
    )


def _offer(event_id: int, seats: Sequence[Any], gone: Collection[int]) -> list[Any]:
    """Equal seats for all that were wanted, by section; none unless each section has enough."""
    offered: list[Any] = []
    for section, of_section in groupby(seats, key=lambda seat: seat.section_number):
        wanted = {seat.id for seat in of_section}
        if wanted.isdisjoint(gone):
            offered += [seat for seat in seats if seat.id in wanted]
            continue
        equal = equal_seats(seats_of(event_id, section), wanted, gone)
        if not equal:
            return []
        offered += equal
    return offered


def _ask_for_cookie(event_id: int) -> Response:
    """Give the visitor a session and have the form sent again; once, then say what is missing."""
    if request.args.get("cookie") == "1":
        problem = Problem(422, "session_needed", "A hold needs a cookie. Nothing was held.")
        return _refused(event_id, problem, [])
    if patience.needed():
        return patience.ask()
    # What is not read here gunicorn would have to read within 50 ms, or hang up on the front.
    request.get_data()
    again = url_for(request.endpoint or "holds.take", event_id=event_id, cookie=1)
    response = make_response(redirect(again, 307))
    start_session(response)
    return response
