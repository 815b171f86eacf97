"""The RQ job that finishes orders: money captured, codes signed, QR codes drawn."""

import io
import logging
from dataclasses import dataclass
from time import monotonic, time
from typing import Literal
from uuid import UUID

import qrcode
import qrcode.constants
from PIL import Image

from pipeline import payments
from pipeline.connections import pool, redis_client
from pipeline.failpoint import fail_here
from pipeline.loop import persistent
from pipeline.messages import DEAD_LETTERS_LENGTH_MAX, DEAD_LETTERS_STREAM, OrderChanged
from pipeline.refunds import fail, put_off
from pipeline.signing import encode, signing_key
from pipeline.updates import announce
from sql import Row, read, write

log = logging.getLogger(__name__)

QR_VERSION = 6
ALPHANUMERIC: Literal[2] = 2
"""QR's own number for the mode that Base45 was made for."""
QR_MASK = 0
QR_LETTERS_MAX = 154
"""What version 6-M holds in alphanumeric mode; our codes have 141."""
QR_BORDER_MODULES = 4
MODULE_PIXELS = 8
INK = bytes.maketrans(b"\x00\x01", b"\xff\x00")
"""Modules are false and true; the picture's light and dark are bits that are set and not."""
PROGRESS_S = 0.5
"""A batch that takes longer than this says how far it is; a usual one is done before."""
COMPRESSION = 1
"""Level 6 takes half as long again for 350 bytes less."""


@dataclass(frozen=True)
class Drawn:
    """A ticket's code with its picture, a PNG."""

    ticket_uuid: UUID
    code: str
    picture: bytes


@persistent
def make_tickets(order_uuids: list[str]) -> None:
    """Finish the orders; a second run changes nothing, and one bad order stops no other."""
    with pool("pipeline").connection() as connection:
        orders = write(connection, "orders.start", order_uuids=order_uuids)
    paid, later, unasked = _capture(orders)
    fail_here("job")
    if paid:
        try:
            _finish(paid)
        except Exception:
            log.exception("a batch of %d failed; each order is tried alone", len(paid))
            try_later(_finish_alone(paid), "tickets")
    try_later(later, "bank")
    if unasked:
        put_off(unasked)


def _capture(orders: list[Row]) -> tuple[list[UUID], list[UUID], list[UUID]]:
    """Take the money of each order; gives those paid, those to try later, those not even tried."""
    paid: list[UUID] = []
    later: list[UUID] = []
    unasked: list[UUID] = []
    for order in orders:
        if order.total_amount == 0:
            paid.append(order.order_uuid)
            continue
        try:
            state = payments.capture(str(order.order_uuid))
        except payments.BankNotAskedError:
            unasked.append(order.order_uuid)
            continue
        except payments.BankUnreachableError:
            later.append(order.order_uuid)
            continue
        if state == "captured":
            paid.append(order.order_uuid)
        else:
            fail(order.order_uuid, "payment_declined", "worker")
    return paid, later, unasked


def _finish(order_uuids: list[UUID]) -> None:
    """Sign, draw and complete in one statement. A ticket gets the same code each time."""
    with pool("pipeline").connection() as connection:
        tickets = read(connection, "orders.to_draw", order_uuids=order_uuids)
    key = signing_key()
    drawn: list[Drawn] = []
    told = monotonic()
    for ticket in tickets:
        if drawn and monotonic() - told > PROGRESS_S:
            keep(drawn)
            drawn, told = [], monotonic()
        code = encode(key, ticket.ticket_uuid, ticket.event_id, ticket.issue)
        drawn.append(draw(ticket.ticket_uuid, code))
    fail_here("drawn")
    with pool("pipeline").connection() as connection:
        done = write(
            connection,
            "orders.finish",
            order_uuids=order_uuids,
            **_columns(drawn),
        )
    fail_here("finished")
    announce(OrderChanged(str(order.order_uuid), order.buyer, order.status) for order in done)


def _columns(drawn: list[Drawn]) -> dict[str, object]:
    return {
        "ticket_uuids": [one.ticket_uuid for one in drawn],
        "codes": [one.code for one in drawn],
        "pictures": [one.picture for one in drawn],
    }


def keep(drawn: list[Drawn]) -> None:
    """What a slow machine has drawn so far, so that its buyers see how far it is."""
    with pool("pipeline").connection() as connection:
        orders = write(
            connection,
            "orders.keep_drawn",
            **_columns(drawn),
        )
    announce(OrderChanged(str(order.order_uuid), order.buyer, order.status) for order in orders)


def _finish_alone(order_uuids: list[UUID]) -> list[UUID]:
    failed = []
    for order_uuid in order_uuids:
        try:
            _finish([order_uuid])
        except Exception:
            log.exception("order %s could not be finished", order_uuid)
            failed.append(order_uuid)
    return failed


def try_later(order_uuids: list[UUID], reason: Literal["bank", "tickets"]) -> None:
    """Again after 1, 2, 4 s; then the order is dead-lettered and operators are told, and why."""
    if not order_uuids:
        return
    with pool("pipeline").connection() as connection:
        rows = write(connection, "orders.try_later", order_uuids=order_uuids, reason=reason)
    for row in rows:
        if row.dead_at is not None:
            log.error("order %s is dead-lettered", row.order_uuid)
            fields = {
                "order": str(row.order_uuid),
                "reason": reason,
                "at": str(int(time())),
            }
            redis_client().xadd(
                DEAD_LETTERS_STREAM,
                fields,  # type: ignore[arg-type]
                maxlen=DEAD_LETTERS_LENGTH_MAX,
                approximate=True,
            )


def draw(ticket_uuid: UUID, code: str) -> Drawn:
    """The QR code as a small PNG; version and mask are fixed, which is many times cheaper."""
    if len(code) > QR_LETTERS_MAX:
        raise ValueError("the code does not fit the QR code")
    qr = qrcode.QRCode(
        version=QR_VERSION,
        error_correction=qrcode.constants.ERROR_CORRECT_M,
        mask_pattern=QR_MASK,
        border=QR_BORDER_MODULES,
    )
    qr.add_data(qrcode.util.QRData(code.encode(), mode=ALPHANUMERIC))
    qr.make(fit=False)
    # A module is eight pixels wide and a pixel is a bit: a row of modules is a row of bytes.
    rows = [bytes(row).translate(INK) for row in qr.get_matrix()]
    side = MODULE_PIXELS * len(rows)
    picture = Image.frombytes("1", (side, side), b"".join(MODULE_PIXELS * row for row in rows))
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=COMPRESSION)
    return Drawn(ticket_uuid, code, file.getvalue())
