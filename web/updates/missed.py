"""What a page missed, for the socket and for the pages that ask because they have none."""

from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from web.problems import Problem
from web.seats import find_event
from web.updates.deltas import AGAIN, EVERYWHERE, OVERVIEW, States, wording

SECTION_DIGITS_MAX = 4


def shown_section(text: str) -> int | str | None:
    """The section that a page shows: its number, `-` for the overview, `*` for a whole hall."""
    if text in (OVERVIEW, EVERYWHERE):
        return text
    whole = text.isascii() and text.isdigit() and len(text) <= SECTION_DIGITS_MAX
    return int(text) if whole else None


def missed(
    event_id: int, section: int | str, version: str, sections: dict[int, States] | None
) -> list[str]:
    """What a page is told of these changes, which are all up to `version`; None: nobody knows."""
    if sections is None:
        return [AGAIN]
    free = free_seats(event_id, set(sections)) if sections else {}
    return texts(section, version, sections, free) or [wording(version, section, {})]


def texts(
    shown: int | str, version: str, sections: dict[int, States], free: dict[int, int]
) -> list[str]:
    """What a page that shows this section is told; the counts go with the last text."""
    if shown == EVERYWHERE:
        told = [
            wording(version, number, states)
            for number, states in sorted(sections.items())
            if states
        ]
        return [*told, wording(version, EVERYWHERE, {}, free)] if free else told
    states = sections.get(shown, {}) if isinstance(shown, int) else {}
    if shown != OVERVIEW:
        # A page of one section has no other counts to set.
        free = {number: count for number, count in free.items() if number == shown}
    return [wording(version, shown, states, free)] if states or free else []


def free_seats(event_id: int, sections: set[int]) -> dict[int, int]:
    """How many seats of these sections can be taken now; nothing while nobody can tell."""
    try:
        event = find_event(event_id)
    except (Problem, OperationalError, PoolTimeout):
        return {}
    return {
        section.number: event.free(section)
        for section in event.sections
        if section.number in sections
    }
