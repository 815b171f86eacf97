"""Which seats equal those that somebody came too late for."""

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

ROW_DEPTH = 1.5
"""A row further back counts as much as so many seats further to the side."""


def equal_seats(
    section: Sequence[Any], wanted: Collection[int], gone: Collection[int]
) -> list[Any]:
    """As many seats of a section as were wanted of it, of the same prices, in order of position.

    Side by side in one row where that exists, as near as can be to the wanted ones; else those
    of the wanted ones that are still free, completed by the nearest; none where too few are left.
    """
    places = _places(section)
    missed = [seat for seat in section if seat.id in wanted]
    if not missed:
        return []
    row = sum(places[seat.id][0] for seat in missed) / len(missed)
    column = sum(places[seat.id][1] for seat in missed) / len(missed)

    def distance(seat: Any) -> float:
        return abs(places[seat.id][0] - row) * ROW_DEPTH + abs(places[seat.id][1] - column)

    kinds = {(seat.price, seat.accessible) for seat in missed}
    free = [
        seat
        for seat in section
        if seat.status == "AVAILABLE"
        and seat.id not in gone
        and (seat.price, seat.accessible) in kinds
    ]
    together = _runs(free, len(missed))
    if together:
        return min(together, key=lambda run: sum(map(distance, run)))
    kept = [seat for seat in free if seat.id in wanted]
    nearest = sorted((seat for seat in free if seat.id not in wanted), key=distance)
    offered = kept + nearest[: len(missed) - len(kept)]
    return sorted(offered, key=lambda seat: seat.position) if len(offered) == len(missed) else []


def _places(section: Sequence[Any]) -> dict[int, tuple[int, int]]:
    """Where each seat is: which row, and how far along it."""
    return {
        seat.id: (row, column)
        for row, (_, seats) in enumerate(groupby(section, key=lambda seat: seat.row_label))
        for column, seat in enumerate(seats)
    }


def _runs(free: Sequence[Any], length: int) -> list[list[Any]]:
    """Every choice of so many seats side by side: same row, positions that follow each other."""
    windows = (list(free[start : start + length]) for start in range(len(free) - length + 1))
    return [
        run
        for run in windows
        if run[0].row_label == run[-1].row_label
        and run[-1].position - run[0].position == length - 1
    ]
