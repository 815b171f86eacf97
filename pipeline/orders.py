"""Orders from the buyer's side: buy under an Idempotency-Key, find what became of it, cancel."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

from pipeline import payments
from pipeline.backlog import unfinished_orders
from pipeline.connections import pool
from pipeline.payments import Payment
from pipeline.purchases import ENDED, LEASE_S, Wish, drive_if_free
from pipeline.seatlock import client as seatlock
from pipeline.settings import settings
from sql import Row, read, write

BACKLOG_MAX = 20_000
"""So many unfinished orders, and new purchases are refused before the payment."""
BEGIN_TRIES = 2


@dataclass(frozen=True)
class Answer:
    """What the buyer is told: 201 with the order, or a refusal with its code in `error`."""

    status: int
    body: dict[str, Any]
    replayed: bool = False


IN_PROGRESS = Answer(409, {"error": "in_progress"})
BUSY = Answer(503, {"error": "busy"})


def buy(buyer: str, key: str, wish: Wish) -> Answer:
    """Buy the seats, or say why not; the same key gives the same answer, whatever happened to it.

    Nothing that is expected is raised: 402, 409, 422 and 503 are answers.
    """
    full = unfinished_orders() >= BACKLOG_MAX or _hopeless(wish)
    for _ in range(1 if full else BEGIN_TRIES):
        purchase = None if full else begin(buyer, key, wish, uuid4())
        if purchase is not None:
            return _driven(purchase, wish)
        # The key is known already, the seats are not the event's, or nothing new is begun just now.
        known = _by_key(buyer, key)
        if known is None:
            break
        if not (known.key_given_up and known.step == "REFUSED"):
            return _again(known, wish)
        # What had the key a moment ago may have given it up in between: then it is begun now.
    return BUSY if full else Answer(422, {"error": "invalid_seats"})


def _hopeless(wish: Wish) -> bool:
    """Whether who must be asked is known to be away: then nothing is begun that could only wait."""
    return seatlock.breaker.away or (wish.payment is not None and payments.breaker.away)


def _again(known: Row, wish: Wish) -> Answer:
    """The answer to a key that is known already."""
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
    return _driven(taken[0], wish)


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


def _driven(purchase: Row, wish: Wish) -> Answer:
    """Drive the purchase and tell how it ended, or that it still runs."""
    ended = drive_if_free(purchase, wish)
    if ended is None:
        ended = _by_key(purchase.buyer, purchase.idempotency_key)
    # Where it has turned back and only the undoing waits for a server, the verdict stands.
    if ended is None or ended.order_uuid != purchase.order_uuid or ended.answer is None:
        return IN_PROGRESS
    return Answer(ended.answer_status, ended.answer)


def _by_key(buyer: str, key: str) -> Row | None:
    with pool("pipeline").connection() as connection:
        rows = read(connection, "purchases.by_key", buyer=buyer, key=key)
    return rows[0] if rows else None


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
