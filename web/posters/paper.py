"""Posters of conferences and of everything else."""

from collections.abc import Iterator

from web.posters.shapes import (
    CENTRE,
    SIDE,
    Area,
    Disc,
    Ink,
    Letters,
    Shape,
    Slice,
    Stroke,
    box,
    polar,
    star,
)


def grid(letters: Letters, layout: int, _: int) -> Iterator[Shape]:
    """Retícula: modules, each one of seven shapes."""
    modules = 3 + layout
    size = SIDE / modules
    for place in range(modules * modules):
        x, y = (place % modules) * size, (place // modules) * size
        letter = letters[place + place // 7]
        ink: Ink = "spot" if (letter + place) % 3 == 0 else "ink"
        yield from _module(letter % 7, ink, x, y, size)


def _module(kind: int, ink: Ink, x: float, y: float, size: float) -> Iterator[Shape]:
    half = size / 2
    if kind == 0:
        yield Slice(ink, x, y, size, 0, 90)
    elif kind == 1:
        yield Slice(ink, x + size, y + size, size, 180, 270)
    elif kind == 2:
        yield Disc(ink, x + half, y + half, half)
    elif kind == 3:
        yield Area(ink, ((x, y), (x + size, y), (x, y + size)))
    elif kind == 4:
        yield Slice(ink, x + half, y, half, 0, 180)
    elif kind == 5:
        yield Disc(ink, x + half, y + half, size * 0.18)
    else:
        yield box(ink, x, y, size, size)


def link(letters: Letters, layout: int, _: int) -> Iterator[Shape]:
    """Enlace: points on a circle, joined where their letters add up to an odd number."""
    count = 5 + letters.total % 4
    yield Disc("over", *((104, 58), (56, 60), (60, 104), (106, 100))[layout], 50)
    radius = [56 + letters[n + 3] / 26 * 14 for n in range(count)]
    turn = letters[0] * 7
    points = [polar(CENTRE, CENTRE, radius[n], turn + n * 360 / count) for n in range(count)]
    for one in range(count):
        for other in range(one):
            if (letters[one] + letters[other]) % 2 or one - other == 1:
                width = 1.8 + (letters[one] + letters[other]) / 52 * 3
                yield Stroke("ink", (points[one], points[other]), width)
    for n, (x, y) in enumerate(points):
        yield Disc("ink", x, y, 7 + letters[n] / 26 * 9)
        if n % 2 == 0:
            yield Disc("ground", x, y, 3.5 + letters[n] / 26 * 3.5)


def halftone(letters: Letters, layout: int, _: int) -> Iterator[Shape]:
    """Trama: a field of dots that fades from one corner, and a star."""
    corner = ((160, 0), (0, 0), (0, 160), (160, 160))[layout]
    pitch = SIDE / 12
    for row in range(12):
        for column in range(12):
            x, y = (column + 0.5) * pitch, (row + 0.5) * pitch
            far = ((x - corner[0]) ** 2 + (y - corner[1]) ** 2) ** 0.5 / 226
            size = round(2 * pitch * (0.64 - 0.56 * far)) / 2
            if size >= 1:
                yield Disc("ink", x, y, size)
    at = ((46, 112), (114, 112), (112, 48), (48, 48))[layout]
    yield star("over", at, 42, 5 + letters[0] % 5)


def rose(letters: Letters, layout: int, _: int) -> Iterator[Shape]:
    """Rosa: petals as long as the letters, and a checkered border."""
    for edge in (0.0, 152.0):
        for square in range(20):
            for line in range(2):
                if (square + line) % 2:
                    yield box("ink", square * 8, edge + line * 4, 8, 4)
    petals = 5 + letters.total % 6
    turn = layout * 19
    for petal in range(petals):
        angle = turn + petal * 360 / petals
        reach = 34 + letters[petal] / 26 * 22 + 10
        wide = min(17.0, 96 / petals)
        x, y = polar(CENTRE, CENTRE, 14 + reach / 2, angle)
        outline = []
        for n in range(20):
            along, across = polar(0, 0, 1, n * 18)
            a, b = polar(0, 0, along * reach / 2, angle), polar(0, 0, across * wide, angle + 90)
            outline.append((x + a[0] + b[0], y + a[1] + b[1]))
        yield Area("over" if petal % 2 else "ink", tuple(outline))
    yield Disc("ground", CENTRE, CENTRE, 14)
    yield Disc("ink", CENTRE, CENTRE, 7)
