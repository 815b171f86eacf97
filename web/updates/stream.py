"""The stream `updates`: its end, and its entries as what they tell."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.messages import (
    UPDATES_STREAM,
    OrderChanged,
    PoisonedMessageError,
    SeatsChanged,
    update,
)

log = logging.getLogger(__name__)

PAST_ENTRIES_MAX = 20_000
"""So much of the stream a process reads at first, so that pages can go on where they were."""

Entry = tuple[str, dict[str, str]]
Change = OrderChanged | SeatsChanged | None


def newest(client: Any) -> list[Entry]:
    """The end of the stream, oldest first. Raises RedisError."""
    entries: list[Entry] = client.xrevrange(UPDATES_STREAM, count=PAST_ENTRIES_MAX)
    return entries[::-1]


def following(client: Any, version: str) -> list[Entry]:
    """What stands behind this entry. Raises RedisError."""
    entries: list[Entry] = client.xrange(UPDATES_STREAM, min=f"({version}", count=PAST_ENTRIES_MAX)
    return entries


def changes(entries: Iterable[Entry]) -> Iterator[tuple[str, Change]]:
    """Each entry's id and what it tells; nothing for one that is not ours."""
    for entry, fields in entries:
        try:
            yield entry, update(fields)
        except PoisonedMessageError as error:
            log.warning("not an update of ours: %s", error)
            yield entry, None
