"""The plan of a large hall: every section is there, in its place, with as many dots as seats."""

import re
from decimal import Decimal
from itertools import accumulate, pairwise
from math import asin, dist, pi
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.halls import hall
from web.hall import SEAT, WIDTH, plan, zones


def section(number: int, price: int) -> Any:
    return SimpleNamespace(number=number, price=Decimal(price), name=f"Sector {number}")


@st.composite
def halls(draw: Any) -> tuple[list[Any], dict[int, list[str]]]:
    """One to twelve sections of any shape, some without a row."""
    sections = [
        section(number, draw(st.sampled_from((10, 20, 30, 40, 50))))
        for number in range(1, draw(st.integers(1, 12)) + 1)
    ]
    rows = {}
    for one in sections:
        across = draw(st.integers(4, 30))
        row = st.text("01", min_size=across - 3, max_size=across)
        rows[one.number] = draw(st.lists(row, max_size=20))
    return sections, rows


THREE = [section(1, 10), section(2, 20), section(3, 30)]
"""With rows whose one section goes half round the stage."""


@settings(max_examples=60)
@given(halls())
@example(([section(1, 20), section(2, 10)], {1: ["1" * 4], 2: ["01" * 15, "1" * 30]}))
@example((THREE, {1: ["1" * 30] * 10, 2: ["1" * 14] * 6, 3: ["1" * 6] * 4}))
def test_every_seat_is_a_dot_in_its_place(made: Any) -> None:
    sections, rows = made
    drawn = plan(sections, rows)
    assert {one.section.number for one in drawn.sections} == {one.number for one in sections}
    for one in drawn.sections:
        assert -1 <= one.x <= WIDTH + 1
        assert -1 <= one.y <= drawn.height + 1
        for x, y in ends(one.line):
            assert -1 <= x <= WIDTH + 1
            assert -1 <= y <= drawn.height + 1
        assert seen(one, rows[one.section.number], drawn.pitch) == rows[one.section.number]


NEAR = 1.5
"""A pixel or two of a phone, in the picture's units."""
STEP = re.compile(r"([MLHA])([^MLHA]*)")


def ends(line: str) -> list[tuple[float, float]]:
    """Where each step of a line goes."""
    at, points = (0.0, 0.0), []
    for letter, numbers in STEP.findall(line):
        given = [float(number) for number in numbers.split()]
        at = (given[0], at[1]) if letter == "H" else (given[-2], given[-1])
        points.append(at)
    return points


def lengths(line: str) -> list[float]:
    """How long each step of a line is, from its own coordinates."""
    points = ends(line)
    steps = STEP.findall(line)
    found = []
    for (letter, numbers), (begin, end) in zip(steps[1:], pairwise(points), strict=True):
        straight = dist(begin, end)
        if letter == "A":
            radius, _, _, wide, *_ = (float(number) for number in numbers.split())
            turn = 2 * asin(min(1.0, straight / 2 / radius))
            straight = radius * (2 * pi - turn if wide else turn)
        found.append(straight)
    return found


def seen(one: Any, rows: list[str], pitch: float) -> list[str]:
    """The rows as the dots tell them: every other step of the line is a row, turned each time."""
    if not rows:
        assert (one.line, one.free.dashes, one.taken.dashes) == ("", "", "")
        return []
    steps = lengths(one.line)
    assert len(steps) == 2 * len(rows) - 1
    unit = sum(steps) / one.length
    assert unit == pytest.approx(pitch / SEAT, rel=0.02)
    dots = sorted(
        (at * unit, "10"[kind])
        for kind, of in enumerate((one.free, one.taken))
        for at in places(of)
    )
    told: list[list[tuple[float, str]]] = [[] for _ in rows]
    for at, letter in dots:
        row = next(n for n in range(len(rows)) if at < sum(steps[: 2 * n + 1]) + 0.3 * pitch)
        told[row].append((at - sum(steps[: 2 * row]), letter))
    for length, ones in zip(steps[::2], told, strict=True):
        for seat, (along, _) in enumerate(ones):
            ideal = length * (seat + 0.5) / len(ones)
            assert along == pytest.approx(ideal, abs=NEAR + 0.01 * length)
    letters = ["".join(letter for _, letter in row) for row in told]
    return [row[::-1] if number % 2 else row for number, row in enumerate(letters)]


def places(dots: Any) -> list[int]:
    """Where dashes of no length put their dots, from the line's beginning on."""
    if not dots.dashes:
        return []
    numbers = [int(number) for number in dots.dashes.split()]
    assert set(numbers[::2]) == {0}
    return list(accumulate(numbers[1:-2:2], initial=-dots.offset))


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
    assert picture.count('class="free"') == 3
    assert len(re.findall(r"<i aria-hidden=\"true\">[ABC]1</i>", page)) == 3
