"""The dispatcher: job and acknowledgement are one, and nothing that was taken is lost."""

from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from pipeline import dispatcher
from pipeline.connections import redis_client
from pipeline.dispatcher import Dispatcher, batches
from pipeline.jobs import JOB_ORDERS_MAX, ticket_queue
from pipeline.messages import (
    DEAD_LETTERS_STREAM,
    ORDERS_GROUP,
    ORDERS_STREAM,
    OrderChanged,
    OrderMessage,
    PoisonedMessageError,
    SeatsChanged,
    update,
)
from tests.halls import hall
from tests.stations import (
    bought,
    dispatch,
    relay,
    run_all,
    status_of,
    stream,
    work,
)

pytestmark = pytest.mark.usefixtures("clean")


def test_waiting_orders_become_jobs_of_up_to_twenty_five() -> None:
    messages = [OrderMessage(f"{n:036d}", "make") for n in range(JOB_ORDERS_MAX + 3)]
    messages += [
        OrderMessage(f"{99:036d}", "settle"),
        OrderMessage(f"{98:036d}", "make", alone=True),
    ]
    again = OrderMessage(messages[0].order_uuid, "make", alone=True)
    made = list(batches([*messages, messages[-1], again]))
    assert [(kind, len(orders)) for kind, orders in made] == [
        ("make", 1),
        ("make", 1),
        ("make", JOB_ORDERS_MAX),
        ("make", 2),
        ("settle", 1),
    ]


def test_job_and_acknowledgement_are_one() -> None:
    event = hall()
    order = bought(event)
    relay().run_once()
    assert dispatch() == 1
    assert [list(job.args) for job in ticket_queue().get_jobs()] == [[[order]]]
    assert stream(ORDERS_STREAM) == []
    assert redis_client().xpending(ORDERS_STREAM, ORDERS_GROUP)["pending"] == 0


def test_while_workers_are_behind_orders_gather_in_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event = hall()
    monkeypatch.setattr(dispatcher, "JOBS_WAITING_MAX", 1)
    first = bought(event, 0)
    relay().run_once()
    assert dispatch() == 1
    late = [bought(event, number) for number in (1, 2)]
    relay().run_once()
    assert dispatch() == 0
    assert (len(stream(ORDERS_STREAM)), ticket_queue().count) == (2, 1)
    work()
    assert dispatch() == 2
    assert [list(job.args) for job in ticket_queue().get_jobs()] == [[late]]
    work()
    assert {status_of(order) for order in [first, *late]} == {"COMPLETED"}


def test_what_a_dead_dispatcher_took_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    order = bought(hall())
    relay().run_once()
    first = Dispatcher(block_ms=1)
    with monkeypatch.context() as killed:
        killed.setattr(dispatcher, "_enqueue", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with suppress(KeyboardInterrupt):
            first.run_once()
    assert redis_client().xpending(ORDERS_STREAM, ORDERS_GROUP)["pending"] == 1
    monkeypatch.setattr(dispatcher, "ABANDONED_MS", 0)
    assert dispatch() == 1
    work()
    assert status_of(order) == "COMPLETED"


def test_a_poisoned_entry_is_set_aside_and_the_next_is_served() -> None:
    order = bought(hall())
    redis_client().xadd(ORDERS_STREAM, {"order": "nonsense"})
    redis_client().xadd(ORDERS_STREAM, {"x": "y"})
    redis_client().xadd(ORDERS_STREAM, {b"\xff": b"\xfe no text"})
    run_all()
    assert status_of(order) == "COMPLETED"
    assert len(stream(DEAD_LETTERS_STREAM)) == 3
    assert stream(ORDERS_STREAM) == []


def test_a_group_that_is_gone_is_made_anew() -> None:
    """H32: Redis came back empty between two reads of one dispatcher."""
    order = bought(hall())
    one_dispatcher = Dispatcher(block_ms=1)
    one_dispatcher.run_once()
    redis_client().flushdb()
    relay().run_once()
    assert one_dispatcher.run_once() == 1
    work()
    assert status_of(order) == "COMPLETED"


@pytest.mark.parametrize(
    "fields", [{}, {"order": "x" * 36, "kind": "other"}, {"order": "1", "kind": "make"}]
)
def test_only_our_own_messages_are_read(fields: dict[str, str]) -> None:
    with pytest.raises(PoisonedMessageError):
        OrderMessage.parse(fields)


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "x"},
        {"positions": "0,1296"},
        {"positions": "-1"},
        {"positions": ""},
        {"event": "a"},
    ],
)
def test_seats_that_no_page_could_be_told_of_are_not_ours(wrong: dict[str, str]) -> None:
    with pytest.raises(PoisonedMessageError):
        update({**SeatsChanged(7, 1, 2, (0, 5), "s").fields(), **wrong})


@pytest.mark.parametrize(
    "message",
    [
        OrderMessage(str(uuid4()), "settle", alone=True),
        OrderChanged(str(uuid4()), "ana", "COMPLETED"),
        SeatsChanged(7, 1, 2, (0, 5), "s"),
    ],
)
def test_messages_survive_the_journey(message: Any) -> None:
    parse = OrderMessage.parse if isinstance(message, OrderMessage) else update
    assert parse(message.fields()) == message
