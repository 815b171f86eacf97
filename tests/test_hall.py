"""The plan of a large hall: every section is there, in its place, with as many dots as seats."""

import re
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.halls import hall
from web.hall import WIDTH, plan, zones


def section(number: int, price: int) -> Any:
    return SimpleNamespace(number=number, price=Decimal(price), name=f"Sector {number}")


@st.composite
def halls(draw: Any) -> tuple[list[Any], dict[int, list[str]]]:
    """One to twelve sections of any shape, some without a row."""
    sections = [
        section(number, draw(st.sampled_from((10, 20, 30, 40, 50))))
        for number in range(1, draw(st.integers(1, 12)) + 1)
    ]
    row = st.text("01", min_size=1, max_size=30)
    return sections, {one.number: draw(st.lists(row, max_size=20)) for one in sections}


@settings(max_examples=60)
@given(halls())
def test_every_row_is_drawn_inside_the_picture(made: Any) -> None:
    sections, rows = made
    drawn = plan(sections, rows)
    assert {one.section.number for one in drawn.sections} == {one.number for one in sections}
    for one in drawn.sections:
        assert -1 <= one.x <= WIDTH + 1
        assert -1 <= one.y <= drawn.height + 1
        assert len(one.rows) == len(rows[one.section.number])
        for line, seats in zip(one.rows, rows[one.section.number], strict=True):
            places = [place for place, seat in enumerate(seats) if seat == "1"]
            assert dots(line) == places
            for x, y in re.findall(r"(-?\d+\.?\d*) (-?\d+\.?\d*)(?=[Ah]|$)", line.path):
                assert -1 <= float(x) <= WIDTH + 1
                assert -1 <= float(y) <= drawn.height + 1


def dots(row: Any) -> list[int]:
    """Where the pattern of a row puts a dot."""
    if not row.dashes:
        return []
    gaps = [int(gap) for gap in row.dashes.split()[1::2]]
    places = [-row.offset]
    for gap in gaps[:-1]:
        places.append(places[-1] + gap)
    return places


def test_the_dearest_are_zone_a_and_from_the_fourth_price_on_all_are_d() -> None:
    named = zones([section(n, price) for n, price in enumerate((10, 50, 30, 40, 50, 20), 1)])
    assert named == {
        1: ("D", "D1"), 2: ("A", "A1"), 3: ("C", "C1"), 4: ("B", "B1"), 5: ("A", "A2"), 6: ("D", "D2"),
    }  # fmt: skip


def test_sections_of_a_zone_do_not_lie_on_each_other() -> None:
    sections = [section(number, 10 if number > 1 else 20) for number in range(1, 7)]
    drawn = plan(sections, {one.number: ["1" * 20] * 10 for one in sections})
    centres = [(one.x, one.y) for one in drawn.sections]
    for place, (x, y) in enumerate(centres):
        for other_x, other_y in centres[:place]:
            assert abs(x - other_x) + abs(y - other_y) > 10 * drawn.pitch


@pytest.mark.usefixtures("clean")
def test_the_page_of_a_large_hall_leads_to_every_section(client: FlaskClient) -> None:
    event = hall([(f"Sector {n}", 15, 25, f"{n}0.00") for n in range(1, 4)])
    page = client.get(f"/events/{event.id}").text
    picture = page[page.index('<svg class="halftone"') :]
    picture = picture[: picture.index("</svg>")]
    for number in (1, 2, 3):
        assert f'href="/events/{event.id}?section={number}#map"' in picture
    assert picture.count('class="free"') == 45
    assert len(re.findall(r"<i aria-hidden=\"true\">[ABC]1</i>", page)) == 3
