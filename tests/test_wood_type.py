"""Filled titles: both margins are reached, no article stands alone, and any title ends."""

import re
import time
from itertools import pairwise
from pathlib import Path

import pytest

from web import wood_type
from web.wood_type import Filled, fill

ROOT = Path(__file__).parent.parent
SLOTS = [36.0, 20.0]
FONT = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ÁÉÍÓÚÜÑ .,:;!¡?¿&'’-–·/()%+€$×#\""
DEMO = [
    title.replace("''", "'")
    for title in re.findall(
        r"^    \('[A-Z]+', '[^']*', '((?:[^']|'')+)', '",
        (ROOT / "sql/demo_data.sql").read_text(),
        re.MULTILINE,
    )
]
LONG = [
    ("a " * 100)[:200],
    ("a b" * 67)[:200],
    "x" * 200,
    ("los las de " * 20)[:200],
    ("Noche de boleros " * 6)[:100],
    ("Orquesta Sinfónica – " * 10)[:200],
    "x" * 98 + " y",
]


def texts(filled: Filled) -> list[str]:
    return [line.text for line in filled.lines]


def check(filled: Filled) -> None:
    """What is true of every filled title."""
    assert len(filled.lines) <= 4
    foot = 0.0
    for line in filled.lines:
        length = wood_type.advance(line.text, line.width) * line.size
        assert 0 < line.size <= 30
        if line.size < wood_type.SIZE_MAX:
            assert length == pytest.approx(100, abs=0.005 * length / line.size + 1e-9)
        else:
            assert length <= 100
        accented = set(line.text) & wood_type.ACCENTED
        foot += line.size * (0.9 if accented else 0.76)
        assert line.y == pytest.approx(foot - wood_type.FOOT * line.size, abs=0.006)
    assert filled.height == pytest.approx(foot, abs=0.006)
    assert all(above.y < below.y for above, below in pairwise(filled.lines))


def test_the_table_has_the_glyphs_of_the_font() -> None:
    assert set(FONT) == wood_type.GLYPHS
    assert wood_type.WIDTHS == (62, 75, 88, 100, 112, 125)
    for narrow, wide in pairwise(wood_type.WIDTHS):
        assert all(
            0 < wood_type.ADVANCES[narrow][letter] < wood_type.ADVANCES[wide][letter]
            for letter in FONT
            if letter.isalpha()
        )


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("title", [*DEMO, *LONG])
def test_lines_fill_the_measure_and_heights_add_up(title: str, slot: float) -> None:
    filled = fill(title, slot)
    assert filled.lines
    check(filled)


@pytest.mark.parametrize("slot", SLOTS)
def test_no_article_stands_alone(slot: float) -> None:
    assert len(DEMO) > 60
    for title in DEMO:
        assert not set(texts(fill(title, slot))) & wood_type.ARTICLES, title


def test_the_bill_of_the_drawing() -> None:
    filled = fill("La Sonora del Puerto")
    assert texts(filled) == ["LA SONORA", "DEL PUERTO"]
    assert [line.width for line in filled.lines] == [75, 75]
    assert filled == fill("La Sonora del Puerto", 36.0)


def test_the_widest_width_that_stays_large() -> None:
    for line in (line for title in DEMO for line in fill(title).lines):
        sizes = {width: 100 / wood_type.advance(line.text, width) for width in wood_type.WIDTHS}
        large = [width for width, size in sizes.items() if size >= 19]
        assert line.width == max(large, default=62), line


@pytest.mark.parametrize("slot", SLOTS)
def test_a_dash_stays_with_the_word_before_it(slot: float) -> None:
    for dash in "-–—":
        lines = texts(fill(f"Clásico: Alianza {dash} Cienciano", slot))
        assert not any(line.startswith(("-", "–")) for line in lines)
        assert any("ALIANZA –" in line or "ALIANZA -" in line for line in lines)


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Ángel Ñandú, ¿qué güiro?", "ÁNGEL ÑANDÚ, ¿QUÉ GÜIRO?"),
        ("N\u0303andu\u0301", "ÑANDÚ"),
        ("Façade à Õrebro", "FACADE A OREBRO"),
        ("«Straße» “ﬁn” l‘œil…", '"STRASSE" "FIN" L’OEIL...'),
        ("Rock 🎸\tPop\u00a0\u200b2", "ROCK POP 2"),
        ("Ελλάδα 日本 Lima", "LIMA"),
        ("<b>&amp;", "B&AMP;"),
    ],
)  # fmt: skip
def test_titles_are_folded_to_the_font(title: str, text: str) -> None:
    filled = fill(title)
    check(filled)
    assert " ".join(texts(filled)) == text


@pytest.mark.parametrize("title", ["", "  \n", "🎸🎉", "日本語", "\u0301\u200d"])
def test_a_title_without_letters_is_an_empty_bill(title: str) -> None:
    assert fill(title) == Filled(0.0, ())


@pytest.mark.parametrize("title", ["Y", "–", "K", "...", "⁄", "1"])
def test_a_short_title_is_capped(title: str) -> None:
    filled = fill(title)
    check(filled)
    assert filled.lines[0].size == wood_type.SIZE_MAX


@pytest.mark.parametrize("title", [*LONG, "Noche de gala en el Rímac con voces del Ande y la Luna"])
def test_a_long_title_ends_in_time(title: str) -> None:
    best = 1.0
    for _ in range(8):
        fill.cache_clear()
        began = time.process_time()
        fill(title)
        best = min(best, time.process_time() - began)
    assert best < 0.005


def test_the_same_title_is_set_once() -> None:
    assert fill.cache_parameters()["maxsize"] == 2048
    assert fill("Ña Catita") is fill("Ña Catita")
