"""The best seats together: same row, side by side, nearest the stage, leaving nobody alone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import accumulate
from operator import itemgetter


@dataclass(frozen=True)
class Row:
    """What never changes of a row while it is sold: its seats from one end to the other."""

    section: int
    price: Decimal
    begins: int
    """The position of its first seat in the section."""
    ids: tuple[int, ...]
    ranks: tuple[int, ...]
    accessible: str
    """A letter a seat: 1 where there is a place for a wheelchair."""

    @cached_property
    def nearest(self) -> int:
        """The best rank in the row."""
        return min(self.ranks)

    @cached_property
    def sums(self) -> tuple[int, ...]:
        """Ranks added up, so that any stretch of them is one subtraction."""
        return tuple(accumulate(self.ranks, initial=0))

    def usable(self, free: str, *, accessible: bool) -> str:
        """The free seats without those that are kept for wheelchairs."""
        if accessible or "1" not in self.accessible:
            return free
        return "".join(
            "0" if kept == "1" else one for one, kept in zip(free, self.accessible, strict=True)
        )


Rows = Iterable[tuple[Row, str]]
"""Each row with a letter a seat, 1 for those that are free; the nearest rows first."""
_Place = tuple[bool, int, int, int]
"""How good so many seats side by side are: less is better, and no two places are equal."""


def best_together(
    hall: Rows,
    count: int,
    price_max: Decimal | None = None,
    *,
    accessible: bool = False,
    most: int = 1,
) -> list[tuple[int, ...]]:
    """Up to `most` choices of `count` free seats, as ids, that share none, the best first.

    Places for wheelchairs are given to those alone who ask for them, and then at least one is among
    the seats. Better is what leaves no single seat alone beside it, then the smallest sum of ranks,
    then what stands first in the hall.
    """
    together = re.compile(f"1{{{count},}}")
    found: list[tuple[_Place, Row]] = []
    good: list[int] = []
    for row, free in hall:
        # Rows come nearest first: when no later seat can be better, enough has been seen.
        if len(good) >= most and count * row.nearest > sorted(good)[most - 1]:
            break
        if price_max is not None and row.price > price_max:
            continue
        for run in together.finditer(row.usable(free, accessible=accessible)):
            begin, end = run.span()
            best_here = None
            for start in range(begin, end - count + 1):
                if accessible and "1" not in row.accessible[start : start + count]:
                    continue
                lonely = start - begin == 1 or end - start - count == 1
                rank = row.sums[start + count] - row.sums[start]
                found.append(((lonely, rank, row.section, row.begins + start), row))
                if not lonely:
                    best_here = rank if best_here is None else min(best_here, rank)
            if best_here is not None:
                good.append(best_here)
    return _disjoint(sorted(found, key=itemgetter(0)), count, most)


def _disjoint(ranked: list[tuple[_Place, Row]], count: int, most: int) -> list[tuple[int, ...]]:
    chosen: list[tuple[int, ...]] = []
    taken: set[int] = set()
    for (_, _, _, position), row in ranked:
        start = position - row.begins
        ids = row.ids[start : start + count]
        if taken.isdisjoint(ids):
            taken.update(ids)
            chosen.append(ids)
            if len(chosen) == most:
                break
    return chosen
