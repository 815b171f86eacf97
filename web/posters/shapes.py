"""The few flat shapes that posters are made of, on a square of 160."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Literal

SIDE = 160.0
CENTRE = SIDE / 2
SMALL = 12.0
"""An arc of so small a radius needs few points."""

Ink = Literal["ink", "spot", "over", "ground", "stock"]
"""What a shape is printed with; which colour that is depends on the poster's ground. `over` is the
spot again, overprinted: what lies below is seen through it."""
Point = tuple[float, float]


@dataclass(frozen=True)
class Disc:
    """A circle, filled."""

    ink: Ink
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Ring:
    """A circle as a line of some width, which lies to both sides of the radius."""

    ink: Ink
    x: float
    y: float
    radius: float
    width: float


@dataclass(frozen=True)
class Area:
    """A polygon, filled."""

    ink: Ink
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Stroke:
    """A line through points."""

    ink: Ink
    points: tuple[Point, ...]
    width: float


@dataclass(frozen=True)
class Slice:
    """Part of a disc, from one angle (degrees, clockwise from the right) to a later one."""

    ink: Ink
    x: float
    y: float
    radius: float
    begin: float
    end: float


Shape = Disc | Ring | Area | Stroke | Slice


@dataclass(frozen=True)
class Letters:
    """What a title gives a drawing: A is 1 … Z is 26, repeated; and a sum over all of them."""

    values: tuple[int, ...]
    total: int

    def __getitem__(self, place: int) -> int:
        return self.values[place % len(self.values)]


def box(ink: Ink, x: float, y: float, width: float, height: float) -> Area:
    """A rectangle."""
    return Area(ink, ((x, y), (x + width, y), (x + width, y + height), (x, y + height)))


def polar(x: float, y: float, radius: float, degrees: float) -> Point:
    """The point at this distance and angle (clockwise from the right)."""
    return x + radius * cos(degrees * pi / 180), y + radius * sin(degrees * pi / 180)


def turned(points: Iterable[Point], degrees: float) -> tuple[Point, ...]:
    """The points turned round the middle of the sheet."""
    a, b = cos(degrees * pi / 180), sin(degrees * pi / 180)
    return tuple(
        (CENTRE + (x - CENTRE) * a - (y - CENTRE) * b, CENTRE + (x - CENTRE) * b + (y - CENTRE) * a)
        for x, y in points
    )


def arc(x: float, y: float, radius: float, begin: float, end: float) -> tuple[Point, ...]:
    """Points along an arc, near enough to each other for a smooth edge."""
    steps = max(3, int(abs(end - begin) / (12 if radius > SMALL else 36)))
    return tuple(polar(x, y, radius, begin + (end - begin) * n / steps) for n in range(steps + 1))


def star(ink: Ink, at: Point, radius: float, points: int) -> Area:
    """A star, one point up."""
    radii = (radius, radius * 0.48)
    edge = (polar(*at, radii[n % 2], n * 180 / points - 90) for n in range(2 * points))
    return Area(ink, tuple(edge))


def halves(x: float, y: float, radius: float, turn: float) -> Iterator[Shape]:
    """A disc in two colours."""
    yield Slice("ink", x, y, radius, turn + 180, turn + 360)
    yield Slice("spot", x, y, radius, turn, turn + 180)


def figure(ink: Ink, x: float, foot: float, size: float) -> Iterator[Shape]:
    """Somebody on a stage: a circle and an arc."""
    yield Disc(ink, x, foot - 2.4 * size, size)
    yield Area(ink, (*arc(x, foot, 1.25 * size, 180, 360), (x + 1.25 * size, foot)))
