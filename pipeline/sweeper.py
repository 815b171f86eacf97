"""Process: repairs from Postgres what a crash left behind, and lets maps see that holds ran out."""

import logging
from collections.abc import Callable
from time import monotonic

from pipeline import loop
from pipeline.connections import pool
from pipeline.purchases import drive_lapsed
from pipeline.refunds import fail
from pipeline.seatlock import client as seatlock
from pipeline.settings import settings
from sql import read, write

log = logging.getLogger(__name__)

PASS_S = 0.25
RELEASE_EVERY_S = 1.0
LOOK_EVERY_S = 2.0
ORPHANS_EVERY_S = 15.0
CHECK_EVERY_S = 60.0
FAILED_PAUSE_S = 10.0
PURCHASES_A_PASS_MAX = 20
ORDERS_A_PASS_MAX = 100
RESEND_AFTER_S = 20.0
"""Then after 40, 80 … s. RQ itself notices a killed worker only after minutes."""
NOT_FINISHED = "not_finished_in_time"


def run_once() -> int:
    """One look at everything; gives how much was mended."""
    mended = drive_lapsed(PURCHASES_A_PASS_MAX)
    with pool("pipeline").connection() as connection:
        mended += len(
            write(connection, "orders.send_again", after=RESEND_AFTER_S, most=ORDERS_A_PASS_MAX)
        )
        overdue = read(
            connection,
            "orders.overdue",
            deadline=settings().order_deadline_seconds,
            most=ORDERS_A_PASS_MAX,
        )
    for order in overdue:
        fail(order.order_uuid, NOT_FINISHED, "sweeper")
    return mended + len(overdue)


def free_orphaned_seats() -> int:
    """Put seats back on sale that are SOLD for no order; gives how many orders' worth."""
    with pool("pipeline").connection() as connection:
        orphaned = read(connection, "orders.orphaned_seats", most=ORDERS_A_PASS_MAX)
    for seats in orphaned:
        seatlock.unlock_order(seats.seat_ids, str(seats.order_uuid))
    return len(orphaned)


def check() -> list[str]:
    """Names of the rules of sql/invariants.sql that do not hold; none in a healthy system."""
    with pool("pipeline").connection() as connection:
        broken = read(connection, "invariants.broken")
    return [row.rule for row in broken]


def release_expired() -> int:
    """Let maps see that holds have run out; gives how many."""
    return seatlock.release_expired()


def report_broken_rules() -> int:
    """Tell the log which rules do not hold."""
    broken = check()
    for rule in broken:
        log.error("a rule does not hold: %s", rule)
    return len(broken)


DUTIES: tuple[tuple[float, Callable[[], int]], ...] = (
    (RELEASE_EVERY_S, release_expired),
    (LOOK_EVERY_S, run_once),
    (ORPHANS_EVERY_S, free_orphaned_seats),
    (CHECK_EVERY_S, report_broken_rules),
)


class _Sweeper:
    """Does each duty when it is due; one that fails stops no other."""

    def __init__(self) -> None:
        self._due = [monotonic() + every for every, _ in DUTIES]

    def __call__(self) -> int:
        for number, (every, duty) in enumerate(DUTIES):
            if monotonic() < self._due[number]:
                continue
            self._due[number] = monotonic() + every
            try:
                duty()
            except (*loop.AWAY, seatlock.SeatlockUnreachableError) as error:
                log.warning("%s waits for a server that is away: %s", duty.__name__, error)
            except Exception:
                # It will again, most likely: its traceback is not wanted each second.
                self._due[number] = monotonic() + max(every, FAILED_PAUSE_S)
                log.exception("%s failed", duty.__name__)
        return 0


if __name__ == "__main__":
    loop.run(_Sweeper(), PASS_S)
