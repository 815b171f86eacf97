"""Posters of concerts and theatre."""

from collections.abc import Iterator

from web.posters.shapes import (
    CENTRE,
    SIDE,
    Area,
    Disc,
    Letters,
    Ring,
    Shape,
    Slice,
    arc,
    box,
    figure,
    polar,
)

MIDDLE, CORNER, FOOT, FAR_CORNER = range(4)


def groove(letters: Letters, layout: int, _: int) -> Iterator[Shape]:
    """Surco: a record's rings, from one of four centres, and the spot."""
    x, y, reach = {
        MIDDLE: (CENTRE, CENTRE, 76.0),
        CORNER: (34.0, 126.0, 190.0),
        FOOT: (CENTRE, SIDE, 124.0),
        FAR_CORNER: (126.0, 34.0, 190.0),
    }[layout]
    at = {MIDDLE: (118, 46), CORNER: (112, 50), FOOT: (80, 46), FAR_CORNER: (48, 112)}[layout]
    yield Disc("over", *at, 42 if layout != FOOT else 38)
    scale = 1.7 if layout in (CORNER, FAR_CORNER) else 1.0
    yield Disc("ink", x, y, 5.5 * scale)
    radius, place = 10.0 * scale, 0
    while radius < reach:
        width = (1.6 + letters[place] / 26 * 6.4) * scale
        yield Ring("ink", x, y, radius + width / 2, width)
        radius, place = radius + width + 3.2 * scale, place + 1


def voice(letters: Letters, layout: int, _: int) -> Iterator[Shape]:
    """Voz: the bars of a voice, from the middle, the foot or the top."""
    bars = 9 + letters.total % 9
    if layout % 2:
        yield Disc("over", 80 if layout == 1 else 110, 80 if layout == 1 else 44, 38)
    else:
        yield box("over", 0, 58, SIDE, 44)
    pitch = SIDE / bars
    for bar in range(bars):
        length = 14 + letters[bar] / 26 * 118
        top = (CENTRE - length / 2, CENTRE - length / 2, SIDE - length, 0.0)[layout]
        yield box("ink", bar * pitch + pitch * 0.2, top, pitch * 0.6, length)


def curtain(letters: Letters, layout: int, _: int) -> Iterator[Shape]:
    """Telón: folds, opened in one of four ways, and a figure in the opening."""
    x, place = 0.0, 0
    while x < SIDE:
        width = 5 + letters[place] / 26 * 11
        if place % 2 == 0:
            yield box("ink", x, 0, width, SIDE)
        x, place = x + width, place + 1
    yield (
        Area("spot", (*arc(CENTRE, 84, 54, 180, 360), (134, SIDE), (26, SIDE))),
        Area("spot", ((68, 0), (92, 0), (150, SIDE), (10, SIDE))),
        Area("spot", (*arc(CENTRE, 176, 88, 180, 360), (168, 176))),
        Area("spot", ((0, 0), (SIDE, 0), (150, 40), (CENTRE, 150), (10, 40))),
    )[layout]
    yield from (figure("ink", CENTRE, SIDE, 20) if layout != 3 else (Disc("ink", CENTRE, 46, 26),))


def mask(letters: Letters, layout: int, number: int) -> Iterator[Shape]:
    """Máscara: a face in two inks; it laughs or does not."""
    for tooth in range(10):
        yield box("ink", 4 + tooth * 16, 0, 9, 5 + letters[tooth] / 26 * 10)
    left, right, top, chin = 28.0, 132.0, 30.0, 84.0
    yield Area("spot", ((CENTRE, top), (left, top), (left, chin), *arc(CENTRE, chin, 52, 180, 90)))
    yield Area("ink", ((CENTRE, top), (right, top), (right, chin), *arc(CENTRE, chin, 52, 0, 90)))
    kind = letters[0] % 3
    for x, ink in ((56.0, "ink"), (104.0, "ground")):
        if kind == 0:
            yield Disc(ink, x, 66, 11)  # type: ignore[arg-type]
        elif kind == 1:
            yield Slice(ink, x, 72, 14, 180, 360)  # type: ignore[arg-type]
        else:
            yield Area(ink, ((x - 12, 74), (x + 12, 74), (x, 54)))  # type: ignore[arg-type]
    laughs = (number + layout) % 2 == 1
    y, middle = (94, 90) if laughs else (118, 270)
    yield Slice("ink", CENTRE, y, 25, middle - 90 * (not laughs), middle + 90 * laughs)
    yield Slice("ground", CENTRE, y, 25, middle - 90 * laughs, middle + 90 * (not laughs))


def footlights(letters: Letters, layout: int, _: int) -> Iterator[Shape]:
    """Candilejas: beams that rise from the edge of the stage and meet nobody, or somebody."""
    lamps = 4 + layout
    pitch = SIDE / lamps
    for lamp in range(lamps):
        x = pitch * (lamp + 0.5)
        lean = (letters[lamp] - 13) * 2.2
        reach = 34 + letters[lamp + 5] / 26 * 96
        tip, spread = 132 - reach, pitch * 0.52
        ink = "spot" if lamp % 2 else "ink"
        yield Area(
            ink,  # type: ignore[arg-type]
            ((x - 4, 132), (x + 4, 132), (x + lean + spread, tip), (x + lean - spread, tip)),
        )
    yield box("ink", 0, 132, SIDE, 28)
    for lamp in range(lamps):
        yield Slice("ground", pitch * (lamp + 0.5), 150, min(12.0, pitch * 0.36), 180, 360)
    if layout % 2:
        yield from figure("spot", *polar(CENTRE, 132, 0, 0), 15)
