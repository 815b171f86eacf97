"""What is tried no more, for operators: list it, show one, try it again, or give it up.

`python -m pipeline.dead_letters [list | show ID | replay ID|all | discard ID]`. A dead letter is an
order (its row is the truth) or a message that nobody could read (it lies in the stream alone).
"""

import json
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import OperationalError
from redis import RedisError

from pipeline.connections import pool, redis_client
from pipeline.messages import (
    DEAD_LETTERS_LENGTH_MAX,
    DEAD_LETTERS_STREAM,
    ORDERS_STREAM,
    OrderMessage,
    PoisonedMessageError,
)
from pipeline.refunds import fail
from sql import Row, read, write

SHOWN_MAX = 1_000
DISCARDED = "discarded"
ENTRY = re.compile(r"\d{1,20}-\d{1,20}")
REASONS = {"bank": "the bank did not answer", "tickets": "its tickets could not be made"}
USAGE = "Say what to do: list, show ID, replay ID, replay all, or discard ID."


class DeadLetterError(Exception):
    """It cannot be done; the text is one sentence that says why."""


@dataclass(frozen=True)
class Letter:
    """One dead letter: its id, since when, of what, and why."""

    id: str
    since: str
    about: str
    reason: str

    def __str__(self) -> str:
        return f"{self.id}\t{self.since}\t{self.about}\t{self.reason}"


def letters() -> list[Letter]:
    """All of them: orders from their rows, unreadable messages from the stream."""
    return [*map(_of_order, dead_orders()), *(_of_entry(*entry) for entry in _entries())]


def dead_orders() -> list[Row]:
    """The rows of the orders among them, the oldest first."""
    with pool("pipeline").connection() as connection:
        return read(connection, "orders.dead", most=SHOWN_MAX)


def replay(letter: str) -> str:
    """Try it anew; gives a sentence. Raises DeadLetterError."""
    if ENTRY.fullmatch(letter):
        return _replay_entry(letter)
    order_uuid = _order(letter)
    with pool("pipeline").connection() as connection:
        revived = write(connection, "orders.revive", order_uuid=order_uuid)
    if not revived:
        raise DeadLetterError(_why_not(order_uuid))
    _forget(letter)
    return f"{letter} is tried again within seconds."


def discard(letter: str) -> str:
    """Give it up: an order FAILED and its money and seats go back. Raises DeadLetterError."""
    if ENTRY.fullmatch(letter):
        if not redis_client().xdel(DEAD_LETTERS_STREAM, letter):
            raise DeadLetterError(f"There is no dead letter {letter}.")
        return f"{letter} is gone."
    order_uuid = _order(letter)
    _dead(order_uuid)
    if not fail(order_uuid, DISCARDED, "operator"):
        raise DeadLetterError(_why_not(order_uuid))
    _forget(letter)
    return f"{letter} is FAILED; money and seats go back."


def show(letter: str) -> str:
    """Everything that is known of it. Raises DeadLetterError."""
    if ENTRY.fullmatch(letter):
        return _text({"id": letter, **_entry(letter)})
    return _text(_dead(_order(letter))._asdict())


def _dead(order_uuid: UUID) -> Row:
    """Its row. Raises DeadLetterError."""
    with pool("pipeline").connection() as connection:
        found = read(connection, "orders.dead_letter", order_uuid=order_uuid)
    if not found:
        raise DeadLetterError(_why_not(order_uuid))
    return found[0]


def _replayed(letter: str) -> str:
    """The same as one of many: what cannot be done stops no other."""
    try:
        return replay(letter)
    except DeadLetterError as error:
        return str(error)


def _replay_entry(letter: str) -> str:
    try:
        message = OrderMessage.parse(json.loads(_entry(letter).get("fields", "{}")))
    except (PoisonedMessageError, ValueError) as error:
        raise DeadLetterError(
            f"{letter} still cannot be read ({error}): discard it, an order is sent anew by itself."
        ) from None
    multi: Any = redis_client().pipeline(transaction=True)
    multi.xadd(ORDERS_STREAM, message.fields())
    multi.xdel(DEAD_LETTERS_STREAM, letter)
    multi.execute()
    return f"{letter} is in the stream again."


def _entries() -> list[tuple[str, dict[str, str]]]:
    """Messages that nobody could read; what the stream says of orders is in their rows."""
    client: Any = redis_client()
    entries = client.xrange(DEAD_LETTERS_STREAM, count=DEAD_LETTERS_LENGTH_MAX)
    return [(entry, fields) for entry, fields in entries if "order" not in fields]


def _entry(letter: str) -> dict[str, str]:
    client: Any = redis_client()
    found: list[tuple[str, dict[str, str]]] = client.xrange(DEAD_LETTERS_STREAM, letter, letter)
    if not found:
        raise DeadLetterError(f"There is no dead letter {letter}.")
    return found[0][1]


def _forget(order_uuid: str) -> None:
    """What the stream told operators about this order is over."""
    client: Any = redis_client()
    # The row decides; while Redis is away the stream keeps a line more.
    with suppress(RedisError):
        for entry, fields in client.xrange(DEAD_LETTERS_STREAM, count=DEAD_LETTERS_LENGTH_MAX):
            if fields.get("order") == order_uuid:
                client.xdel(DEAD_LETTERS_STREAM, entry)


def _order(letter: str) -> UUID:
    try:
        return UUID(letter)
    except ValueError:
        raise DeadLetterError(
            f"{letter} is no dead letter: give an id as `make dead-letters` prints it."
        ) from None


def _why_not(order_uuid: UUID) -> str:
    with pool("pipeline").connection() as connection:
        found = read(connection, "orders.status", order_uuid=order_uuid)
    if not found:
        return f"There is no order {order_uuid}."
    if found[0].status == "FAILED":
        return f"Order {order_uuid} has FAILED: its money and seats went back, so it is over."
    return f"Order {order_uuid} is {found[0].status} and no dead letter."


def _of_order(order: Row) -> Letter:
    return Letter(
        str(order.order_uuid),
        order.dead_at.isoformat(timespec="seconds"),
        f"{order.title}, {order.total_amount} {order.currency}",
        REASONS.get(order.dead_reason, "tries used up"),
    )


def _of_entry(entry: str, fields: dict[str, str]) -> Letter:
    return Letter(entry, fields.get("at", ""), "a message", fields.get("reason", ""))


def _text(said: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in said.items())


def main(arguments: list[str]) -> str:
    """What is printed. Raises DeadLetterError."""
    deeds: dict[str, Callable[[str], str]] = {"show": show, "replay": replay, "discard": discard}
    match arguments or ["list"]:
        case ["list"]:
            return "\n".join(map(str, letters())) or "No dead letters."
        case ["replay", "all"]:
            return (
                "\n".join(_replayed(str(order.order_uuid)) for order in dead_orders())
                or "No dead letters."
            )
        case [deed, letter] if deed in deeds:
            return deeds[deed](letter)
        case _:
            raise DeadLetterError(USAGE)


if __name__ == "__main__":
    try:
        sys.stdout.write(main(sys.argv[1:]) + "\n")
    except DeadLetterError as error:
        sys.exit(str(error))
    except (OperationalError, RedisError) as error:
        sys.exit(f"TicketBuster does not run here, or not yet: {str(error).partition(chr(10))[0]}")
