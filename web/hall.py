"""The plan of a large hall: sections as rings round a stage, their seats as a halftone.

Nobody tells us where sections stand, so their price does: the dearest lie in rows before the stage,
each cheaper zone in a ring round them. A row is two dashed lines whose dots are seats (one for all,
one for the free ones), so ten thousand seats are a few hundred paths.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin
from typing import Any

WIDTH = 780.0
MARGIN = 14.0
ZONES = "ABCD"
Point = tuple[float, float]
AISLE = 2.5
"""Between sections and between rings, in seats."""
STAGE_ROWS_MIN, STAGE_SHARE = 5.0, 0.16
SPAN_MAX = 212.0
"""Degrees of a ring, from the left of the stage round below it to the right."""


@dataclass(frozen=True)
class DrawnRow:
    """A row of the picture: its line, how many seats, and the pattern of those that are free."""

    path: str
    length: str
    dashes: str
    offset: int


@dataclass(frozen=True)
class DrawnSection:
    """A section of the picture: what it is called, where its name stands, the whole as a target."""

    section: Any
    zone: str
    name: str
    x: float
    y: float
    outline: str
    rows: tuple[DrawnRow, ...]


@dataclass(frozen=True)
class Plan:
    """The whole picture."""

    height: float
    pitch: float
    stage: str
    stage_at: Point
    stage_size: float
    sections: tuple[DrawnSection, ...]


def zones(sections: Iterable[Any]) -> dict[int, tuple[str, str]]:
    """Each section's price zone (A is dearest, D all from the fourth price on) and short name."""
    listed = list(sections)
    prices = sorted({section.price for section in listed}, reverse=True)
    counted: dict[str, int] = {}
    named = {}
    for section in listed:
        zone = ZONES[min(prices.index(section.price), len(ZONES) - 1)]
        counted[zone] = counted.get(zone, 0) + 1
        named[section.number] = zone, f"{zone}{counted[zone]}"
    return named


def plan(sections: Sequence[Any], rows: dict[int, list[str]]) -> Plan:
    """Draw the hall; `rows` has each section's rows from the stage on, a letter a seat, 1 free."""
    named = zones(sections)
    tiers = [
        tier
        for zone in ZONES
        if (tier := [section for section in sections if named[section.number][0] == zone])
    ]
    depth = [max(len(rows.get(section.number, ())) for section in tier) for tier in tiers]
    across = [[_seats(rows, section) for section in tier] for tier in tiers]
    block = sum(across[0]) + AISLE * (len(tiers[0]) - 1)
    stage = max(STAGE_ROWS_MIN, block * STAGE_SHARE)
    inner = ((block / 2) ** 2 + (depth[0] + stage / 2) ** 2) ** 0.5 + AISLE
    rings = sum(depth[1:]) + AISLE * max(0, len(tiers) - 2)
    ringed = len(tiers) > 1
    radius = inner + rings if ringed else max(block / 2, depth[0])
    pitch = (WIDTH / 2 - MARGIN) / radius
    spans = [_span(tier, inner) for tier in across[1:]]
    above = max([stage / 2, *(radius * -sin((90 - span / 2) * pi / 180) for span in spans)])
    middle = WIDTH / 2, MARGIN + pitch * above
    drawn: list[DrawnSection] = []

    left = -block / 2
    for section, seats in zip(tiers[0], across[0], strict=True):
        straight = _Straight(middle, pitch, (left, stage / 2), seats)
        drawn.append(_drawn(section, named, rows, straight))
        left += seats + AISLE
    at = inner
    for tier, widths, deep, span in zip(tiers[1:], across[1:], depth[1:], spans, strict=True):
        degrees = span / (sum(widths) + AISLE * (len(widths) - 1))
        angle = 90 + span / 2
        for section, seats in zip(tier, widths, strict=True):
            ring = _Ring(middle, pitch, at, (angle, angle - degrees * seats))
            drawn.append(_drawn(section, named, rows, ring))
            angle -= degrees * (seats + AISLE)
        at += deep + AISLE
    below = radius if ringed else depth[0] + stage / 2
    half, top = pitch * min(block / 2, stage * 2), middle[1] - stage / 2 * pitch
    foot = middle[1] + (stage / 2 - 1) * pitch
    return Plan(
        round(middle[1] + below * pitch + MARGIN, 1),
        round(pitch, 2),
        f"M{_n(middle[0] - half)} {_n(top)}H{_n(middle[0] + half)}"
        f"L{_n(middle[0] + half * 0.82)} {_n(foot)}H{_n(middle[0] - half * 0.82)}z",
        (middle[0], round((top + foot) / 2, 1)),
        round(min(27.0, (foot - top) * 0.8, half * 0.34), 1),
        tuple(drawn),
    )


def _span(widths: list[int], radius: float) -> float:
    """How many degrees a ring takes: so many that its seats stand as close as in the rows."""
    whole = sum(widths) + AISLE * (len(widths) - 1)
    return min(SPAN_MAX, whole / radius * 180 / pi)


class _Straight:
    """A section whose rows are straight lines before the stage."""

    def __init__(self, middle: Point, pitch: float, corner: Point, seats: int) -> None:
        self._x, self._y = middle[0] + corner[0] * pitch, middle[1] + corner[1] * pitch
        self._pitch, self._seats = pitch, seats

    def row(self, number: float, seats: int) -> str:
        indent = (self._seats - seats) / 2
        y = self._y + (number + 0.5) * self._pitch
        x = self._x + (indent + 0.5) * self._pitch
        return f"M{_n(x)} {_n(y)}h{_n(seats * self._pitch)}"

    def outline(self, deep: int) -> str:
        across, down = _n(self._seats * self._pitch), _n(deep * self._pitch)
        return f"M{_n(self._x)} {_n(self._y)}h{across}v{down}h-{across}z"

    def centre(self, deep: int) -> Point:
        return self._x + self._seats * self._pitch / 2, self._y + deep * self._pitch / 2


class _Ring:
    """A section whose rows are arcs round the stage."""

    def __init__(self, middle: Point, pitch: float, inner: float, angles: Point) -> None:
        self._middle, self._pitch, self._inner = middle, pitch, inner
        self._begin, self._end = angles

    def _at(self, number: float, angle: float) -> Point:
        radius = (self._inner + number) * self._pitch
        turn = angle * pi / 180
        return self._middle[0] + radius * cos(turn), self._middle[1] + radius * sin(turn)

    def row(self, number: float, _: int) -> str:
        begin, end = self._at(number + 0.5, self._begin), self._at(number + 0.5, self._end)
        return f"M{_arc(begin, end, (self._inner + number + 0.5) * self._pitch)}"

    def outline(self, deep: int) -> str:
        near, far = self._inner * self._pitch, (self._inner + deep) * self._pitch
        out = _arc(self._at(0, self._begin), self._at(0, self._end), near)
        back = _arc(self._at(deep, self._end), self._at(deep, self._begin), far, sweep=1)
        return f"M{out}L{back}z"

    def centre(self, deep: int) -> Point:
        return self._at(deep / 2, (self._begin + self._end) / 2)


def _arc(begin: Point, end: Point, radius: float, sweep: int = 0) -> str:
    r = _n(radius)
    return f"{_n(begin[0])} {_n(begin[1])}A{r} {r} 0 0 {sweep} {_n(end[0])} {_n(end[1])}"


def _drawn(
    section: Any,
    named: dict[int, tuple[str, str]],
    rows: dict[int, list[str]],
    place: "_Straight | _Ring",
) -> DrawnSection:
    zone, name = named[section.number]
    of_section = rows.get(section.number, [])
    x, y = place.centre(len(of_section))
    lines = tuple(
        DrawnRow(place.row(number, len(seats)), f"{len(seats) - 0.5}", *_pattern(seats))
        for number, seats in enumerate(of_section)
    )
    return DrawnSection(
        section, zone, name, round(x, 1), round(y, 1), place.outline(len(of_section)), lines
    )


def _pattern(seats: str) -> tuple[str, int]:
    """Dashes of no length at the free seats: the gaps between them, and where the first one is."""
    free = [place for place, seat in enumerate(seats) if seat == "1"]
    gaps = [other - one for one, other in pairwise(free)]
    return (" ".join(f"0 {gap}" for gap in [*gaps, 99]), -free[0]) if free else ("", 0)


def _seats(rows: dict[int, list[str]], section: Any) -> int:
    return max((len(row) for row in rows.get(section.number, ())), default=1)


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
