"""A purchase, from the tap on Pay to an order or a refusal, driven step by step under a lease."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from time import monotonic, sleep
from typing import Any
from uuid import UUID, uuid4

from pipeline import payments
from pipeline.backlog import unfinished_orders
from pipeline.connections import pool
from pipeline.failpoint import fail_here
from pipeline.payments import Payment
from pipeline.seatlock import client as seatlock
from pipeline.settings import settings
from sql import Row, read, write

LEASE_S = 12.0
PAYMENT_WAIT_S = 60.0
"""So long a payment that the bank has not decided, or a seatlock that is away, is waited for."""
PENDING_S_MAX = 2.0
PENDING_PAUSE_S = 0.5
AUTHORISE_TRIES = 2
BACKLOG_MAX = 20_000
KEPT_ERRORS = frozenset(
    {"payment_declined", "insufficient_funds", "seat_unavailable", "hold_expired"}
)
"""Refusals that answer a repeated key for good; after any other the key may be used again."""
DECLINES = frozenset({"payment_declined", "insufficient_funds"})
ENDED = frozenset({"PLACED", "REFUSED"})


@dataclass(frozen=True)
class Answer:
    """What the buyer is told: 201 with the order, or a refusal with its code in `error`."""

    status: int
    body: dict[str, Any]
    replayed: bool = False


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


class _NotDrivingError(Exception):
    """Somebody else drives this purchase now."""


class _LaterError(Exception):
    """Nothing more can be found out just now; the sweeper goes on."""


IN_PROGRESS = Answer(409, {"error": "in_progress"})
BUSY = Answer(503, {"error": "busy"})


def buy(buyer: str, key: str, wish: Wish) -> Answer:
    """Buy the seats, or say why not; the same key gives the same answer, whatever happened to it.

    Every seat must be the event's. Raises nothing that is expected: 402, 409, 422 and 503 are answers.
    """
    known = _by_key(buyer, key)
    if known is None or (known.key_given_up and known.step == "REFUSED"):
        if unfinished_orders() >= BACKLOG_MAX:
            return BUSY
        driver = uuid4()
        purchase = begin(buyer, key, wish, driver)
        if purchase is not None:
            return _answer(_told(lambda: drive(purchase, wish)), purchase)
        known = _by_key(buyer, key)
        if known is None:
            return Answer(422, {"error": "invalid_seats"})
    if known.key_given_up:
        return IN_PROGRESS
    if not hmac.compare_digest(bytes(known.digest), digest(wish)):
        return Answer(422, {"error": "idempotency_key_reused"})
    if known.step in ENDED:
        return Answer(known.answer_status, known.answer, replayed=True)
    return _resume(known, wish)


def _resume(known: Row, wish: Wish) -> Answer:
    """The buyer sends a purchase again whose first driver may be gone."""
    with pool("pipeline").connection() as connection:
        taken = write(
            connection,
            "purchases.take_over",
            order_uuid=known.order_uuid,
            driver=uuid4(),
            lease=LEASE_S,
        )
    if not taken:
        return IN_PROGRESS
    return _answer(_told(lambda: drive(taken[0], wish)), taken[0])


def begin(buyer: str, key: str, wish: Wish, driver: UUID) -> Row | None:
    """Write the purchase down; None when the key is known already or still being undone."""
    with pool("pipeline").connection() as connection:
        begun = write(
            connection,
            "purchases.begin",
            order_uuid=uuid4(),
            buyer=buyer,
            key=key,
            digest=digest(wish),
            event_id=wish.event_id,
            seat_ids=sorted(wish.seat_ids),
            driver=driver,
            lease=LEASE_S,
        )
    return begun[0] if begun else None


def digest(wish: Wish) -> bytes:
    """What a key stands for: event, seats and payment, so that it cannot carry another purchase."""
    paid = wish.payment or Payment()
    said = json.dumps(
        [wish.event_id, sorted(wish.seat_ids), paid.card_number, paid.method], separators=(",", ":")
    )
    return hmac.digest(settings().secret_key.encode(), said.encode(), hashlib.sha256)


def drive(purchase: Row, wish: Wish | None = None) -> Row:
    """Move a purchase that this driver holds the lease of to its end; gives the ended row.

    Without the buyer's wish (the sweeper) it is decided from the row alone, by asking bank and
    seatlock what is true. Raises _LaterError when that cannot be known now.
    """
    while purchase.step not in ENDED:
        purchase = _STEPS[purchase.step](purchase, wish)
    return purchase


def drive_lapsed(most: int) -> int:
    """Take over and drive purchases that nobody drives; gives how many."""
    with pool("pipeline").connection() as connection:
        lapsed = write(
            connection, "purchases.take_over_lapsed", driver=uuid4(), lease=LEASE_S, most=most
        )
    for purchase in lapsed:
        _told(lambda purchase=purchase: drive(purchase))  # type: ignore[misc]
    return len(lapsed)


def _told(driving: Any) -> Row | None:
    """Run a drive; None when it goes on elsewhere."""
    try:
        return driving()
    except (_NotDrivingError, _LaterError):
        return None


def _answer(ended: Row | None, purchase: Row) -> Answer:
    if ended is not None:
        return Answer(ended.answer_status, ended.answer)
    with pool("pipeline").connection() as connection:
        now = read(
            connection, "purchases.by_key", buyer=purchase.buyer, key=purchase.idempotency_key
        )
    # Turned back already, only the undoing waits for a server that is away: the verdict stands.
    if now and now[0].order_uuid == purchase.order_uuid and now[0].answer is not None:
        return Answer(now[0].answer_status, now[0].answer)
    return IN_PROGRESS


def _begun(purchase: Row, wish: Wish | None) -> Row:
    """Hold the seats that the buyer does not hold yet. Again with the same holder: the same fences."""
    if not purchase.published:
        return _refuse(purchase, 409, {"error": "not_on_sale"})
    if wish is not None and wish.held:
        return _refuse(purchase, 409, {"error": "hold_expired", "seats": purchase.own_hold})
    try:
        held = seatlock.lock(purchase.event_id, purchase.seat_ids, _holder(purchase))
    except seatlock.SeatlockUnreachableError:
        return _refuse(purchase, 503, BUSY.body)
    if isinstance(held, seatlock.Refusal):
        return _refuse(purchase, *_seats_refused(held))
    fences = {hold.seat_id: hold.fence for hold in held}
    return _write(
        "purchases.held",
        purchase,
        fences=[fences[seat_id] for seat_id in purchase.seat_ids],
        amount=sum(hold.price for hold in held),
    )


def _held(purchase: Row, wish: Wish | None) -> Row:
    """Reserve the money. Nobody but the buyer's own request knows the card."""
    if wish is not None:
        fail_here("held")
        if not purchase.published:
            return _refuse(purchase, 409, {"error": "not_on_sale"})
        if wish.shown_total is not None and wish.shown_total != purchase.amount:
            sums = {"shown": str(wish.shown_total), "now": str(purchase.amount)}
            return _refuse(purchase, 409, {"error": "price_changed", **sums})
    if purchase.amount == 0:
        return _authorised_now(purchase)
    if wish is not None and wish.payment is None:
        return _refuse(purchase, 422, {"error": "invalid_payment"})
    try:
        state = _payment_state(purchase, wish)
    except payments.BankUnreachableError:
        if wish is None and purchase.age < PAYMENT_WAIT_S:
            raise _later(purchase) from None
        return _refuse(purchase, 503, BUSY.body)
    except payments.InvalidCardError:
        return _refuse(purchase, 422, {"error": "invalid_payment"})
    match state:
        case "authorised":
            return _authorised_now(purchase)
        case "declined":
            return _refuse(purchase, 402, {"error": "payment_declined"})
        case "insufficient_funds":
            return _refuse(purchase, 402, {"error": "insufficient_funds"})
        case "pending" if purchase.age < PAYMENT_WAIT_S:
            raise _later(purchase)
        case _:
            return _refuse(purchase, 503, BUSY.body)


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


def _authorised_now(purchase: Row) -> Row:
    purchase = _write("purchases.advance", purchase, before="HELD", after="AUTHORISED")
    fail_here("authorised")
    return purchase


def _authorised(purchase: Row, _: Wish | None) -> Row:
    """Make the seats SOLD for this order; whether it was done before makes no difference."""
    holds = list(zip(purchase.seat_ids, purchase.fences, strict=True))
    try:
        refused = seatlock.commit(holds, _holder(purchase), str(purchase.order_uuid))
    except seatlock.SeatlockUnreachableError:
        if purchase.age < PAYMENT_WAIT_S:
            raise _later(purchase) from None
        return _refuse(purchase, 503, BUSY.body)
    if refused:
        return _refuse(purchase, 409, {"error": "seat_unavailable", "unavailable": refused})
    purchase = _write("purchases.advance", purchase, before="AUTHORISED", after="COMMITTED")
    fail_here("committed")
    return purchase


def _committed(purchase: Row, _: Wish | None) -> Row:
    """Write order, tickets and outbox row; from here it is an order's journey."""
    return _write("purchases.place", purchase)


def _refusing(purchase: Row, _: Wish | None) -> Row:
    """Undo what may have been done: the money first, then the seats that this purchase took."""
    error = purchase.answer["error"]
    # After a decline nothing was taken and the hold stays, for another card. A purchase that was
    # refused before it was HELD has done nothing, unless seatlock's answer was lost ("busy").
    if error not in DECLINES and (purchase.amount is not None or error == "busy"):
        try:
            _undo(purchase)
        except (payments.BankUnreachableError, seatlock.SeatlockUnreachableError):
            raise _later(purchase) from None
    return _write("purchases.advance", purchase, before="REFUSING", after="REFUSED")


def _undo(purchase: Row) -> None:
    """Void the payment, unlock what was SOLD for this order, give back what it held itself."""
    key, holder = str(purchase.order_uuid), _holder(purchase)
    fences = dict(zip(purchase.seat_ids, purchase.fences, strict=True))
    if purchase.amount is None:
        # Only a repeat of the lost call tells under which fences the seats are held, if they are.
        held = seatlock.lock(purchase.event_id, purchase.own_hold, holder)
        if isinstance(held, seatlock.Refusal):
            return
        fences = {hold.seat_id: hold.fence for hold in held}
    elif purchase.amount:
        payments.void(key)
    seatlock.unlock_order(purchase.seat_ids, key)
    if purchase.own_hold:
        seatlock.unlock([(seat_id, fences[seat_id]) for seat_id in purchase.own_hold], holder)


_STEPS = {
    "BEGUN": _begun,
    "HELD": _held,
    "AUTHORISED": _authorised,
    "COMMITTED": _committed,
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


def _seats_refused(refusal: seatlock.Refusal) -> tuple[int, dict[str, Any]]:
    match refusal.code:
        case "seat_unavailable":
            return 409, {"error": "seat_unavailable", "unavailable": list(refusal.seat_ids)}
        case "too_many_seats":
            limit = seatlock.SEATS_PER_HOLD_MAX
            return 409, {"error": "too_many_seats", "held": refusal.held, "limit": limit}
        case "invalid_seats":
            return 422, {"error": "invalid_seats", "seats": list(refusal.seat_ids)}
        case _:
            return 409, {"error": "not_on_sale"}


def _later(purchase: Row) -> _LaterError:
    """Let go of the lease, so that the sweeper need not wait for its end."""
    with pool("pipeline").connection() as connection:
        write(
            connection,
            "purchases.let_go",
            order_uuid=purchase.order_uuid,
            driver=purchase.driven_by,
        )
    return _LaterError(str(purchase.order_uuid))


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
        raise _NotDrivingError(str(purchase.order_uuid))
    return rows[0]


def _by_key(buyer: str, key: str) -> Row | None:
    with pool("pipeline").connection() as connection:
        rows = read(connection, "purchases.by_key", buyer=buyer, key=key)
    return rows[0] if rows else None


def _holder(purchase: Row) -> str:
    return f"account:{purchase.buyer}"


def cancel(order_uuid: UUID, buyer: str) -> bool:
    """Call a finished order off; money and seats follow. False when it may not be (any more)."""
    with pool("pipeline").connection() as connection:
        return bool(write(connection, "orders.cancel", order_uuid=order_uuid, buyer=buyer))


@dataclass(frozen=True)
class Purchase:
    """A purchase as its buyer may read it; without an answer it is still running."""

    event_id: int
    answer: Answer | None


def find(buyer: str, key: str) -> Purchase | None:
    """What became of the buyer's purchase under this key."""
    row = _by_key(buyer, key)
    if row is None:
        return None
    done = row.answer is not None
    return Purchase(row.event_id, Answer(row.answer_status, row.answer) if done else None)


def bought_with(buyer: str, key: str) -> str | None:
    """The order that this key bought, if it did."""
    found = find(buyer, key)
    if found is None or found.answer is None or found.answer.status != HTTPStatus.CREATED:
        return None
    return str(found.answer.body["order_uuid"])
