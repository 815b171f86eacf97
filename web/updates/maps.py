"""Live maps: what a page that shows seats is told, and when."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

import gevent

from pipeline.messages import SeatsChanged
from web.updates.deltas import AGAIN, Deltas, States, merged
from web.updates.listeners import Listener, Listeners, frame
from web.updates.missed import free_seats, missed, shown_section, texts
from web.updates.stream import Change, Entry

log = logging.getLogger(__name__)

TICK_S, TICK_S_MIN = 0.6, 0.05
"""What changes in this time goes in one message: a shorter window is paid in headers. Half a second
made 20.4 kB a minute of a section in which 50 seats a second change; 20 are the limit."""
COUNT_TICKS = 2


@dataclass
class _Pending:
    """What happened on one event's map since the last tick, and which counts are due."""

    changes: list[SeatsChanged] = field(default_factory=list)
    counted: set[int] = field(default_factory=set)


class Maps:
    """Gathers seat changes and tells them every TICK_S to the pages that show the seats."""

    def __init__(self, listeners: Listeners) -> None:
        self.deltas = Deltas()
        self._listeners = listeners
        self._pending: dict[int, _Pending] = defaultdict(_Pending)
        self._ticks = 0

    def remember(self, entries: Sequence[Entry]) -> str:
        """Begin with the end of the stream; gives its last entry.

        Pages that listen already (the stream could not be followed for a while) are told what they
        missed, as if they had asked.
        """
        known, self.deltas = self.deltas.version, Deltas.of(entries)
        self._pending.clear()
        for listener in self._listeners.everywhere():
            self._tell_missed(listener, known)
        return self.deltas.version

    def note(self, entry: str, change: Change) -> None:
        """Take in an entry of the stream."""
        fresh = self.deltas.add(entry, change)
        if fresh is not None:
            self._pending[fresh.event_id].changes.append(fresh)

    def tick_for_ever(self) -> None:
        """Tell what has gathered, every TICK_S."""
        while True:
            begun = monotonic()
            try:
                self.tick()
            except Exception:
                log.exception("changes could not be told: all maps are fetched again")
                self._pending.clear()
                for listener in self._listeners.everywhere():
                    listener.send(frame(AGAIN))
            gevent.sleep(max(TICK_S_MIN, TICK_S - (monotonic() - begun)))

    def tick(self) -> None:
        """Tell what has gathered; the counts of sections every second time."""
        self._ticks += 1
        counting = self._ticks % COUNT_TICKS == 0
        for event_id in list(self._pending):
            pending = self._pending[event_id]
            sections = merged(pending.changes)
            pending.changes.clear()
            pending.counted |= sections.keys()
            listening = self._listeners.of_event(event_id)
            free: dict[int, int] = {}
            if counting:
                free = free_seats(event_id, pending.counted) if listening else {}
                del self._pending[event_id]
            if sections or free:
                self._tell(listening, sections, free)

    def _tell(
        self, listening: tuple[Listener, ...], sections: dict[int, States], free: dict[int, int]
    ) -> None:
        """One frame a section, made once, for all who show it."""
        frames: dict[int | str, bytes] = {}
        version = self.deltas.version
        for listener in listening:
            shown = listener.section
            if shown is None:
                continue
            if shown not in frames:
                told = texts(shown, version, sections, free)
                frames[shown] = b"".join(map(frame, told))
            if frames[shown]:
                listener.send(frames[shown])

    def subscribe(self, listener: Listener, said: str) -> None:
        """A page says what it shows and at which version; it is told what it missed."""
        section, _, version = said.partition(" ")
        listener.section = shown_section(section)
        self._tell_missed(listener, version)

    def _tell_missed(self, listener: Listener, version: str) -> None:
        event_id, section = listener.event_id, listener.section
        if event_id is None or section is None:
            return
        changed = self.deltas.since(event_id, version)
        for text in missed(event_id, section, self.deltas.version, changed):
            listener.send(frame(text))
