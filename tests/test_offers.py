"""Seats equal to those that are gone: free, of the same kind, together where they can be, near."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.offers import equal_seats


def drawn(rows: list[str]) -> list[Any]:
    """A section as a drawing: `.` free, `x` taken."""
    marks = [
        (row, column, mark) for row, marks in enumerate(rows) for column, mark in enumerate(marks)
    ]
    return [
        SimpleNamespace(
            id=position + 1,
            row_label=chr(65 + row),
            position=position,
            status="AVAILABLE" if mark == "." else "SOLD",
            price=80,
            accessible=False,
        )
        for position, (row, _, mark) in enumerate(marks)
    ]


@pytest.mark.parametrize(
    ("rows", "wanted", "offered"),
    [
        (["x....", "....."], {1, 2}, [2, 3]),
        (["xx...", "....."], {1, 2}, [3, 4]),
        (["x.x.x", "x.x.x"], {1, 2}, [2, 7]),
        (["xx.x", "xxxx"], {1, 2}, []),
        (["x..", "..x"], {1, 2, 3}, [2, 3, 5]),
    ],
)
def test_equal_seats_are_near_and_together_where_they_can_be(
    rows: list[str], wanted: set[int], offered: list[int]
) -> None:
    section = drawn(rows)
    gone = {seat.id for seat in section if seat.id in wanted and seat.status != "AVAILABLE"}
    assert [seat.id for seat in equal_seats(section, wanted, gone)] == offered


@given(
    rows=st.lists(st.text(".x", min_size=6, max_size=6), min_size=1, max_size=5),
    wanted=st.sets(st.integers(1, 30), min_size=1, max_size=4),
)
def test_an_offer_is_always_free_and_together_when_anything_is(
    rows: list[str], wanted: set[int]
) -> None:
    section = drawn(rows)
    asked = {seat.id for seat in section} & wanted
    gone = {seat.id for seat in section if seat.id in asked and seat.status != "AVAILABLE"}
    offer = equal_seats(section, asked, gone)

    free = sum(seat.status == "AVAILABLE" for seat in section)
    assert len(offer) == (len(asked) if free >= len(asked) else 0)
    assert all(seat.status == "AVAILABLE" for seat in offer)
    assert len({seat.id for seat in offer}) == len(offer)
    if asked and any("." * len(asked) in row for row in rows):
        assert {seat.row_label for seat in offer} == {offer[0].row_label}
        assert offer[-1].position - offer[0].position == len(asked) - 1


def test_equal_seats_are_of_the_same_kind() -> None:
    section = drawn(["x....."])
    section[1].accessible, section[2].price = True, 90
    assert [seat.id for seat in equal_seats(section, {1}, {1})] == [4]
