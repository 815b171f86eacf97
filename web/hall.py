"""The plan of a large hall: sections as rings round a stage, their seats as a halftone.

Nobody tells us where sections stand, so their price does: the dearest lie in rows before the stage,
each cheaper zone in a ring round them. A section is one line that runs through all its rows, there
and back, drawn twice with dots for dashes: where seats are free and where they are taken. So ten
thousand seats are some eighty paths; a path a row made a slow phone wait 0.2 s more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, dist, pi, sin
from typing import Any

WIDTH = 780.0
MARGIN = 14.0
ZONES = "ABCD"
Point = tuple[float, float]
AISLE = 2.5
"""Between sections and between rings, in seats."""
SEAT, FAR = 1000, 10_000_000
"""A seat's width along a line, and more than the whole of any line, in the units of dashes."""
STAGE_ROWS_MIN, STAGE_SHARE = 5.0, 0.16
SPAN_MAX = 212.0
"""Degrees of a ring, from the left of the stage round below it to the right."""


@dataclass(frozen=True)
class Dots:
    """Dashes of no length along a section's line: gaps between them, and where the first one is."""

    dashes: str
    offset: int


@dataclass(frozen=True)
class DrawnSection:
    """A section of the picture: what it is called, where its name stands, the whole as a target.

    Its line, how long that is (1000 a seat's width), and the dots on it.
    """

    section: Any
    zone: str
    name: str
    x: float
    y: float
    outline: str
    line: str
    length: int
    free: Dots
    taken: Dots


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
        round(min(27.0, (foot - top) * 0.8, half * 0.27), 1),
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
        self.pitch, self._seats = pitch, seats

    def row(self, number: int, seats: int, *, back: bool) -> "_Row":
        indent = (self._seats - seats) / 2
        y = self._y + (number + 0.5) * self.pitch
        ends = [(self._x + at * self.pitch, y) for at in (indent, indent + seats)]
        begin, end = reversed(ends) if back else ends
        return _Row(begin, end, f"{_p(begin)}H{_n(end[0])}", seats * self.pitch)

    def outline(self, deep: int) -> str:
        across, down = _n(self._seats * self.pitch), _n(deep * self.pitch)
        return f"M{_n(self._x)} {_n(self._y)}h{across}v{down}h-{across}z"

    def centre(self, deep: int) -> Point:
        return self._x + self._seats * self.pitch / 2, self._y + deep * self.pitch / 2


class _Ring:
    """A section whose rows are arcs round the stage."""

    def __init__(self, middle: Point, pitch: float, inner: float, angles: Point) -> None:
        self._middle, self.pitch, self._inner = middle, pitch, inner
        self._angles = angles
        self._turn = (angles[0] - angles[1]) * pi / 180
        # An arc is told by its ends: near half a circle a tenth more moves its middle by several.
        self._digits = 1 if self._turn < 2 else 4

    def _at(self, number: float, angle: float) -> Point:
        radius = (self._inner + number) * self.pitch
        turn = angle * pi / 180
        return self._middle[0] + radius * cos(turn), self._middle[1] + radius * sin(turn)

    def row(self, number: int, _: int, *, back: bool) -> "_Row":
        ends = [self._at(number + 0.5, angle) for angle in self._angles]
        begin, end = reversed(ends) if back else ends
        radius = (self._inner + number + 0.5) * self.pitch
        path = self._arc(end, radius, clockwise=back)
        return _Row(begin, end, f"{_p(begin, self._digits)}{path}", radius * self._turn)

    def outline(self, deep: int) -> str:
        near, far = self._inner * self.pitch, (self._inner + deep) * self.pitch
        begin, end = self._angles
        out = self._arc(self._at(0, end), near, clockwise=False)
        back = self._arc(self._at(deep, begin), far, clockwise=True)
        first, third = (_p(self._at(*at), self._digits) for at in ((0, begin), (deep, end)))
        return f"M{first}{out}L{third}{back}z"

    def centre(self, deep: int) -> Point:
        return self._at(deep / 2, sum(self._angles) / 2)

    def _arc(self, end: Point, radius: float, *, clockwise: bool) -> str:
        wide = int(self._turn > pi)
        across = _n(radius, self._digits)
        return f"A{across} {across} 0 {wide} {int(clockwise)} {_p(end, self._digits)}"


@dataclass(frozen=True)
class _Row:
    """One stretch of a section's line, from end to end, as a path without its first letter."""

    begin: Point
    end: Point
    path: str
    length: float


def _drawn(
    section: Any,
    named: dict[int, tuple[str, str]],
    rows: dict[int, list[str]],
    place: "_Straight | _Ring",
) -> DrawnSection:
    zone, name = named[section.number]
    of_section = rows.get(section.number, [])
    deep = len(of_section)
    x, y = place.centre(deep)
    unit = SEAT / place.pitch
    path, at = "", 0.0
    dots: dict[str, list[int]] = {"0": [], "1": []}
    before: _Row | None = None
    for number, letters in enumerate(of_section):
        back = number % 2 == 1
        row = place.row(number, len(letters), back=back)
        if before:
            at += dist(before.end, row.begin) * unit
        path += f"{'L' if before else 'M'}{row.path}"
        # The same gap all along a row: rounded one by one they would differ and compress badly.
        gap = round(row.length * unit / len(letters))
        first = round(at) + gap // 2
        for seat, letter in enumerate(reversed(letters) if back else letters):
            dots[letter].append(first + seat * gap)
        at += row.length * unit
        before = row
    return DrawnSection(
        section, zone, name, round(x, 1), round(y, 1), place.outline(deep),
        path, round(at), _dots(dots["1"]), _dots(dots["0"]),
    )  # fmt: skip


def _dots(places: list[int]) -> Dots:
    gaps = [other - one for one, other in pairwise(places)]
    # After the last one a gap that reaches beyond any line's end.
    return Dots(" ".join(f"0 {gap}" for gap in [*gaps, FAR]), -places[0]) if places else Dots("", 0)


def _seats(rows: dict[int, list[str]], section: Any) -> int:
    return max((len(row) for row in rows.get(section.number, ())), default=1)


def _n(number: float, digits: int = 1) -> str:
    return f"{number:.{digits}f}".removesuffix(".0")


def _p(point: Point, digits: int = 1) -> str:
    return f"{_n(point[0], digits)} {_n(point[1], digits)}"
