"""An event with its sections and seats, read for pages and API alike, and put for machines."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import islice
from operator import attrgetter
from threading import Lock
from time import monotonic
from typing import Any

from redis import RedisError

from pipeline.connections import asked_redis_client, pool
from pipeline.messages import UPDATES_STREAM
from pipeline.settings import settings
from sql import read
from web.best import Row, Rows
from web.hall import Plan, plan, zones
from web.inputs import event_id as checked
from web.problems import Problem, busy
from web.recent import EVERY, Kept, Recent
from web.words import local_time, rfc3339

COUNTS_S = 1.0
EVENTS_KEPT_MAX = 256
PLAN_S = 5.0
PLANS_KEPT_MAX = 64
LAYOUT_S = 60.0
FREE_S = 0.25
"""So long waits whoever came too late for everything that a look at the hall has found."""
SECTIONS_AT_FIRST = 8
VERSION_S = 0.25
BEFORE_ALL = "0-0"
"""Where an empty stream stands."""
REDIS_RETRY_S = 5.0
SEATS_AT_ONCE_MAX = 600
"""A hall of up to so many seats is shown whole, without choosing a section first."""


@dataclass(frozen=True)
class Event:
    """An event's facts and counted sections, at most a second old. Nothing is about a buyer."""

    facts: Any
    sections: list[Any]

    @property
    def total_seats(self) -> int:
        return sum(section.total_seats for section in self.sections)

    @property
    def available_seats(self) -> int:
        """What can be taken now: nothing, where nothing is on sale."""
        return sum(map(self.free, self.sections))

    @property
    def price_from(self) -> Decimal | None:
        return min((section.price for section in self.sections), default=None)

    def free(self, section: Any) -> int:
        """How many seats of the section can be taken now."""
        return int(section.takeable) if self.facts.on_sale else 0

    @cached_property
    def zones(self) -> dict[int, tuple[str, str]]:
        """Each section's price zone and short name by its number: `A`, `A2`."""
        return zones(self.sections)

    @property
    def by_zone(self) -> list[Any]:
        """The sections, the dearest first."""
        return sorted(self.sections, key=lambda one: (self.zones[one.number][0], one.number))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.facts, name)


_events: Recent[Event] = Recent(COUNTS_S, EVENTS_KEPT_MAX)
_facts: Recent[Any] = Recent(COUNTS_S, EVENTS_KEPT_MAX)
_layouts: Recent[list[Row]] = Recent(LAYOUT_S, PLANS_KEPT_MAX)
_plans: Recent[Plan] = Recent(PLAN_S, PLANS_KEPT_MAX)


def find_event(event_id: int) -> Event:
    """The event with its counts. Raises Problem 404."""
    return find_event_or_last_known(event_id).value


def find_event_or_last_known(event_id: int) -> Kept[Event]:
    """The same, and whether it is only what was last known, because Postgres does not answer."""
    return _events.get(checked(event_id), lambda: _read_event(event_id))


def facts_of(event_id: int) -> Any:
    """The event without its seats, which take a while to count. Raises Problem 404."""
    return _facts.get(checked(event_id), lambda: _read_facts(event_id)).value


def _read_facts(event_id: int) -> Any:
    with pool("web").connection() as connection:
        facts = read(connection, "events.one", event_id=event_id)
    if not facts:
        raise Problem(404, "event_not_found", "There is no such event.")
    return facts[0]


def _read_event(event_id: int) -> Event:
    facts = _read_facts(event_id)
    with pool("web").connection() as connection:
        return Event(facts, read(connection, "events.sections", event_id=event_id))


def plan_of(event: Event) -> Plan:
    """The picture of a large hall as it was a moment ago; what is live beside it are the counts."""
    return _plans.get(event.id, lambda: _read_plan(event)).value


def _read_plan(event: Event) -> Plan:
    by_section: dict[int, list[str]] = defaultdict(list)
    with pool("web").connection() as connection:
        for row in read(connection, "events.rows", event_id=event.id):
            by_section[row.section_number].append(row.seats)
    return plan(event.sections, by_section)


def hall_of(event_id: int) -> Rows:
    """The rows of the hall, nearest first, with what is free in them now.

    Sections are read as the search comes to them, a few, then more at once: it seldom needs more
    than the tenth of a large hall that is nearest. Raises Problem 503.
    """
    layout = _layouts.get(event_id, lambda: _read_layout(event_id)).value
    ahead = iter(dict.fromkeys(row.section for row in layout))
    free: dict[int, str] = {}
    for row in layout:
        while row.section not in free:
            free |= _read_free(event_id, list(islice(ahead, max(SECTIONS_AT_FIRST, len(free)))))
        seats = free[row.section][row.begins : row.begins + len(row.ids)]
        if len(seats) != len(row.ids):
            raise busy("The hall is being changed.")
        yield row, seats


def _read_free(event_id: int, sections: list[int]) -> dict[int, str]:
    with pool("web").connection() as connection:
        rows = read(connection, "events.free", event_id=event_id, sections=sections)
    return {row.section_number: row.seats or "" for row in rows}


def _read_layout(event_id: int) -> list[Row]:
    with pool("web").connection() as connection:
        rows = read(connection, "events.layout", event_id=event_id)
    layout = [
        Row(
            row.section_number,
            row.price,
            row.begins,
            tuple(row.ids),
            tuple(row.ranks),
            row.accessible,
        )
        for row in rows
    ]
    return sorted(layout, key=attrgetter("nearest"))


def seats_of(event_id: int, section: int | None = None) -> list[Any]:
    """The seats of the event or of one section, in order, as everybody sees them."""
    with pool("web").connection() as connection:
        return read(connection, "events.seats", event_id=event_id, section=section)


def named_seats(event_id: int, seat_ids: Collection[int]) -> list[Any]:
    """The seats with these ids. Raises Problem 422 that names those which are not the event's."""
    with pool("web").connection() as connection:
        seats = read(connection, "events.named_seats", event_id=event_id, seat_ids=list(seat_ids))
    foreign = set(seat_ids) - {seat.id for seat in seats}
    if foreign:
        raise Problem(
            422, "invalid_seats", "These are no seats of this event.", seats=sorted(foreign)
        )
    return seats


def cart(event_id: int, holder: str | None) -> list[Any]:
    """The seats that this holder has now for the event."""
    if holder is None:
        return []
    with pool("web").connection() as connection:
        return read(connection, "holds.cart", event_id=event_id, holder=holder)


def owned_seats(event_id: int, buyer: str) -> int:
    """How many seats of the event this account has tickets for."""
    with pool("web").connection() as connection:
        return int(read(connection, "holds.owned", event_id=event_id, buyer=buyer)[0].seats)


class _Version:
    """Where the stream of updates stood a moment ago, as an entry's id; `0` while nobody knows.

    An older id does no harm: what changed since is told again. So nobody waits for a Redis that
    does not answer but the one who asks it, and that only now and then.
    """

    def __init__(self) -> None:
        self._asking = Lock()
        self._ask_at = float("-inf")
        self._id = "0"

    def now(self) -> str:
        if monotonic() < self._ask_at or not self._asking.acquire(blocking=False):
            return self._id
        try:
            newest = asked_redis_client().xrevrange(UPDATES_STREAM, count=1)
            self._id = str(newest[0][0]) if newest else BEFORE_ALL
            self._ask_at = monotonic() + VERSION_S
        except RedisError:
            self._id, self._ask_at = "0", monotonic() + REDIS_RETRY_S
        finally:
            self._asking.release()
        return self._id

    def clear(self) -> None:
        self._ask_at = float("-inf")


_version = _Version()
EVERY.append(_version)


def map_version() -> str:
    """Where the updates stand. Read before the rows: what changes meanwhile is told later."""
    return _version.now()


def event_json(event: Any) -> dict[str, Any]:
    """An event for machines."""
    return {
        "id": event.id,
        "title": event.title,
        "description": event.description,
        "category": event.category,
        "venue": event.venue,
        "time_zone": event.time_zone,
        "starts_at": rfc3339(event.starts_at),
        "ends_at": rfc3339(event.ends_at),
        "sales_end_at": rfc3339(event.sales_end_at),
        "status": event.status,
        "on_sale": event.on_sale,
        "price_from": None if event.price_from is None else str(event.price_from),
        "currency": event.currency,
        "total_seats": event.total_seats,
        "available_seats": event.available_seats,
        "image_url": f"{settings().public_url}/events/{event.id}/picture.png",
    }


def schema_org(event: Event) -> dict[str, Any]:
    """An event for search engines (schema.org Event, an offer a price)."""
    address = f"{settings().public_url}/events/{event.id}"
    happens = "EventCancelled" if event.status == "CANCELLED" else "EventScheduled"
    left = "InStock" if event.on_sale and event.available_seats else "SoldOut"
    return {
        "@context": "https://schema.org",
        "@type": "Event",
        "name": event.title,
        "description": event.description,
        "startDate": local_time(event.starts_at, event.time_zone),
        "endDate": local_time(event.ends_at, event.time_zone),
        "eventStatus": f"https://schema.org/{happens}",
        "eventAttendanceMode": "https://schema.org/OfflineEventAttendanceMode",
        "location": {"@type": "Place", "name": event.venue, "address": event.venue},
        "image": [f"{address}/picture.png"],
        "url": address,
        "offers": [
            {
                "@type": "Offer",
                "name": section.name,
                "price": str(section.price),
                "priceCurrency": event.currency,
                "availability": f"https://schema.org/{left if event.free(section) else 'SoldOut'}",
                "url": f"{address}?section={section.number}",
            }
            for section in event.sections
        ],
    }


def seat_json(seat: Any) -> dict[str, Any]:
    """A seat for machines. Who holds it is nobody's business."""
    return {
        "id": seat.id,
        "section": seat.section,
        "section_number": seat.section_number,
        "row": seat.row_label,
        "number": seat.number,
        "position": seat.position,
        "accessible": seat.accessible,
        "price": str(seat.price),
        "status": seat.status,
    }
