"""An event's poster: its title draws the picture.

Made from id, category and title alone, the same for ever; one list of flat shapes on a square of
160 gives the drawing in a page and the picture of a link preview.
"""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from web.posters import field, paper, stage
from web.posters.shapes import Area, Disc, Ink, Letters, Ring, Shape, Slice, Stroke, polar

INK, PAPER = "#16130F", "#F6F6F2"
STOCKS = {
    "CONCERT": "#FFC929",
    "THEATER": "#FF7E61",
    "SPORTS": "#45CE8A",
    "FESTIVAL": "#FF8DBB",
    "CONFERENCE": "#7CC6FF",
    "OTHER": "#D8C59F",
}
SPOTS = {
    "CONCERT": ("#F0421F", "#F0421F"),
    "THEATER": ("#2447C8", "#FFC929"),
    "SPORTS": ("#FFC929", "#1F4FD8"),
    "FESTIVAL": ("#F0421F", "#12A594"),
    "CONFERENCE": ("#1F4FD8", "#F0421F"),
    "OTHER": ("#0E8A58", "#F0421F"),
}
Family = Callable[[Letters, int, int], Iterator[Shape]]
FAMILIES: dict[str, tuple[Family, ...]] = {
    "CONCERT": (stage.groove, stage.voice),
    "THEATER": (stage.mask, stage.curtain, stage.footlights),
    "SPORTS": (field.pitch, field.pennant, field.lanes),
    "FESTIVAL": (field.cut_paper, field.sun),
    "CONFERENCE": (paper.grid, paper.link),
    "OTHER": (paper.halftone, paper.rose),
}
LETTERS_MIN = 48
POSTERS_KEPT_MAX = 512


@dataclass(frozen=True)
class Poster:
    """Shapes in the order of printing, and the colours that their inks stand for."""

    shapes: tuple[Shape, ...]
    colours: dict[Ink, str]

    @property
    def dark(self) -> bool:
        """Whether it is printed on ink: there the spot lightens what it is laid over."""
        return self.colours["ground"] == INK


def letters_of(title: str) -> Letters:
    """The title's letters as numbers, without accents; what has no letters still draws."""
    folded = unicodedata.normalize("NFD", title.upper())
    values = [ord(letter) - 64 for letter in folded if "A" <= letter <= "Z"] or [13]
    total = sum((place + 1) * value for place, value in enumerate(values))
    return Letters(tuple((values * LETTERS_MIN)[: max(LETTERS_MIN, len(values))]), total)


@lru_cache(POSTERS_KEPT_MAX)
def poster(event_id: int, category: str, title: str, pasted: int = 0) -> Poster:
    """The poster of an event; a category that nobody knows is printed as OTHER.

    Pasted in a row, the second copy and those after it (1, 2, …) change their ground.
    """
    kind = category if category in FAMILIES else "OTHER"
    letters = letters_of(title)
    families, stock = FAMILIES[kind], STOCKS[kind]
    family = families[(event_id + event_id // len(families)) % len(families)]
    layout = (event_id + event_id // 4) % 4
    turn = event_id // 3 + letters.total
    grounds = (stock, PAPER, stock, INK) if not pasted else (stock, INK, PAPER)
    ground = grounds[(pasted or turn) % len(grounds)]
    spot = SPOTS[kind][(event_id // 2 + letters.total) % 2]
    colours: dict[Ink, str] = {
        "ground": ground,
        "ink": stock if ground == INK else INK,
        "spot": spot,
        "over": spot,
        "stock": stock,
    }
    return Poster(tuple(family(letters, layout, event_id)), colours)


@lru_cache(POSTERS_KEPT_MAX)
def svg(event_id: int, category: str, title: str, pasted: int = 0) -> str:
    """The poster as what stands inside an `<svg viewBox="0 0 160 160">`."""
    drawn = poster(event_id, category, title, pasted)
    parts = [f'<path fill="{drawn.colours["ground"]}" d="M0 0h160v160H0z"/>']
    blend = "screen" if drawn.dark else "print"
    for ink, shapes in groupby(drawn.shapes, key=lambda shape: shape.ink):
        kind = f' class="{blend}"' if ink == "over" else ""
        colour = drawn.colours[ink]
        # A run of one ink is one group, and all its outlines one path.
        outlines: list[str] = []
        lines: list[str] = []
        for shape in shapes:
            (lines if isinstance(shape, Ring | Stroke) else outlines).append(
                _element(shape, colour)
            )
        path = f'<path d="{"".join(outlines)}"/>' if outlines else ""
        parts.append(f'<g fill="{colour}"{kind}>{path}{"".join(lines)}</g>')
    return "".join(parts)


def _element(shape: Shape, colour: str) -> str:
    match shape:
        case Disc(_, x, y, radius):
            r = _n(radius)
            return f"M{_n(x - radius)} {_n(y)}a{r} {r} 0 1 1 0 .1z"
        case Area(_, points):
            return f"M{_points(points)}z"
        case Slice(_, x, y, radius, begin, end):
            first, last = polar(x, y, radius, begin), polar(x, y, radius, end)
            r, large = _n(radius), int(end - begin > 180)
            return f"M{_points([(x, y), first])}A{r} {r} 0 {large} 1 {_points([last])}z"
        case Ring(_, x, y, radius, width):
            return (
                f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="none"'
                f' stroke="{colour}" stroke-width="{_n(width)}"/>'
            )
        case Stroke(_, points, width):
            return (
                f'<path fill="none" stroke="{colour}" stroke-width="{_n(width)}"'
                f' d="M{_points(points)}"/>'
            )


def _n(number: float) -> str:
    """A tenth of a unit is less than anybody sees."""
    return f"{number:.1f}".removesuffix(".0").replace("-0.", "-.") or "0"


def _points(points: "tuple[tuple[float, float], ...] | list[tuple[float, float]]") -> str:
    return "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
