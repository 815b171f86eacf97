"""The sweeper: what a crash or an emptied Redis left is found in Postgres."""

import pytest

from pipeline import sweeper
from pipeline.connections import redis_client
from tests.halls import hall, owner
from tests.stations import bought, dispatch, later, relay, run_all, status_of, work

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
