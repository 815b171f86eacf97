"""What changed on seat maps lately, merged and said in the words that a page applies.

A text is `S <version> <section> h0a1f s07 f2b|3=412,7=88`: absolute states of seats by their
position in the section, two base-36 digits each, and after `|` the free seats of sections. `R`
says: fetch the map again. A version is an entry id of the stream `updates`, so any process can go
on from it.
"""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Self

from pipeline.messages import SeatsChanged
from web.updates.stream import Change, Entry, changes

AGAIN = "R"
OVERVIEW, EVERYWHERE = "-", "*"
CHANGES_KEPT_MAX = 20_000
"""Of one event; at 50 changes a second that is over six minutes."""
EVENTS_KEPT_MAX = 256
AHEAD_MS_MAX = 2_000
NOTHING_YET = "0-0"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
VERSION_LETTERS_MAX = 41
"""Two numbers of 64 bits and a dash."""
PAIRS = [a + b for a in DIGITS for b in DIGITS]
"""A position in two letters."""

Version = tuple[int, int]
States = dict[int, str]
"""What each changed seat of a section looks like now, by position."""


def version_of(text: str) -> Version | None:
    """An entry id as numbers that can be compared; None when it is none."""
    milliseconds, dash, sequence = text.partition("-")
    numbers = text.isascii() and milliseconds.isdigit() and sequence.isdigit()
    if not dash or not numbers or len(text) > VERSION_LETTERS_MAX:
        return None
    return int(milliseconds), int(sequence)


def wording(
    version: str,
    section: int | str,
    states: Mapping[int, str],
    free: Mapping[int, int] | None = None,
) -> str:
    """The text for one section, or for the overview."""
    by_state: dict[str, list[str]] = defaultdict(list)
    for position in sorted(states):
        by_state[states[position]].append(PAIRS[position])
    seats = "".join(f" {state}{''.join(places)}" for state, places in sorted(by_state.items()))
    counts = ",".join(f"{number}={count}" for number, count in sorted((free or {}).items()))
    return f"S {version} {section}{seats}" + (f"|{counts}" if counts else "")


@dataclass
class _Event:
    """The last changes of one event, and which change each seat had last."""

    begins: Version
    """Nothing is missing that came after this."""
    changes: deque[tuple[Version, SeatsChanged]] = field(default_factory=deque)
    numbers: dict[tuple[int, int], int] = field(default_factory=dict)


class Deltas:
    """The tail of the stream `updates`: what seats changed to, event by event."""

    def __init__(self, begins: str = NOTHING_YET) -> None:
        self._begins = version_of(begins) or (0, 0)
        self._events: OrderedDict[int, _Event] = OrderedDict()
        self.version = begins

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Self:
        """What the end of the stream tells; nothing is missing that came after its first entry."""
        tail = cls(entries[0][0] if entries else NOTHING_YET)
        for entry, change in changes(entries):
            tail.add(entry, change)
        return tail

    def add(self, entry: str, change: Change) -> SeatsChanged | None:
        """Take in the next entry; gives the change without what a later one has overtaken.

        A relay that was stalled may tell old changes again: a lower number of a seat is dropped.
        """
        self.version = entry
        if not isinstance(change, SeatsChanged):
            return None
        event = self._event(change.event_id)
        fresh = tuple(
            position
            for position in change.positions
            if event.numbers.get((change.section_number, position), 0) < change.number
        )
        if not fresh:
            return None
        for position in fresh:
            event.numbers[change.section_number, position] = change.number
        kept = replace(change, positions=fresh)
        at = version_of(entry) or self._begins
        event.changes.append((at, kept))
        if len(event.changes) > CHANGES_KEPT_MAX:
            event.begins, _ = event.changes.popleft()
        return kept

    def since(self, event_id: int, version: str) -> dict[int, States] | None:
        """What changed after this version, by section; None when that cannot be known any more."""
        asked, now = version_of(version), version_of(self.version)
        event = self._events.get(event_id)
        begins = event.begins if event else self._begins
        if asked is None or now is None or asked < begins:
            return None
        if asked > now:
            # Whoever drew the page has read further than we have, by a moment; else it is made up.
            return {} if asked[0] - now[0] <= AHEAD_MS_MAX else None
        later = takewhile(lambda one: one[0] > asked, reversed(event.changes)) if event else ()
        return merged(change for _, change in reversed(list(later)))

    def _event(self, event_id: int) -> _Event:
        """The event's changes; of one that was forgotten nothing before now is known."""
        event = self._events.get(event_id)
        if event is None:
            # What is not kept was either never seen, or its event has been evicted since.
            event = self._events[event_id] = _Event(self._begins)
        self._events.move_to_end(event_id)
        while len(self._events) > EVENTS_KEPT_MAX:
            self._events.popitem(last=False)
            self._begins = version_of(self.version) or self._begins
        return event


def merged(changes: Iterable[SeatsChanged]) -> dict[int, States]:
    """The last state of each seat, by section."""
    sections: dict[int, States] = defaultdict(dict)
    for change in changes:
        for position in change.positions:
            sections[change.section_number][position] = change.state
    return sections
