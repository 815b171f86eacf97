"""Races over real connections, each with a control that proves that the race is real."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, Event
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import DeadlockDetected

from pipeline.orders import buy
from pipeline.payments import Payment
from pipeline.purchases import Wish
from pipeline.seatlock import client as seatlock
from tests.halls import Hall, hall, owner
from tests.people import ANA, BRUNO
from tests.stations import PAYS, one, rows

pytestmark = pytest.mark.usefixtures("clean")

ROUNDS = 40
LOOKED_FOR_S = 30


def race(*runners: Callable[[], Any]) -> list[Any]:
    """Start all at the same moment; gives what each returned."""
    together = Barrier(len(runners))

    def start(runner: Callable[[], Any]) -> Any:
        together.wait()
        return runner()

    with ThreadPoolExecutor(len(runners)) as threads:
        return list(threads.map(start, runners))


def test_two_buyers_want_one_seat_and_exactly_one_gets_it() -> None:
    """H01."""
    event = hall([("Platea", 4, 10, "80.00")])
    for seat in event.seats[:ROUNDS]:
        answers = race(
            lambda seat=seat: seatlock.lock(event.id, [seat], "visitor:a"),  # type: ignore[misc]
            lambda seat=seat: seatlock.lock(event.id, [seat], "visitor:b"),  # type: ignore[misc]
        )
        won = [answer for answer in answers if isinstance(answer, list)]
        lost = [answer for answer in answers if isinstance(answer, seatlock.Refusal)]
        assert len(won) == 1
        assert lost[0].seat_ids == (seat,)
        seatlock.unlock([(seat, won[0][0].fence)], one(
            "SELECT holder FROM catalog.seats WHERE id = %s", seat))  # fmt: skip


def look_then_write(seat: int, holder: str) -> bool:
    """How it must not be done: look, think, write."""
    with owner() as connection:
        row = connection.execute(
            "SELECT status FROM catalog.seats WHERE id = %s", [seat]
        ).fetchone()
        if row is None or row[0] != "AVAILABLE":
            return False
        sleep(0.001)
        connection.execute(
            "UPDATE catalog.seats SET status = 'LOCKED', holder = %s,"
            " held_until = now() + interval '10 min' WHERE id = %s",
            [holder, seat],
        )
        return True


def test_the_race_is_real_when_the_seat_is_only_looked_at() -> None:
    """Control: without the guarded UPDATE both succeed. If this fails, the test above proves
    nothing.
    """
    event = hall([("Platea", 4, 10, "80.00")])
    both = 0
    for seat in event.seats[:ROUNDS]:
        answers = race(
            lambda seat=seat: look_then_write(seat, "visitor:a"),  # type: ignore[misc]
            lambda seat=seat: look_then_write(seat, "visitor:b"),  # type: ignore[misc]
        )
        both += all(answers)
    assert both > 0


def test_two_accounts_order_the_same_seat_and_one_order_exists() -> None:
    event = hall([("Platea", 2, 10, "80.00")])
    for seat in event.seats:
        answers = race(
            *(
                lambda who=who, seat=seat: buy(
                    who.sub, str(uuid4()), Wish(event.id, [seat], Payment(card_number=PAYS))
                )
                for who in (ANA, BRUNO)
            )
        )
        assert sorted(answer.status for answer in answers) == [201, 409]
    sold = rows("SELECT count(*) FROM orders.tickets WHERE event_id = %s", event.id)
    assert sold == [(len(event.seats),)]


def test_the_table_itself_refuses_a_second_live_ticket() -> None:
    """Rule 1, with all of our code left out."""
    event = hall()
    buy(ANA.sub, str(uuid4()), Wish(event.id, event.seats[:1], Payment(card_number=PAYS)))
    twice = (
        "INSERT INTO orders.tickets (ticket_uuid, order_uuid, event_id, seat_id, section,"
        " section_number, row_label, number, position, accessible, price)"
        " SELECT gen_random_uuid(), order_uuid, event_id, seat_id, section, section_number,"
        " row_label, number, position, accessible, price FROM orders.tickets"
    )
    with owner() as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(twice)


def wishes(event: Hall) -> list[list[int]]:
    """Overlapping wishes, named in opposite orders."""
    seats = event.seats[:8]
    return [seats[:4], seats[2:6][::-1], seats[4:8], seats[1:5][::-1], seats[3:7], seats[5:1:-1]]


def test_overlapping_wishes_never_deadlock_and_are_never_half_held() -> None:
    event = hall([("Platea", 1, 10, "80.00")])

    def take(number: int, wanted: list[int]) -> Counter[str]:
        outcome: Counter[str] = Counter()
        holder = f"visitor:{number}"
        for _ in range(60):
            answer = seatlock.lock(event.id, wanted, holder)
            if isinstance(answer, seatlock.Refusal):
                outcome[answer.code] += 1
                assert 0 < len(answer.seat_ids) <= 4
                continue
            outcome[str(len(answer))] += 1
            seatlock.unlock([(hold.id, hold.fence) for hold in answer], holder)
        return outcome

    outcomes: Counter[str] = sum(
        race(*(lambda n=n, w=w: take(n, w) for n, w in enumerate(wishes(event)))),
        Counter(),
    )
    assert set(outcomes) <= {"4", "seat_unavailable"}
    assert outcomes["4"] > 0


def test_the_deadlock_is_real_when_rows_are_locked_in_click_order() -> None:
    """Control for the test above."""
    event = hall([("Platea", 1, 10, "80.00")])

    seen, until = Event(), monotonic() + LOOKED_FOR_S

    def take(wanted: list[int]) -> None:
        while not seen.is_set() and monotonic() < until:
            with owner() as connection, suppress(DeadlockDetected), connection.transaction():
                for seat in wanted:
                    connection.execute(
                        "UPDATE catalog.seats SET fence = fence + 1 WHERE id = %s", [seat]
                    )
                    sleep(0.001)
                continue
            seen.set()

    race(lambda: take(event.seats[:4]), lambda: take(event.seats[3::-1]))
    assert seen.is_set()


def test_two_tabs_of_one_holder_cannot_pass_the_cap_together() -> None:
    event = hall([("Platea", 2, 10, "80.00")])
    for _ in range(10):
        race(
            lambda: seatlock.lock(event.id, event.seats[:6], "visitor:tabs"),
            lambda: seatlock.lock(event.id, event.seats[6:12], "visitor:tabs"),
        )
        held = rows(
            "SELECT id, fence FROM catalog.seats WHERE holder = 'visitor:tabs' AND event_id = %s"
            " AND status = 'LOCKED'",
            event.id,
        )
        assert len(held) == 6
        seatlock.unlock(held, "visitor:tabs")
