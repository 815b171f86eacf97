"""The RQ job that undoes a cancelled or failed order: first the money, then the seats."""

import logging
from contextlib import suppress
from uuid import UUID

from redis import RedisError

from pipeline import payments
from pipeline.connections import pool
from pipeline.failpoint import fail_here
from pipeline.loop import persistent
from pipeline.messages import OrderChanged
from pipeline.seatlock import client as seatlock
from pipeline.updates import announce
from sql import Row, read, write

log = logging.getLogger(__name__)


class _NotRefundedError(Exception):
    """The bank says something that leaves money with us."""


def fail(order_uuid: UUID, reason: str, by: str) -> bool:
    """This process ends an unfinished order as FAILED; money and seats follow by `settle`.

    False where it was not unfinished any more.
    """
    with pool("pipeline").connection() as connection:
        failed = write(connection, "orders.fail", order_uuid=order_uuid, reason=reason, by=by)
    # It is done; that nobody could be told now is no reason to say that it is not.
    with suppress(RedisError):
        announce(OrderChanged(str(order.order_uuid), order.buyer, order.status) for order in failed)
    return bool(failed)


def put_off(order_uuids: list[UUID]) -> None:
    """Again in a few seconds, without using up a try: nobody was asked."""
    with pool("pipeline").connection() as connection:
        write(connection, "orders.put_off", order_uuids=order_uuids)


@persistent
def settle(order_uuids: list[str]) -> None:
    """Give money and seats back; a second run changes nothing, and one bad order stops no other."""
    with pool("pipeline").connection() as connection:
        orders = read(connection, "orders.to_settle", order_uuids=order_uuids)
    later, unasked = [], []
    for order in orders:
        try:
            _settle(order)
        except (payments.BankNotAskedError, seatlock.SeatlockNotAskedError):
            unasked.append(order.order_uuid)
        except (
            payments.BankUnreachableError,
            seatlock.SeatlockUnreachableError,
            _NotRefundedError,
        ) as error:
            log.warning("order %s is not settled yet: %s", order.order_uuid, error)
            later.append(order.order_uuid)
    if later:
        with pool("pipeline").connection() as connection:
            write(connection, "orders.try_later", order_uuids=later, reason="bank")
    if unasked:
        put_off(unasked)


def _settle(order: Row) -> None:
    key = str(order.order_uuid)
    if order.total_amount > 0:
        # A void takes back what was only reserved; what was captured is refunded.
        state = payments.void(key)
        if state in ("captured", "refunded"):
            state = payments.refund(key)
        if state not in ("voided", "refunded", "declined", "insufficient_funds"):
            raise _NotRefundedError(state)
    fail_here("returned")
    seatlock.unlock_order(order.seat_ids, key)
    fail_here("unlocked")
    with pool("pipeline").connection() as connection:
        settled = write(connection, "orders.settled", order_uuid=order.order_uuid)
    announce(OrderChanged(str(one.order_uuid), one.buyer, one.status) for one in settled)
