"""How things are said: ranges of seats, money, times at the venue."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from web import words


def seat(
    row: str, number: int, position: int, section: str = "Platea", section_number: int = 1
) -> Any:
    return SimpleNamespace(
        row_label=row,
        number=number,
        position=position,
        section=section,
        section_number=section_number,
    )


def test_seats_are_named_as_ranges_of_neighbours() -> None:
    seats = [
        seat("F", 12, 61),
        seat("F", 10, 59),
        seat("F", 11, 60),
        seat("F", 14, 63),
        seat("G", 3, 70),
    ]
    text = words.seat_ranges([*seats, seat("A", 1, 0, "Balcón", 2)])
    assert (
        text.replace("\N{WORD JOINER}", "").replace("\xa0", " ")
        == "Platea · F 10–12, 14 · G 3; Balcón · A 1"
    )


def test_ten_comes_after_nine_in_rows_and_numbers() -> None:
    """H54: the order is the hall's, whatever the labels are."""
    seats = [
        seat(str(row), number, 100 * row + number)
        for row in (12, 2, 1, 10)
        for number in (10, 9, 1)
    ]
    said = words.seat_ranges(seats).replace(words.NO_BREAK, " ").replace(words.RANGE, "-")
    assert said == "Platea · 1 1, 9-10 · 2 1, 9-10 · 10 1, 9-10 · 12 1, 9-10"


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [
        ("556.2", "PEN", "S/ 556.20"),
        ("12345", "PEN", "S/ 12,345.00"),
        ("0.1", "EUR", "€ 0.10"),
        ("900", "CLP", "CLP$ 900"),
    ],
)
def test_money_has_its_own_sign_and_decimals(amount: str, currency: str, said: str) -> None:
    assert words.money(Decimal(amount), currency).replace("\xa0", " ") == said


def test_times_are_the_venues() -> None:
    """H45: the same wall time on both sides of a clock change; a year that is not this one."""
    for utc in (
        datetime(2099, 3, 28, 19, 30, tzinfo=UTC),
        datetime(2099, 3, 29, 18, 30, tzinfo=UTC),
    ):
        assert words.when(utc, "Europe/Madrid").endswith("mar\xa02099 · 20:30")


def test_a_reader_elsewhere_is_told_whose_time_it_is(app: Flask) -> None:
    """Only where the clock shows another time; a zone that is none says nothing."""
    event = SimpleNamespace(
        starts_at=datetime(2030, 7, 13, 1, 30, tzinfo=UTC), time_zone="America/Lima"
    )
    for reader, said in (
        ("Asia/Tokyo", "20:30, hora de Lima"),
        ("America/Bogota", "20:30<"),
        ("", "20:30<"),
        ("../../etc/passwd", "20:30<"),
        ("x" * 5000, "20:30<"),
        ("Nowhere/Land", "20:30<"),
    ):
        with app.test_request_context(headers={"Cookie": f"zone={reader}"}):
            assert said in words.begins(event), reader
