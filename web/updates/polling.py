"""The same texts for pages without a socket, which ask every few seconds."""

from threading import Lock
from time import monotonic
from typing import Any

from flask import Blueprint, Response, make_response, request
from redis import RedisError

from pipeline.connections import redis_client
from pipeline.messages import UPDATES_STREAM, PoisonedMessageError, update
from web.inputs import event_id as checked
from web.problems import Problem
from web.recent import EVERY
from web.seats import find_event
from web.updates.deltas import Deltas
from web.updates.missed import missed, shown_section

pages = Blueprint("polling", __name__)

READ_EVERY_S = 1.0
PAST_ENTRIES_MAX = 10_000
RETRY_S = 5


class _Tail:
    """The end of the stream as this process last read it, at most once a second."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.clear()

    def clear(self) -> None:
        """Forget it; the next reader begins anew."""
        self._deltas: Deltas | None = None
        self._read_at = float("-inf")

    def missed(self, event_id: int, section: int | str, version: str) -> list[str]:
        """What the page missed. Raises RedisError."""
        with self._lock:
            if self._deltas is None or monotonic() - self._read_at >= READ_EVERY_S:
                self._deltas = self._read(self._deltas)
                self._read_at = monotonic()
            return missed(self._deltas, event_id, section, version)

    @staticmethod
    def _read(known: Deltas | None) -> Deltas:
        client: Any = redis_client()
        entries: list[tuple[str, dict[str, str]]] = []
        if known is not None:
            entries = client.xrange(UPDATES_STREAM, min=f"({known.version}", count=PAST_ENTRIES_MAX)
        if known is None or len(entries) == PAST_ENTRIES_MAX:
            # Too far behind to go on: what is older than this is answered by "fetch again".
            entries = client.xrevrange(UPDATES_STREAM, count=PAST_ENTRIES_MAX)[::-1]
            known = Deltas(entries[0][0] if entries else "0-0")
        for entry, fields in entries:
            try:
                known.add(entry, update(fields))
            except PoisonedMessageError:
                continue
        return known


_tail = _Tail()
EVERY.append(_tail)


@pages.get("/events/<int:event_id>/updates")
def show(event_id: int) -> Response:
    """What changed on the map since the version `v`, as the socket would have said it."""
    find_event(checked(event_id))
    section = shown_section(request.args.get("section", ""))
    if section is None:
        raise Problem(404, "section_not_found", "The event has no section of this number.")
    try:
        texts = _tail.missed(event_id, section, request.args.get("v", ""))
    except RedisError as error:
        raise Problem(
            503, "busy", "Nobody knows just now what changed.", {"Retry-After": str(RETRY_S)}
        ) from error
    response = make_response("\n".join(texts))
    response.mimetype = "text/plain"
    response.cache_control.no_store = True
    return response
