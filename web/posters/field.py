"""Posters of sports and festivals."""

from collections.abc import Iterator
from math import sin

from web.posters.shapes import (
    CENTRE,
    SIDE,
    Area,
    Disc,
    Ink,
    Letters,
    Ring,
    Shape,
    Slice,
    Stroke,
    arc,
    box,
    halves,
    polar,
    turned,
)


def pitch(letters: Letters, layout: int, _: int) -> Iterator[Shape]:
    """Cancha: the lines of a field, turned, and a ball with the places where it was."""
    angle = (-14, 12, 32, -52)[layout] + letters[1] % 9 - 4
    lines: tuple[tuple[tuple[float, float], ...], ...] = (
        ((-30, 8), (190, 8), (190, 152), (-30, 152), (-30, 8)),
        ((80, 8), (80, 152)),
        ((-30, 44), (22, 44), (22, 116), (-30, 116)),
        ((190, 44), (138, 44), (138, 116), (190, 116)),
    )
    for points in lines:
        yield Stroke("ink", turned(points, angle), 5)
    yield Ring("ink", CENTRE, CENTRE, 30, 5)
    (x, y), heading = polar(CENTRE, CENTRE, 46, letters[0] * 14), letters[0] * 14 + 180
    for step in range(4, 0, -1):
        yield Disc("over", *polar(x, y, step * 19, heading + step * 6), 19 - step * 3.4)
    yield from halves(x, y, 25, heading + 90)


def pennant(letters: Letters, layout: int, _: int) -> Iterator[Shape]:
    """Gallardete: chevrons up or down, and a disc in two colours."""
    y, place, down = -70.0, 0, layout % 2
    while y < 230:
        height = 8 + letters[place] / 26 * 18
        tip = -46 if down else 46
        ink: Ink = "spot" if place % 3 == 2 else "ink"
        if place % 2 == 0 or ink == "spot":
            yield Area(
                ink,
                (
                    (0, y + tip), (CENTRE, y), (SIDE, y + tip),
                    (SIDE, y + tip + height), (CENTRE, y + height), (0, y + tip + height),
                ),
            )  # fmt: skip
        y, place = y + height + 9, place + 1
    yield Disc("ground", CENTRE, CENTRE, 42)
    yield from halves(CENTRE, CENTRE, 36, 90 * (layout // 2))


def lanes(letters: Letters, layout: int, _: int) -> Iterator[Shape]:
    """Meta: the lanes of a track in a bend, a runner in each, one of them ahead."""
    x, y = ((0, SIDE), (SIDE, SIDE), (SIDE, 0), (0, 0))[layout]
    begin = (270, 180, 90, 0)[layout]
    radius, place, first = 26.0, 0, letters.total % 5
    while radius < 230:
        yield Ring("ink", x, y, radius, 4)
        runner = polar(x, y, radius + 13, begin + 12 + letters[place] / 26 * 64)
        if place % 5 == first:
            yield Disc("spot", *runner, 12)
        else:
            yield Disc("ink", *runner, 6.5)
        radius, place = radius + 26, place + 1
    finish = begin + 80
    for step in range(9):
        inner, outer = 26 + step * 26, 39 + step * 26
        half = step % 2
        yield Stroke(
            "ink",
            (
                polar(x, y, inner + 13 * half, finish),
                polar(x, y, outer + 13 * half, finish),
            ),
            7,
        )


def cut_paper(letters: Letters, layout: int, _: int) -> Iterator[Shape]:
    """Papel picado: rows of cut paper on a string, with holes of four kinds."""
    rows = 2 + letters.total % 3
    height = SIDE / rows
    place = 0
    for row in range(rows):
        sheets = 3 + (row + layout) % 2
        width, top = SIDE / sheets, row * height
        yield box("ink", 0, top + 3, SIDE, 3)
        for sheet in range(sheets):
            ink: Ink = "spot" if (sheet + row) % 2 else "ink"
            left, right = sheet * width + 4, (sheet + 1) * width - 4
            bottom = top + height * 0.72
            hem = (
                _scallops(left, right, bottom)
                if (row + layout) % 2
                else _teeth(left, right, bottom)
            )
            yield Area(ink, ((right, top + 6), (left, top + 6), *hem))
            yield from _hole(
                letters[place] % 4, (left + right) / 2, (top + 6 + bottom) / 2, height * 0.17
            )
            place += 1


def _teeth(left: float, right: float, y: float) -> tuple[tuple[float, float], ...]:
    step = (right - left) / 6
    return tuple((left + n * step, y + (7 if n % 2 else 0)) for n in range(7))


def _scallops(left: float, right: float, y: float) -> tuple[tuple[float, float], ...]:
    radius = (right - left) / 6
    bows = (arc(left + radius * (2 * n + 1), y, radius, 180, 0) for n in range(3))
    return tuple(point for bow in bows for point in bow)


def _hole(kind: int, x: float, y: float, size: float) -> Iterator[Shape]:
    if kind == 0:
        yield Area("ground", ((x, y - size), (x + size, y), (x, y + size), (x - size, y)))
    elif kind == 1:
        yield Disc("ground", x, y, size)
        yield box("stock", x - size, y - 1.5, 2 * size, 3)
    elif kind == 2:
        for n in range(5):
            yield Disc("ground", *polar(x, y, size * 0.64, n * 72 - 90), size * 0.42)
    else:
        yield Ring("ground", x, y, size * 0.72, size * 0.42)


def sun(letters: Letters, layout: int, number: int) -> Iterator[Shape]:
    """Sol: rays of the title's letters round a face; hills below it, every other time."""
    x, y = ((80, 70), (80, 80), (62, 62), (104, 66))[layout]
    rays = 14 + letters.total % 9
    for ray in range(rays):
        angle, reach = ray * 360 / rays, 34 + 18 + letters[ray] / 26 * 50
        yield Area(
            "ink",
            (polar(x, y, 34, angle - 6), polar(x, y, reach, angle), polar(x, y, 34, angle + 6)),
        )
    yield Ring("spot", x, y, 35, 12)
    yield Disc("ground", x, y, 29)
    yield Disc("ink", x, y, 20)
    turn = letters[0] * 14
    yield Slice("spot" if number % 2 else "ground", x, y, 14, turn, turn + 180)
    if layout % 2 == 0:
        for ink, base, swing in (("ink", 132, 9), ("spot", 143, 7)):
            wave = tuple(
                (float(at), base + swing * sin((at + letters[2] * 9) / 27))
                for at in range(0, 161, 8)
            )
            yield Area(ink, (*wave, (SIDE, SIDE), (0, SIDE)))  # type: ignore[arg-type]
