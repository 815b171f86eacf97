"""The best seats together, against a slow search that tries everything."""

from collections import namedtuple
from decimal import Decimal
from itertools import combinations, groupby
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from web.best import Row, best_together

Seat = namedtuple("Seat", "id section_number row_label position rank price accessible status")  # noqa: PYI024


@st.composite
def halls(draw: Any) -> list[Seat]:
    """A few short rows in one to three sections, in any state."""
    seats: list[Seat] = []
    for section in range(1, draw(st.integers(1, 3)) + 1):
        position, price = 0, Decimal(draw(st.sampled_from((10, 20))))
        for row in "ABC"[: draw(st.integers(1, 3))]:
            for _ in range(draw(st.integers(1, 8))):
                seats.append(
                    Seat(
                        len(seats) + 1,
                        section,
                        row,
                        position,
                        draw(st.integers(1, 6)),
                        price,
                        draw(st.sampled_from((False, False, False, True))),
                        draw(st.sampled_from(("AVAILABLE", "AVAILABLE", "LOCKED", "SOLD"))),
                    )
                )
                position += 1
    return seats


def slow(
    seats: list[Seat], count: int, price_max: Decimal | None, *, accessible: bool
) -> list[Seat]:
    """Every choice of so many seats, the fit ones judged one by one."""

    def usable(seat: Seat) -> bool:
        return (
            seat.status == "AVAILABLE"
            and (price_max is None or seat.price <= price_max)
            and (accessible or not seat.accessible)
        )

    by_place = {(seat.section_number, seat.position): seat for seat in seats}

    def neighbour(seat: Seat, step: int) -> bool:
        beside = by_place.get((seat.section_number, seat.position + step))
        return beside is not None and beside.row_label == seat.row_label and usable(beside)

    def alone(choice: tuple[Seat, ...]) -> bool:
        first, last = choice[0], choice[-1]
        left = neighbour(first, -1) and not neighbour(
            by_place[first.section_number, first.position - 1], -1
        )
        right = neighbour(last, 1) and not neighbour(
            by_place[last.section_number, last.position + 1], 1
        )
        return left or right

    fit = [
        choice
        for choice in combinations([seat for seat in seats if usable(seat)], count)
        if len({(seat.section_number, seat.row_label) for seat in choice}) == 1
        and choice[-1].position - choice[0].position == count - 1
        and (not accessible or any(seat.accessible for seat in choice))
    ]
    ranked = sorted(
        fit,
        key=lambda choice: (
            alone(choice),
            sum(seat.rank for seat in choice),
            choice[0].section_number,
            choice[0].position,
        ),
    )
    return list(ranked[0]) if ranked else []


def rows_of(seats: list[Seat]) -> list[tuple[Row, str]]:
    """The same hall as the search wants it, the nearest rows first."""
    hall = []
    for (section, _), group in groupby(seats, key=lambda s: (s.section_number, s.row_label)):
        row = list(group)
        hall.append(
            (
                Row(
                    section,
                    row[0].price,
                    row[0].position,
                    tuple(seat.id for seat in row),
                    tuple(seat.rank for seat in row),
                    "".join("01"[seat.accessible] for seat in row),
                ),
                "".join("01"[seat.status == "AVAILABLE"] for seat in row),
            )
        )
    return sorted(hall, key=lambda row: row[0].nearest)


@given(halls(), st.integers(1, 4), st.sampled_from((None, Decimal(10), Decimal(5))), st.booleans())
def test_the_first_choice_is_the_best_of_all(
    seats: list[Seat], count: int, price_max: Decimal | None, accessible: bool
) -> None:
    """H55: neighbours by position, nobody left alone where that can be, else the second best."""
    found = best_together(rows_of(seats), count, price_max, accessible=accessible)
    wanted = [seat.id for seat in slow(seats, count, price_max, accessible=accessible)]
    assert list(found[0] if found else ()) == wanted


@given(halls(), st.integers(1, 3))
def test_choices_for_many_askers_share_no_seat(seats: list[Seat], count: int) -> None:
    found = best_together(rows_of(seats), count, most=50)
    ids = [seat_id for choice in found for seat_id in choice]
    assert len(ids) == len(set(ids))
    assert all(len(choice) == count for choice in found)
    assert bool(found) == bool(slow(seats, count, None, accessible=False))
