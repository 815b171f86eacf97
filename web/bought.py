"""Orders as their buyer may read them, for pages, API and push alike."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from pipeline.connections import pool
from sql import read
from web.problems import Problem
from web.words import rfc3339

UNFINISHED = frozenset({"PENDING", "PROCESSING"})


@dataclass(frozen=True)
class Order:
    """An order's facts and its event's, its tickets in hall order, every state it had."""

    facts: Any
    tickets: list[Any]
    history: list[Any]

    @property
    def unfinished(self) -> bool:
        """Tickets are still to come."""
        return self.facts.status in UNFINISHED

    @property
    def live(self) -> bool:
        """Something about it will still change by itself: tickets, or money on its way back."""
        return self.unfinished or (
            self.facts.status in ("FAILED", "CANCELLED") and self.facts.settled_at is None
        )

    @property
    def drawn(self) -> int:
        """How many of its tickets have their code."""
        return sum(ticket.code is not None for ticket in self.tickets)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.facts, name)


def find_order(order_uuid: UUID, buyer: str) -> Order:
    """The buyer's order. Raises Problem 404: somebody else's is as unknown as none."""
    found = find_orders([order_uuid], buyer)
    if not found:
        raise Problem(404, "not_found", "There is no such order, or it is not yours.")
    return found[0]


def find_orders(order_uuids: list[UUID], buyer: str | None = None) -> list[Order]:
    """Those of the orders that are this buyer's; without a buyer (the push) all of them."""
    with pool("web").connection() as connection:
        rows = read(connection, "orders.some", order_uuids=order_uuids, buyer=buyer)
        return _whole(connection, rows)


def orders_of(
    buyer: str, limit: int, after: tuple[str, str] | tuple[None, None] = (None, None)
) -> list[Order]:
    """A page of the buyer's orders, the newest first, behind the place `after`."""
    with pool("web").connection() as connection:
        rows = read(
            connection,
            "orders.page",
            buyer=buyer,
            limit=limit,
            after_at=after[0],
            after_uuid=after[1],
        )
        return _whole(connection, rows)


def _whole(connection: Connection[Any], rows: Sequence[Any]) -> list[Order]:
    """Orders with their tickets and history: two queries, however many orders."""
    uuids = [row.order_uuid for row in rows]
    if not uuids:
        return []
    tickets: dict[UUID, list[Any]] = defaultdict(list)
    history: dict[UUID, list[Any]] = defaultdict(list)
    for ticket in read(connection, "orders.tickets", order_uuids=uuids):
        tickets[ticket.order_uuid].append(ticket)
    for change in read(connection, "orders.history", order_uuids=uuids):
        history[change.order_uuid].append(change)
    return [Order(row, tickets[row.order_uuid], history[row.order_uuid]) for row in rows]


def order_json(order: Order) -> dict[str, Any]:
    """An order for machines; a ticket's code is null until the order is COMPLETED."""
    return {
        "order_uuid": str(order.order_uuid),
        "status": order.status,
        "reason": order.reason,
        "total_amount": str(order.total_amount),
        "currency": order.currency,
        "event_id": order.event_id,
        "event_title": order.title,
        "event_ends_at": rfc3339(order.ends_at),
        "created_at": rfc3339(order.created_at),
        "completed_at": order.completed_at and rfc3339(order.completed_at),
        "cancellable": order.cancellable,
        "seats": [_seat_json(ticket) for ticket in order.tickets],
        "tickets": [
            {
                "ticket_uuid": str(ticket.ticket_uuid),
                "seat": _seat_json(ticket),
                "code": ticket.code if order.status == "COMPLETED" else None,
                "qr_url": f"/tickets/{ticket.ticket_uuid}.png",
            }
            for ticket in order.tickets
        ],
        "history": [
            {
                "previous_status": change.previous_status,
                "new_status": change.new_status,
                "changed_at": rfc3339(change.changed_at),
                "notes": change.notes,
            }
            for change in order.history
        ],
    }


def _seat_json(ticket: Any) -> dict[str, Any]:
    """The seat as it is printed on the ticket, whatever became of the hall since."""
    return {
        "id": ticket.seat_id,
        "section": ticket.section,
        "section_number": ticket.section_number,
        "row": ticket.row_label,
        "number": ticket.number,
        "position": ticket.position,
        "accessible": ticket.accessible,
        "price": str(ticket.price),
        "status": "SOLD" if ticket.voided_at is None else "VOID",
    }
