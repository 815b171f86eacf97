"""The relay: exactly what was sent leaves the outbox, and only one relay is elected."""

from contextlib import closing

import pytest

from pipeline.messages import (
    ORDERS_STREAM,
    UPDATES_STREAM,
    SeatsChanged,
    update,
)
from pipeline.relay import Relay
from pipeline.seatlock import client as seatlock
from tests.halls import hall
from tests.journey.system import wait_for
from tests.stations import bought, relay, rows, stream

pytestmark = pytest.mark.usefixtures("clean")


def test_the_relay_sends_and_deletes_exactly_what_it_sent() -> None:
    event = hall()
    orders = {bought(event, number) for number in range(3)}
    assert relay().run_once() >= 3
    assert {entry["order"] for entry in stream(ORDERS_STREAM)} == orders
    assert rows("SELECT 1 FROM orders.outbox") == []
    assert relay().run_once() == 0


def test_a_message_stays_when_redis_does_not_take_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bought(hall())
    with monkeypatch.context() as away:
        away.setattr("pipeline.relay.redis_client", lambda: None)
        with pytest.raises(AttributeError):
            relay().run_once()
    assert len(rows("SELECT 1 FROM orders.outbox")) == 1
    relay().run_once()
    assert len(stream(ORDERS_STREAM)) == 1


def test_one_relay_is_elected_and_the_other_takes_over() -> None:
    bought(hall())
    relay().run_once()
    with closing(Relay()) as second:
        bought(hall())
        assert second.run_once() == 0
        relay().close()
        # Postgres gives the lock free when it has noticed, a moment later.
        wait_for(lambda: second.run_once() >= 1, 10, "the other does not take over")


def test_seat_changes_reach_the_stream_in_the_order_of_truth() -> None:
    event = hall()
    holds = seatlock.lock(event.id, event.seats[:2], "visitor:a")
    assert isinstance(holds, list)
    seatlock.unlock([(holds[0].id, holds[0].fence)], "visitor:a")
    relay().run_once()
    seen = [update(fields) for fields in stream(UPDATES_STREAM)]
    ours = [one for one in seen if isinstance(one, SeatsChanged) and one.event_id == event.id]
    assert [(one.positions, one.state) for one in ours] == [((0, 1), "h"), ((0,), "f")]
    assert ours[0].number < ours[1].number
    assert rows("SELECT 1 FROM catalog.seat_changes") == []
