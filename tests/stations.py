"""The stations behind the tap on Pay, run one by one as their processes would."""

from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import uuid4

import urllib3
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from pipeline.connections import queue_client, redis_client
from pipeline.dispatcher import Dispatcher
from pipeline.messages import TICKETS_QUEUE
from pipeline.orders import Answer, buy
from pipeline.payments import Payment
from pipeline.purchases import Wish
from pipeline.relay import Relay
from pipeline.settings import settings
from tests.halls import Hall, owner
from tests.people import ANA, Person

PAYS = "4242424242424242"
DECLINED = "4000000000000002"


def work() -> None:
    """Do the jobs that are in the queue."""
    SimpleWorker([TICKETS_QUEUE], connection=queue_client(), serializer=JSONSerializer).work(
        burst=True, logging_level="ERROR"
    )


@cache
def relay() -> Relay:
    """The relay of this run of the tests."""
    return Relay()


def dispatch() -> int:
    """Turn all entries into jobs; gives how many entries."""
    dispatcher, entries = Dispatcher(block_ms=1), 0
    while done := dispatcher.run_once():
        entries += done
    return entries


def run_all() -> None:
    """Outbox to stream, stream to queue, queue to ticket."""
    relay().run_once()
    dispatch()
    work()


def purchase(
    event: Hall,
    seats: Sequence[int],
    person: Person = ANA,
    card: str = PAYS,
    key: str = "",
    **wish: Any,
) -> Answer:
    """Buy as the API does."""
    wanted = Wish(event.id, list(seats), Payment(card_number=card), **wish)
    return buy(person.sub, key or str(uuid4()), wanted)


def one(query: str, *parameters: object) -> Any:
    """The first column of the first row."""
    with owner() as connection:
        row = connection.execute(query.encode(), parameters).fetchone()
    return row[0] if row else None


def rows(query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """All rows."""
    with owner() as connection:
        return connection.execute(query.encode(), parameters).fetchall()


def status_of(order_uuid: str) -> str:
    """An order's state."""
    return str(one("SELECT status FROM orders.orders WHERE order_uuid = %s", order_uuid))


def forget_everything() -> None:
    """No orders, purchases, holds' changes or Redis entries of an earlier test."""
    with owner() as connection:
        connection.execute(
            "TRUNCATE orders.outbox, orders.history, orders.tickets, orders.orders,"
            " orders.purchases, catalog.seat_changes"
        )
        connection.execute(
            "UPDATE catalog.seats SET status = 'AVAILABLE', order_uuid = NULL, holder = NULL"
            " WHERE status IN ('LOCKED', 'SOLD') OR holder IS NOT NULL"
        )
    redis_client().flushdb()


def bought(event: Hall, number: int = 0, **how: Any) -> str:
    """Buy one seat; gives the order_uuid."""
    answer = purchase(event, event.seats[number : number + 1], **how)
    assert answer.status == 201
    return str(answer.body["order_uuid"])


def later(what: str) -> None:
    """Time passes for what waits in Postgres."""
    with owner() as connection:
        connection.execute(f"UPDATE orders.orders SET {what}".encode())


def stream(name: str) -> list[dict[str, str]]:
    """What stands in a stream."""
    entries: Any = redis_client().xrange(name)
    return [fields for _, fields in entries]


def ledger() -> dict[str, dict[str, Any]]:
    """The bank's payments by key."""
    payments = urllib3.request("GET", f"{settings().bank_url}/ledger").json()["payments"]
    return {payment["key"]: payment for payment in payments}


def paid(order_uuid: str) -> dict[str, Any]:
    """What the bank's ledger says of an order."""
    return ledger()[order_uuid]
