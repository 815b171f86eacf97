"""The same texts for pages without a socket, which ask every few seconds."""

from threading import Lock
from time import monotonic

from flask import Blueprint, Response, make_response, request
from redis import RedisError

from pipeline.connections import asked_redis_client
from web.inputs import event_id as checked
from web.problems import Problem, busy
from web.recent import EVERY
from web.seats import find_event
from web.updates.deltas import Deltas, States
from web.updates.missed import missed, shown_section
from web.updates.stream import PAST_ENTRIES_MAX, changes, following, newest

pages = Blueprint("polling", __name__)

READ_EVERY_S = 1.0
WAIT_S = 0.2
"""So long may somebody else's reading last; then what was known before is the answer."""
RETRY_S = 5


class _Tail:
    """The end of the stream as this process last read it, at most once a second.

    One reads; the others wait for a moment, and for a Redis that does not answer no longer.
    """

    def __init__(self) -> None:
        self._asking = Lock()
        self._changing = Lock()
        self.clear()

    def clear(self) -> None:
        """Forget it; the next reader begins anew."""
        self._deltas: Deltas | None = None
        self._ask_at = float("-inf")

    def since(self, event_id: int, version: str) -> tuple[str, dict[int, States] | None]:
        """Where the stream stands and what changed after this version. Raises RedisError."""
        if monotonic() >= self._ask_at and self._asking.acquire(timeout=WAIT_S):
            try:
                if monotonic() >= self._ask_at:
                    self._read()
            finally:
                self._asking.release()
        with self._changing:
            if self._deltas is None:
                raise RedisError
            return self._deltas.version, self._deltas.since(event_id, version)

    def _read(self) -> None:
        known = self._deltas
        try:
            client = asked_redis_client()
            entries = following(client, known.version) if known else newest(client)
            behind = len(entries) == PAST_ENTRIES_MAX
            # Too far behind to go on: what is older than the end is answered by "fetch again".
            entries = newest(client) if known and behind else entries
        except RedisError:
            # Until it answers again nobody can say that nothing changed.
            self._deltas, self._ask_at = None, monotonic() + RETRY_S
            raise
        with self._changing:
            if known is None or behind:
                self._deltas = Deltas.of(entries)
            else:
                for entry, change in changes(entries):
                    known.add(entry, change)
        self._ask_at = monotonic() + READ_EVERY_S


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
        version, sections = _tail.since(event_id, request.args.get("v", ""))
    except RedisError as error:
        raise busy("Nobody knows just now what changed.", RETRY_S) from error
    response = make_response("\n".join(missed(event_id, section, version, sections)))
    response.mimetype = "text/plain"
    response.cache_control.no_store = True
    return response
