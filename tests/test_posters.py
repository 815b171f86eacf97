"""The title draws the picture: always the same one, small, in the printed colours, never twice in a row."""

import itertools
import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from web.posters import FAMILIES, INK, PAPER, SPOTS, STOCKS, Family, poster, svg
from web.posters.shapes import Letters, Shape

TITLES = ["La Sonora del Puerto", "Ñandú", "Clásico: Alianza – Cienciano", "20", "", "A" * 100]
BYTES_MAX = 5_000
KINDS = [(kind, title) for kind in FAMILIES for title in TITLES]


@pytest.mark.parametrize(("kind", "title"), KINDS)
def test_a_poster_is_small_and_printed_in_three_colours(kind: str, title: str) -> None:
    for event_id in range(1, 40):
        drawn = svg(event_id, kind, title)
        assert len(drawn) < BYTES_MAX
        ET.fromstring(f"<svg>{drawn}</svg>")  # noqa: S314  our own drawing
        colours = set(re.findall(r"#[0-9A-F]{6}", drawn))
        assert colours <= {INK, PAPER, STOCKS[kind], *SPOTS[kind]}
        assert len(colours - {PAPER}) <= 3


@pytest.mark.parametrize("kind", FAMILIES)
def test_neighbours_differ(kind: str) -> None:
    season = [svg(event_id, kind, "La casa de Bernarda Alba") for event_id in range(101, 161)]
    assert all(one != other for one, other in itertools.pairwise(season))


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_has_its_turn_in_every_layout(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    seen: set[tuple[int, int]] = set()

    def family(number: int) -> Family:
        def draw(_: Letters, layout: int, __: int) -> Iterator[Shape]:
            seen.add((number, layout))
            return iter(())

        return draw

    count = len(FAMILIES[kind])
    monkeypatch.setitem(FAMILIES, kind, tuple(family(number) for number in range(count)))
    for event_id in range(101, 161):
        poster(event_id, kind, f"seen by {kind}")
    assert {number for number, _ in seen} == set(range(count))
    assert {layout for _, layout in seen} == {0, 1, 2, 3}


def test_a_title_draws_its_own_picture() -> None:
    assert svg(5, "CONCERT", "Susurros") == svg(5, "CONCERT", "Susurros")
    assert svg(5, "CONCERT", "Susurros") != svg(5, "CONCERT", "Susurro")
    assert svg(5, "CONCERT", "Música") == svg(5, "CONCERT", "Musica")


def test_pasted_in_a_row_the_ground_changes() -> None:
    grounds = [svg(7, "CONCERT", "Voz", pasted)[:20] for pasted in (1, 2, 3)]
    assert len(set(grounds)) == 3
