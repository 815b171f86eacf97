"""Titles as lines of wood type: each line is set in the width and size that reach both margins."""

import json
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations, pairwise, product
from pathlib import Path
from typing import Any

MEASURE = 100.0
"""Both margins of a line; every size and height is in units of it."""
SIZE_MAX = 30.0
"""A line of this size may be too short to fill the measure, and is not to be stretched."""
SLOT = 36.0
SIZE_WIDE_MIN = 19.0
SIZE_MIN = 8.5
LINES_MAX = 4
LINE_HEIGHT = 0.76
LINE_HEIGHT_ACCENT = 0.9
FOOT = 0.015
"""What a round letter needs below the baseline, in parts of the size."""
UNEVEN = 1.7

ACCENTED = frozenset("ÁÉÍÓÚÜÑ")
ARTICLES = frozenset(
    ("EL", "LA", "LOS", "LAS", "DE", "DEL", "Y", "THE", "A", "OF", "AND", "UN", "UNA")
)
UNEVEN_PENALTY = 8.0
ARTICLE_PENALTY = 20.0
SMALL_PENALTY = 4.0
"""For each unit of size that is missing, so that a very long title still takes its largest."""

WORDS_MAX = 12
"""Up to here every break is tried: 232 of them."""
REACH = 2
"""Of a longer title, the words tried on either side of an even break."""

_TABLE: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
WIDTHS: tuple[int, ...] = tuple(_TABLE["widths"])
ADVANCES: dict[int, dict[str, int]] = {
    width: {glyph: row[column] for glyph, row in _TABLE["advances"].items()}
    for column, width in enumerate(WIDTHS)
}
"""At each of WIDTHS, of each glyph of archivo-cartel.woff2, in thousandths of the size."""
GLYPHS = frozenset(_TABLE["advances"])

_DASHES = frozenset("-\N{EN DASH}")
_KIN = str.maketrans(
    {
        "`": "\N{RIGHT SINGLE QUOTATION MARK}",
        "\N{ACUTE ACCENT}": "\N{RIGHT SINGLE QUOTATION MARK}",
        "\N{LEFT SINGLE QUOTATION MARK}": "\N{RIGHT SINGLE QUOTATION MARK}",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "«": '"',
        "»": '"',
        "\N{HYPHEN}": "-",
        "\N{MINUS SIGN}": "-",
        "\N{EM DASH}": "\N{EN DASH}",
        "\N{FRACTION SLASH}": "/",
        "•": "·",
        "Æ": "AE",
        "Œ": "OE",
        "Ø": "O",
        "Ł": "L",
        "Đ": "D",
    }
)
"""Signs that the font does not have and Unicode does not decompose."""


@dataclass(frozen=True)
class Line:
    """A line as it is drawn: `y` is its baseline, `width` the font's stretch in per cent."""

    text: str
    size: float
    width: int
    y: float


@dataclass(frozen=True)
class Filled:
    """A title set in lines, 100 wide and `height` high. One without any glyph has no lines."""

    height: float
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class _Setting:
    """A line before it has its place."""

    text: str
    size: float
    width: int
    height: float


@lru_cache(maxsize=2048)
def fill(title: str, slot: float = SLOT) -> Filled:
    """The title broken into the one to four lines whose height is nearest to the slot."""
    words = _words(title)
    if not words:
        return Filled(0.0, ())
    # A low slot (a desk's wide bill) asks for wide and low letters.
    size_wide_min = SIZE_WIDE_MIN * slot / SLOT
    settings: dict[tuple[int, int], _Setting] = {}
    best: list[_Setting] = []
    least = float("inf")
    for cuts in _breaks(words):
        lines: list[_Setting] = []
        for span in pairwise((0, *cuts, len(words))):
            if span not in settings:
                settings[span] = _set(" ".join(words[slice(*span)]), size_wide_min)
            lines.append(settings[span])
        cost = _cost(lines, slot)
        if cost < least:
            best, least = lines, cost
    return _placed(best)


def advance(text: str, width: int) -> float:
    """How long a text of known glyphs is at that width, in parts of the size."""
    return sum(map(ADVANCES[width].__getitem__, text)) / 1000


def _folded(title: str) -> Iterator[str]:
    """The title's glyphs: capitals, foreign letters without their marks, the unknown left out."""
    for letter in unicodedata.normalize("NFC", title).upper().translate(_KIN):
        if letter in GLYPHS:
            yield letter
        elif letter.isspace():
            yield " "
        else:
            plain = unicodedata.normalize("NFKD", letter).upper().translate(_KIN)
            yield from (part for part in plain if part in GLYPHS)


def _words(title: str) -> list[str]:
    """What no line ends within: words, each with the dashes that follow it."""
    words: list[str] = []
    for word in "".join(_folded(title)).split():
        if words and _DASHES.issuperset(word):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def _breaks(words: list[str]) -> Iterator[tuple[int, ...]]:
    """Where lines may begin after the first: all ways, or those nearest to even of a long title."""
    count = len(words)
    if count <= WORDS_MAX:
        ways = (combinations(range(1, count), lines - 1) for lines in range(1, LINES_MAX + 1))
        yield from chain.from_iterable(ways)
        return
    ends = [0.0]
    for word in words:
        ends.append(ends[-1] + advance(f"{word} ", WIDTHS[0]))
    for lines in range(1, LINES_MAX + 1):
        even = (bisect_left(ends, ends[-1] * line / lines) for line in range(1, lines))
        near = (range(max(1, at - REACH), min(count, at + REACH + 1)) for at in even)
        yield from (cuts for cuts in product(*near) if all(a < b for a, b in pairwise(cuts)))


def _set(text: str, size_wide_min: float) -> _Setting:
    """The text in the widest width that leaves it large enough, else in the narrowest."""
    narrowest = WIDTHS[0]
    width, size = narrowest, MEASURE / advance(text, narrowest)
    if size >= size_wide_min:
        sizes = ((wide, MEASURE / advance(text, wide)) for wide in reversed(WIDTHS))
        width, size = next(found for found in sizes if found[1] >= size_wide_min)
    size = round(min(size, SIZE_MAX), 2)
    height = size * (LINE_HEIGHT if ACCENTED.isdisjoint(text) else LINE_HEIGHT_ACCENT)
    return _Setting(text, size, width, height)


def _cost(lines: list[_Setting], slot: float) -> float:
    sizes = [line.size for line in lines]
    cost = abs(sum(line.height for line in lines) - slot)
    if max(sizes) > UNEVEN * min(sizes):
        cost += UNEVEN_PENALTY
    cost += ARTICLE_PENALTY * sum(line.text in ARTICLES for line in lines)
    return cost + SMALL_PENALTY * max(0.0, SIZE_MIN - min(sizes))


def _placed(settings: list[_Setting]) -> Filled:
    foot = 0.0
    lines = []
    for line in settings:
        foot += line.height
        lines.append(Line(line.text, line.size, line.width, round(foot - FOOT * line.size, 2)))
    return Filled(round(foot, 2), tuple(lines))
