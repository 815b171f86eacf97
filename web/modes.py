"""The mode that the system is in, as one process sees it: normal, read-only or queue-only."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from pipeline import payments
from pipeline.connections import pool
from pipeline.lately import Lately
from pipeline.seatlock import client as seatlock
from sql import read
from web.health import CHECKS
from web.recent import EVERY

LATE_S = 10.0
"""Tickets are usually there within a second; who waits longer is told that it takes longer."""
KEPT_S = 2.0
NOBODYS_ORDER = "00000000-0000-4000-8000-000000000000"
"""The bank is asked for a payment that nobody made: whatever it says, it answers."""
LETTERS_SHOWN = 20


@dataclass(frozen=True)
class State:
    """What an operator wants to see first."""

    parts: dict[str, bool]
    """Whether each server answers, by its name."""
    waiting: Any
    """Orders that are `unfinished` and `stuck`, and the `seconds` of the oldest; None: unknown."""
    letters: list[Any]
    """The oldest dead-lettered orders, as `make dead-letters` lists them."""
    at: datetime

    @property
    def mode(self) -> str:
        """`read-only`, `queue-only` or `normal`."""
        if not (self.parts["postgres"] and self.parts["seatlock"]):
            return "read-only"
        late = self.waiting is not None and self.waiting.seconds > LATE_S
        return "queue-only" if late or not self.parts["redis"] else "normal"


def tickets_late() -> bool:
    """Whether orders are accepted and their tickets do not come: no Redis, or no worker."""
    try:
        return _oldest_s() > LATE_S
    except (OperationalError, PoolTimeout):
        return False


def holds_away() -> bool:
    """Whether nobody can take a seat now: seatlock does not answer."""
    return seatlock.breaker.away or not _seatlock()


def state(*, whole: bool) -> State:
    """Ask every server now; takes up to a second for each that is away.

    Not whole: only what anybody may know, and `/ready` says.
    """
    parts = {name: answers() for name, answers in CHECKS.items()}
    waiting, letters = None, list[Any]()
    if whole and parts["postgres"]:
        waiting = _read_waiting()
        with pool("web").connection() as connection:
            letters = read(connection, "orders.dead", most=LETTERS_SHOWN)
    return State({**parts, "bank": _bank()}, waiting, letters, datetime.now(UTC))


def stuck_of(event_id: int, organiser: str) -> int:
    """How many orders of their event wait for an operator; 0 where the event is not theirs."""
    with pool("web").connection() as connection:
        rows = read(connection, "orders.stuck_of_event", event_id=event_id, organiser=organiser)
    return int(rows[0].orders)


def _read_waiting() -> Any:
    with pool("web").connection() as connection:
        return read(connection, "orders.waiting")[0]


_oldest_s = Lately(lambda: float(_read_waiting().seconds), KEPT_S, 0.0)
_seatlock = Lately(CHECKS["seatlock"], KEPT_S, first=True)
EVERY.extend((_oldest_s, _seatlock))


def _bank() -> bool:
    try:
        payments.look_up(NOBODYS_ORDER)
    except payments.BankUnreachableError:
        return False
    return True
