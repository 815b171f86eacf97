"""The sweeper: what a crash or an emptied Redis left is found in Postgres."""

from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolTimeout

from pipeline import payments, sweeper
from pipeline.connections import redis_client
from pipeline.loop import is_away
from pipeline.orders import begin
from pipeline.payments import Payment
from pipeline.purchases import Wish
from pipeline.seatlock import client as seatlock
from tests.halls import Hall, hall, owner
from tests.people import ANA
from tests.stations import (
    PAYS,
    bought,
    dispatch,
    later,
    one,
    relay,
    rows,
    run_all,
    status_of,
    work,
)

pytestmark = pytest.mark.usefixtures("clean")


def test_a_forgotten_order_is_sent_again_after_twenty_seconds_then_forty() -> None:
    """Rule 9: Redis was emptied with the entry in it."""
    order = bought(hall())
    relay().run_once()
    redis_client().flushdb()
    assert sweeper.run_once() == 0, "too early"
    later("sent_at = now() - interval '21 s'")
    assert sweeper.run_once() == 1
    assert sweeper.run_once() == 0, "it is in the outbox now"
    relay().run_once()
    redis_client().flushdb()
    later("sent_at = now() - interval '21 s'")
    assert sweeper.run_once() == 0, "the second pause is longer"
    later("sent_at = now() - interval '41 s'")
    assert sweeper.run_once() == 1
    run_all()
    assert status_of(order) == "COMPLETED"


def test_emptying_redis_at_any_station_loses_no_order() -> None:
    event = hall()
    orders = [bought(event, number) for number in range(3)]
    for station in (relay().run_once, dispatch, work):
        station()
        redis_client().flushdb()
    later("sent_at = now() - interval '21 s' WHERE status <> 'COMPLETED'")
    sweeper.run_once()
    run_all()
    assert {status_of(order) for order in orders} == {"COMPLETED"}


def test_the_rules_hold_and_a_broken_one_is_named() -> None:
    event = hall()
    bought(event)
    run_all()
    assert sweeper.check() == []
    with owner() as connection:
        connection.execute(
            "UPDATE catalog.seats SET status = 'AVAILABLE', order_uuid = NULL WHERE id = %s",
            [event.seats[0]],
        )
    assert sweeper.check() == ["an order in progress or completed has its seats SOLD for it"]
    assert sweeper.report_broken_rules() == 1


def left_paid(event: Hall, number: int) -> str:
    """A purchase whose driver died after the bank had said yes; gives its order_uuid."""
    begun = begin(ANA.sub, str(uuid4()), Wish(event.id, event.seats[number : number + 1]), uuid4())
    assert begun is not None
    order = str(begun.order_uuid)
    payments.authorise(order, Decimal("80.00"), "PEN", Payment(card_number=PAYS))
    with owner() as connection:
        connection.execute("UPDATE orders.purchases SET driven_until = now() - interval '1 s'")
    return order


def sold_for_nothing(event: Hall, number: int) -> int:
    """A seat that is SOLD for no order and no purchase."""
    held = seatlock.lock(event.id, event.seats[number : number + 1], f"account:{ANA.sub}")
    assert isinstance(held, list)
    seatlock.commit([(held[0].id, held[0].fence)], f"account:{ANA.sub}", str(uuid4()))
    return held[0].id


def test_purchases_that_fail_stop_no_other_purchase_and_no_later_duty(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two of four: whichever comes first, another that fails or one that does not comes after it."""
    event = hall()
    for number in (0, 1):
        bought(event, number)
    with owner() as connection:
        # The seats of two purchases have a live ticket, so the table refuses them another.
        connection.execute(
            "UPDATE orders.tickets SET seat_id = seat_id + %s", [event.seats[2] - event.seats[0]]
        )
    failing, going_on = [left_paid(event, n) for n in (2, 3)], [left_paid(event, n) for n in (4, 5)]
    orphan = sold_for_nothing(event, 6)
    monkeypatch.setattr(sweeper, "DUTIES", [(0.0, duty) for _, duty in sweeper.DUTIES])
    sweeper._Sweeper()()  # noqa: SLF001
    assert [status_of(order) for order in going_on] == ["PENDING", "PENDING"]
    assert rows("SELECT DISTINCT step FROM orders.purchases WHERE step <> 'PLACED'") == [("HELD",)]
    assert all(f"purchase {order} could not be driven on" in caplog.text for order in failing)
    assert caplog.text.count("UniqueViolation: ") == 2, "each with its traceback"
    assert one("SELECT status FROM catalog.seats WHERE id = %s", orphan) == "AVAILABLE"


def test_a_duty_that_fails_stops_no_later_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    orphan = sold_for_nothing(hall(), 0)

    def broken() -> int:
        raise ValueError("no broom")

    monkeypatch.setattr(sweeper, "DUTIES", [(0.0, broken), (0.0, sweeper.free_orphaned_seats)])
    sweeper._Sweeper()()  # noqa: SLF001
    assert "broken failed" in caplog.text
    assert "ValueError: no broom" in caplog.text
    assert one("SELECT status FROM catalog.seats WHERE id = %s", orphan) == "AVAILABLE"


def test_a_server_that_is_away_ends_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks nineteen times more what cannot be answered now."""
    event, asked = hall(), []
    for number in range(3):
        left_paid(event, number)

    def away(key: str) -> str:
        asked.append(key)
        raise ConnectionRefusedError

    monkeypatch.setattr(payments, "look_up", away)
    with pytest.raises(ConnectionRefusedError):
        sweeper.run_once()
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (errors.AdminShutdown(), True),
        (errors.TooManyConnections(), True),
        (psycopg.OperationalError("no answer"), True),
        (PoolTimeout(), True),
        (errors.DeadlockDetected(), False),
        (errors.QueryCanceled(), False),
        (errors.UniqueViolation(), False),
    ],
)
def test_a_statement_that_is_refused_says_not_that_the_server_is_away(
    error: Exception, away: bool
) -> None:
    assert is_away(error) is away
