"""The guards that a mutant of the code lacks: with each gone, the checker must find something wrong."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Change:
    """A piece of a file, and what stands there instead. The piece must be there, once."""

    file: str
    piece: str
    instead: str


@dataclass(frozen=True)
class Mutant:
    """What is changed, and which faults are drawn; none: all. `control` is part of a control, too."""

    changes: tuple[Change, ...]
    kinds: tuple[str, ...] = ()
    control: tuple[Change, ...] = ()


NO_RESENDING = Change(
    "sql/orders.sql",
    "AND (orders.retry_at <= now()\n            OR orders.retry_at IS NULL\n",
    "AND (orders.retry_at <= now()\n            OR false AND orders.retry_at IS NULL\n",
)
"""The sweeper, which would mend in the second place what is broken in the first."""
DISPATCHER_DIES = ("kill pipeline.dispatcher",)

GUARDS: dict[str, Mutant] = {
    "unique-index": Mutant(
        (Change("sql/schema/004_orders.sql", "CREATE UNIQUE INDEX one_live_ticket_a_seat",
                "CREATE INDEX one_live_ticket_a_seat"),),
    ),
    "holder": Mutant(
        (
            Change("sql/schema/006_shorter_hops.sql",
                   "AND (s.holder = claimant OR s.held_until <= clock_timestamp()))) AS gone", ")) AS gone"),
            Change("sql/schema/006_shorter_hops.sql",
                   "AND (s.holder = claimant OR s.held_until <= clock_timestamp()) AS takeable", "AS takeable"),
        ),
    ),
    "outbox": Mutant(
        (Change("sql/purchases.sql",
                "INSERT INTO orders.outbox (order_uuid, kind) SELECT order_uuid, 'make' FROM wanted",
                "SELECT order_uuid FROM wanted"),),
        ("kill web.updates",),
    ),
    "ack-with-the-job": Mutant(
        (Change("pipeline/dispatcher.py", "    multi = queue_client().pipeline(transaction=True)\n",
                "    queue_client().xack(ORDERS_STREAM, ORDERS_GROUP, *ids)\n    sleep(0.3)\n"
                "    multi = queue_client().pipeline(transaction=True)\n"),),
        DISPATCHER_DIES,
        (NO_RESENDING,),
    ),
    "idempotency": Mutant(
        (
            Change("sql/schema/006_shorter_hops.sql",
                   "CREATE UNIQUE INDEX one_purchase_a_key", "CREATE INDEX one_purchase_a_key"),
            Change("sql/purchases.sql",
                   "        ON CONFLICT (buyer, idempotency_key) WHERE NOT (key_given_up AND step = 'REFUSED') DO NOTHING\n",
                   ""),
        ),
    ),
}  # fmt: skip


def change(code: Path, changes: tuple[Change, ...]) -> None:
    """Change a copy of the code. Raises ValueError where it is not as we know it."""
    for one in changes:
        path = code / one.file
        text = path.read_text()
        if text.count(one.piece) != 1:
            raise ValueError(f"{one.file} does not have once: {one.piece}")
        path.write_text(text.replace(one.piece, one.instead))
