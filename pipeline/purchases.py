"""Drives a purchase step by step under a lease, forward to an order or back to a refusal.

Only its driver moves a purchase, and each step is an UPDATE guarded by step and driver. The buyer's
request, a repeat of it, and the sweeper all call the same `drive`. That the money is reserved is
the bank's row and that the seats are SOLD is seatlock's: neither is written here a second time,
since whoever takes over asks both again anyway.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from pipeline import payments
from pipeline.connections import pool
from pipeline.failpoint import fail_here
from pipeline.loop import is_away
from pipeline.payments import Payment
from pipeline.seatlock import client as seatlock
from sql import Row, read, write

log = logging.getLogger(__name__)

LEASE_S = 12.0
PAYMENT_WAIT_S = 60.0
"""So long a payment that the bank has not decided, or a seatlock that is away, is waited for."""
NOT_ASKED_S_MAX = 300.0
"""The same for one that is not even asked, because it is known to be away."""
PENDING_S_MAX = 2.0
PENDING_PAUSE_S = 0.5
AUTHORISE_TRIES = 2
KEPT_ERRORS = frozenset(
    {"payment_declined", "insufficient_funds", "seat_unavailable", "hold_expired"}
)
"""Refusals that answer a repeated key for good; after any other the key may be used again."""
DECLINES = {"declined": "payment_declined", "insufficient_funds": "insufficient_funds"}
ENDED = frozenset({"PLACED", "REFUSED"})

Refused = tuple[int, dict[str, Any]]
"""Status and body of a refusal."""
BUSY: Refused = 503, {"error": "busy"}
NOT_ON_SALE: Refused = 409, {"error": "not_on_sale"}
NO_PAYMENT: Refused = 422, {"error": "invalid_payment"}


@dataclass(frozen=True)
class Wish:
    """What a buyer asks for: seats of an event, paid in this way, at the total that a form showed.

    `held` says that the form showed these seats as held; then a lapsed hold is a refusal.
    """

    event_id: int
    seat_ids: Sequence[int]
    payment: Payment | None = field(default=None, repr=False)
    shown_total: Decimal | None = None
    held: bool = False


class NotDrivingError(Exception):
    """Somebody else drives this purchase now."""


class LaterError(Exception):
    """Nothing more can be found out just now; the sweeper goes on."""


def drive(purchase: Row, wish: Wish | None = None) -> Row:
    """Move a purchase that this driver holds the lease of to its end; gives the ended row.

    Without the buyer's wish (the sweeper) it is decided from the row alone, by asking bank and
    seatlock what is true. Raises LaterError when that cannot be known now.
    """
    while purchase.step not in ENDED:
        purchase = _STEPS[purchase.step](purchase, wish)
    return purchase


def drive_if_free(purchase: Row, wish: Wish | None = None) -> Row | None:
    """The same; None when it goes on elsewhere or later."""
    try:
        return drive(purchase, wish)
    except (NotDrivingError, LaterError):
        return None


def drive_lapsed(most: int) -> int:
    """Take over and drive what nobody drives; gives how many. One that fails stops no other.

    Raises what says that a server is away: the others would only find the same.
    """
    with pool("pipeline").connection() as connection:
        lapsed = write(
            connection, "purchases.take_over_lapsed", driver=uuid4(), lease=LEASE_S, most=most
        )
    for purchase in lapsed:
        try:
            drive_if_free(purchase)
        except seatlock.SeatlockUnreachableError:
            raise
        except Exception as error:
            if is_away(error):
                raise
            # Its lease goes on, so that it is not tried again at once.
            log.exception("purchase %s could not be driven on", purchase.order_uuid)
    return len(lapsed)


def _begun(purchase: Row, wish: Wish | None) -> Row:
    """Hold the seats that the buyer does not hold yet. Asked again, the same fences."""
    fail_here("begun")
    if not purchase.published:
        return _refuse(purchase, *NOT_ON_SALE)
    if wish is not None and wish.held:
        return _refuse(purchase, 409, {"error": "hold_expired", "seats": purchase.own_hold})
    try:
        held = seatlock.lock(purchase.event_id, purchase.seat_ids, _holder(purchase))
    except seatlock.SeatlockUnreachableError:
        return _refuse(purchase, *BUSY)
    if isinstance(held, seatlock.Refusal):
        return _refuse(purchase, *_seats_refused(held))
    fail_here("locked")
    fences = {hold.id: hold.fence for hold in held}
    return _write(
        "purchases.held",
        purchase,
        fences=[fences[seat_id] for seat_id in purchase.seat_ids],
        amount=sum(hold.price for hold in held),
    )


def _held(purchase: Row, wish: Wish | None) -> Row:
    """Pay, make the seats SOLD, place the order; or turn back, saying why."""
    refused = _authorise(purchase, wish) or _commit(purchase)
    if refused is not None:
        return _refuse(purchase, *refused)
    # Order, tickets and outbox row; from here it is an order's journey.
    placed = _write("purchases.place", purchase)
    fail_here("placed")
    return placed


def _authorise(purchase: Row, wish: Wish | None) -> Refused | None:
    """Reserve the money. Nobody but the buyer's own request knows the card."""
    refused = _above_the_organisers_limit(purchase)
    if refused is not None:
        return refused
    if wish is not None:
        fail_here("held")
        refused = _refused_before_payment(purchase, wish)
        if refused is not None:
            return refused
    try:
        state = _payment_state(purchase, wish) if purchase.amount else "authorised"
    except payments.BankUnreachableError:
        # Whoever looks up can do so again; whoever has the card has tried twice.
        state = "pending" if wish is None else "unknown"
    except payments.InvalidCardError:
        return NO_PAYMENT
    # Captured: it was placed once, and these rows are from before (a backup). Twice is once.
    if state in ("authorised", "captured"):
        fail_here("authorised")
        return None
    if state in DECLINES:
        return 402, {"error": DECLINES[state]}
    if state == "pending" and purchase.age < PAYMENT_WAIT_S:
        raise _later(purchase)
    return BUSY


def _above_the_organisers_limit(purchase: Row) -> Refused | None:
    """More seats of the event than an account may own. Events without a limit ask nothing.

    Of two purchases at once each is written down before it counts the other, so they cannot both
    pass; that both turn back is possible, and costs nothing.
    """
    if purchase.allowed is None:
        return None
    with pool("pipeline").connection() as connection:
        owned = read(
            connection,
            "purchases.owned",
            buyer=purchase.buyer,
            event_id=purchase.event_id,
            order_uuid=purchase.order_uuid,
        )[0].seats
    if owned + len(purchase.seat_ids) <= purchase.allowed:
        return None
    return 409, {"error": "too_many_seats", "held": int(owned), "limit": purchase.allowed}


def _refused_before_payment(purchase: Row, wish: Wish) -> Refused | None:
    """What stops a purchase whose seats are held before the bank is asked."""
    if not purchase.published:
        return NOT_ON_SALE
    if wish.shown_total is not None and wish.shown_total != purchase.amount:
        sums = {"shown": str(wish.shown_total), "now": str(purchase.amount)}
        return 409, {"error": "price_changed", **sums}
    if wish.payment is None and purchase.amount:
        return NO_PAYMENT
    return None


def _payment_state(purchase: Row, wish: Wish | None) -> str:
    """What the bank says: asked to reserve by the buyer's request, looked up by anybody else."""
    key = str(purchase.order_uuid)
    if wish is None or wish.payment is None:
        return payments.look_up(key)
    for tries_left in reversed(range(AUTHORISE_TRIES)):
        try:
            state = payments.authorise(key, purchase.amount, purchase.currency, wish.payment)
            break
        except payments.BankUnreachableError:
            # The answer may have been lost, not the deed: the same key gives the first outcome.
            if not tries_left:
                raise
    # Well inside the lease; a buyer who waits longer watches the purchase's own page.
    until = monotonic() + PENDING_S_MAX
    while state == "pending" and monotonic() < until:
        sleep(PENDING_PAUSE_S)
        state = payments.look_up(key)
    return state


def _commit(purchase: Row) -> Refused | None:
    """Make the seats SOLD for this order; whether it was done before makes no difference."""
    holds = list(zip(purchase.seat_ids, purchase.fences, strict=True))
    try:
        gone = seatlock.commit(holds, _holder(purchase), str(purchase.order_uuid))
    except seatlock.SeatlockUnreachableError as error:
        # What was not even asked decides nothing soon; its turn comes within half a minute.
        unasked = isinstance(error, seatlock.SeatlockNotAskedError)
        if purchase.age < (NOT_ASKED_S_MAX if unasked else PAYMENT_WAIT_S):
            raise _later(purchase) from None
        return BUSY
    if gone:
        return 409, {"error": "seat_unavailable", "unavailable": gone}
    fail_here("committed")
    return None


def _refusing(purchase: Row, _: Wish | None) -> Row:
    """Undo what may have been done: the money first, then the seats that this purchase took."""
    error = purchase.answer["error"]
    # After a decline nothing was taken and the hold stays, for another card. A purchase that was
    # refused before it was HELD has done nothing, unless seatlock's answer was lost ("busy").
    if error not in DECLINES.values() and (purchase.amount is not None or error == "busy"):
        try:
            _undo(purchase)
        except (payments.BankUnreachableError, seatlock.SeatlockUnreachableError):
            raise _later(purchase) from None
        fail_here("undone")
    return _write("purchases.refused", purchase)


def _undo(purchase: Row) -> None:
    """Void the payment, unlock what was SOLD for this order, give back what it held itself."""
    key, holder = str(purchase.order_uuid), _holder(purchase)
    fences = dict(zip(purchase.seat_ids, purchase.fences, strict=True))
    if purchase.amount is None:
        # Only a repeat of the lost call tells under which fences the seats are held, if they are.
        held = seatlock.lock(purchase.event_id, purchase.own_hold, holder)
        if isinstance(held, seatlock.Refusal):
            return
        fences = {hold.id: hold.fence for hold in held}
    elif purchase.amount and payments.void(key) == "captured":
        payments.refund(key)
    seatlock.unlock_order(purchase.seat_ids, key)
    if purchase.own_hold:
        seatlock.unlock([(seat_id, fences[seat_id]) for seat_id in purchase.own_hold], holder)


_STEPS: dict[str, Callable[[Row, Wish | None], Row]] = {
    "BEGUN": _begun,
    "HELD": _held,
    "REFUSING": _refusing,
}


def _refuse(purchase: Row, status: int, answer: dict[str, Any]) -> Row:
    return _write(
        "purchases.refuse",
        purchase,
        status=status,
        answer=json.dumps(answer),
        key_given_up=answer["error"] not in KEPT_ERRORS,
        fences=purchase.fences,
    )


def _seats_refused(refusal: seatlock.Refusal) -> Refused:
    match refusal.code:
        case "seat_unavailable":
            return 409, {"error": "seat_unavailable", "unavailable": list(refusal.seat_ids)}
        case "too_many_seats":
            limit = seatlock.SEATS_PER_HOLD_MAX
            return 409, {"error": "too_many_seats", "held": refusal.held, "limit": limit}
        case "invalid_seats":
            return 422, {"error": "invalid_seats", "seats": list(refusal.seat_ids)}
        case _:
            return NOT_ON_SALE


def _later(purchase: Row) -> LaterError:
    """Let go of the lease, so that the sweeper need not wait for its end."""
    with pool("pipeline").connection() as connection:
        write(
            connection,
            "purchases.let_go",
            order_uuid=purchase.order_uuid,
            driver=purchase.driven_by,
        )
    return LaterError(str(purchase.order_uuid))


def _write(name: str, purchase: Row, **parameters: object) -> Row:
    """One guarded step. No row: the lease went to somebody else."""
    with pool("pipeline").connection() as connection:
        rows = write(
            connection,
            name,
            order_uuid=purchase.order_uuid,
            driver=purchase.driven_by,
            lease=LEASE_S,
            **parameters,
        )
    if not rows:
        raise NotDrivingError(str(purchase.order_uuid))
    return rows[0]


def _holder(purchase: Row) -> str:
    return f"account:{purchase.buyer}"
