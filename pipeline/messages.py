"""What crosses a process border by way of Redis: a class a message, with its stream fields."""

from dataclasses import dataclass
from typing import Literal, Self

ORDERS_STREAM = "orders"
UPDATES_STREAM = "updates"
DEAD_LETTERS_STREAM = "dead-letters"
DEAD_LETTERS_LENGTH_MAX = 10_000
ORDERS_GROUP = "dispatcher"
TICKETS_QUEUE = "tickets"

UUID_LETTERS = 36
SEAT_STATES = ("f", "h", "s")
POSITIONS = 1296
"""So many seats a section can have: a position is told in two base-36 digits."""

Kind = Literal["make", "settle"]


class PoisonedMessageError(Exception):
    """A stream entry is not one of ours; it goes to the dead letters."""


@dataclass(frozen=True)
class OrderMessage:
    """An order wants its tickets made, or money and seats given back; in the stream `orders`."""

    order_uuid: str
    kind: Kind
    alone: bool = False

    def fields(self) -> dict[str, str]:
        return {"order": self.order_uuid, "kind": self.kind, "alone": "1" if self.alone else "0"}

    @classmethod
    def parse(cls, fields: dict[str, str]) -> Self:
        """Raises PoisonedMessageError."""
        order_uuid, kind = fields.get("order", ""), fields.get("kind", "")
        if len(order_uuid) != UUID_LETTERS or kind not in ("make", "settle"):
            raise PoisonedMessageError(repr(fields)[:500])
        return cls(order_uuid, "make" if kind == "make" else "settle", fields.get("alone") == "1")


@dataclass(frozen=True)
class OrderChanged:
    """An order has a new state for its buyer's open pages; in the stream `updates`."""

    order_uuid: str
    buyer: str
    status: str

    def fields(self) -> dict[str, str]:
        return {
            "what": "order",
            "order": self.order_uuid,
            "buyer": self.buyer,
            "status": self.status,
        }


@dataclass(frozen=True)
class SeatsChanged:
    """Seats of a section have a new state (f free, h held, s sold); in the stream `updates`."""

    number: int
    event_id: int
    section_number: int
    positions: tuple[int, ...]
    state: str

    def fields(self) -> dict[str, str]:
        return {
            "what": "seats",
            "number": str(self.number),
            "event": str(self.event_id),
            "section": str(self.section_number),
            "positions": ",".join(map(str, self.positions)),
            "state": self.state,
        }


def update(fields: dict[str, str]) -> OrderChanged | SeatsChanged:
    """Read an entry of the stream `updates`. Raises PoisonedMessageError."""
    try:
        if fields["what"] == "order":
            return OrderChanged(fields["order"], fields["buyer"], fields["status"])
        seats = SeatsChanged(
            int(fields["number"]),
            int(fields["event"]),
            int(fields["section"]),
            tuple(map(int, fields["positions"].split(","))),
            fields["state"],
        )
    except (KeyError, ValueError) as error:
        raise PoisonedMessageError(repr(fields)[:500]) from error
    if seats.state not in SEAT_STATES or not all(0 <= n < POSITIONS for n in seats.positions):
        raise PoisonedMessageError(repr(fields)[:500])
    return seats
