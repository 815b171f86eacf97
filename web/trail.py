"""What the audit log and the orders' histories tell, merged by time, a page at a time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any
from uuid import UUID

from pipeline.connections import pool
from sql import read
from web.accounts.audit import actor_of
from web.inputs import ID_MAX, whole_number
from web.problems import Problem

ERASED = "erased:"
"""How the log calls an account that is no more, before its number."""
SUBJECT_LETTERS_MAX = 255


@dataclass(frozen=True)
class Place:
    """Where a page begins: below these numbers of the two records."""

    audit: int = ID_MAX
    history: int = ID_MAX

    def __str__(self) -> str:
        return f"{self.audit}.{self.history}"


@dataclass(frozen=True)
class Page:
    """Deeds, the newest first, and where the older ones begin, if there are any."""

    deeds: list[Any]
    older: Place | None


@dataclass(frozen=True)
class Wanted:
    """Whose deeds: all, or those about one order, event or account; and of one kind or all."""

    kind: str = ""
    id: str = ""
    action: str | None = None


def parse_place(text: str) -> Place:
    """A page's beginning as an address carries it. Raises Problem 422."""
    if not text:
        return Place()
    audit, _, history = text.partition(".")
    numbers = whole_number(audit), whole_number(history)
    if None in numbers or max(filter(None, numbers), default=0) > ID_MAX:
        raise Problem(422, "invalid_parameter", "This is not a cursor of ours.")
    return Place(*numbers)  # type: ignore[arg-type]  # neither is None


def page(wanted: Wanted, place: Place, limit: int) -> Page:
    """So many deeds below the place. Raises Problem 422 for an id that can be nobody's."""
    return cut(_rows(wanted, place, limit), place, limit)


def cut(rows: Sequence[Any], place: Place, limit: int) -> Page:
    """The newest of both records' rows, which come in the order of their numbers downwards."""
    both: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        both[row.source].append(row)
    # Each record is in its own order, and stays so: what one page leaves, the next one begins with.
    newest_first = merge(*both.values(), key=lambda row: row.at, reverse=True)
    deeds = list(islice(newest_first, limit))
    last = {row.source: row.number for row in deeds}
    older = Place(last.get("audit", place.audit), last.get("history", place.history))
    return Page(deeds, older if len(rows) > len(deeds) else None)


def _rows(wanted: Wanted, place: Place, limit: int) -> list[Any]:
    # One more than is shown tells whether there is more.
    window = {
        "action": wanted.action,
        "audit": place.audit,
        "history": place.history,
        "limit": limit + 1,
    }
    with pool("web").connection() as connection:
        match wanted.kind:
            case "order":
                order_uuid = _uuid(wanted.id)
                return read(connection, "audit.of_order", order_uuid=order_uuid, **window)
            case "event":
                event_id = whole_number(wanted.id)
                if event_id is None or event_id > ID_MAX:
                    raise _unknown()
                return read(connection, "audit.of_event", event_id=event_id, **window)
            case "account":
                sub = wanted.id
                if not sub.isprintable() or len(sub) > SUBJECT_LETTERS_MAX:
                    raise _unknown()
                erased = sub.startswith(ERASED)
                actor = _uuid(sub.removeprefix(ERASED)) if erased else actor_of(connection, sub)
                return read(connection, "audit.of_account", actor=actor, buyer=sub, **window)
            case _:
                return read(connection, "audit.latest", **window)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _unknown() from error


def _unknown() -> Problem:
    return Problem(422, "invalid_parameter", "Nothing can have this id.")
