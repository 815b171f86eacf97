"""relay, dispatcher, worker's job and sweeper: each run once, run twice, and with something missing."""

import io
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import urllib3
import zxingcpp
from PIL import Image

from pipeline import dispatcher, payments, refunds, sweeper, tickets
from pipeline.connections import redis_client
from pipeline.dispatcher import Dispatcher, batches
from pipeline.jobs import JOB_ORDERS_MAX, ticket_queue
from pipeline.messages import (
    DEAD_LETTERS_STREAM,
    ORDERS_GROUP,
    ORDERS_STREAM,
    UPDATES_STREAM,
    OrderChanged,
    OrderMessage,
    PoisonedMessageError,
    SeatsChanged,
    update,
)
from pipeline.orders import cancel
from pipeline.relay import Relay
from pipeline.seatlock import client as seatlock
from pipeline.settings import settings
from pipeline.signing import decode, keys
from tests.halls import Hall, hall, owner
from tests.people import ANA
from tests.stations import dispatch, one, purchase, relay, rows, run_all, status_of, work

pytestmark = pytest.mark.usefixtures("clean")

CAPTURE_REFUSED = "4000000000000341"
REFUND_FAILS_TWICE = "4000000000005126"


def bought(event: Hall, number: int = 0, **how: Any) -> str:
    answer = purchase(event, event.seats[number : number + 1], **how)
    assert answer.status == 201
    return str(answer.body["order_uuid"])


def later(what: str) -> None:
    """Time passes for what waits in Postgres."""
    with owner() as connection:
        connection.execute(f"UPDATE orders.orders SET {what}".encode())


def stream(name: str) -> list[dict[str, str]]:
    return [fields for _, fields in redis_client().xrange(name)]  # type: ignore[union-attr]


def paid(order_uuid: str) -> dict[str, Any]:
    ledger = urllib3.request("GET", f"{settings().bank_url}/ledger").json()["payments"]
    return next(payment for payment in ledger if payment["key"] == order_uuid)


# relay


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
    second = Relay()
    bought(hall())
    assert second.run_once() == 0
    relay().close()
    assert second.run_once() >= 1
    second.close()


def test_seat_changes_reach_the_stream_in_the_order_of_truth() -> None:
    event = hall()
    holds = seatlock.lock(event.id, event.seats[:2], "visitor:a")
    assert isinstance(holds, list)
    seatlock.unlock([(holds[0].seat_id, holds[0].fence)], "visitor:a")
    relay().run_once()
    seen = [update(fields) for fields in stream(UPDATES_STREAM)]
    ours = [one for one in seen if isinstance(one, SeatsChanged) and one.event_id == event.id]
    assert [(one.positions, one.state) for one in ours] == [((0, 1), "h"), ((0,), "f")]
    assert ours[0].number < ours[1].number
    assert rows("SELECT 1 FROM catalog.seat_changes") == []


# dispatcher


def test_waiting_orders_become_jobs_of_up_to_twenty_five() -> None:
    messages = [OrderMessage(f"{n:036d}", "make") for n in range(JOB_ORDERS_MAX + 3)]
    messages += [OrderMessage(f"{99:036d}", "settle"), OrderMessage(f"{98:036d}", "make", alone=True)]
    made = list(batches([*messages, messages[0]]))
    assert [(kind, len(orders)) for kind, orders in made] == [
        ("make", 1),
        ("make", JOB_ORDERS_MAX),
        ("make", 3),
        ("settle", 1),
    ]


def test_job_and_acknowledgement_are_one() -> None:
    event = hall()
    order = bought(event)
    relay().run_once()
    assert dispatch() == 1
    assert [list(job.args) for job in ticket_queue().get_jobs()] == [[[order]]]
    assert stream(ORDERS_STREAM) == []
    assert redis_client().xpending(ORDERS_STREAM, ORDERS_GROUP)["pending"] == 0  # type: ignore[index]


def test_what_a_dead_dispatcher_took_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    order = bought(hall())
    relay().run_once()
    first = Dispatcher(block_ms=1)
    with monkeypatch.context() as killed:
        killed.setattr(dispatcher, "_enqueue", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with suppress(KeyboardInterrupt):
            first.run_once()
    assert redis_client().xpending(ORDERS_STREAM, ORDERS_GROUP)["pending"] == 1  # type: ignore[index]
    monkeypatch.setattr(dispatcher, "ABANDONED_MS", 0)
    assert dispatch() == 1
    work()
    assert status_of(order) == "COMPLETED"


def test_a_poisoned_entry_is_set_aside_and_the_next_is_served() -> None:
    order = bought(hall())
    redis_client().xadd(ORDERS_STREAM, {"order": "nonsense"})
    redis_client().xadd(ORDERS_STREAM, {"x": "y"})
    run_all()
    assert status_of(order) == "COMPLETED"
    assert len(stream(DEAD_LETTERS_STREAM)) == 2
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


@pytest.mark.parametrize("fields", [{}, {"order": "x" * 36, "kind": "other"}, {"order": "1", "kind": "make"}])
def test_only_our_own_messages_are_read(fields: dict[str, str]) -> None:
    with pytest.raises(PoisonedMessageError):
        OrderMessage.parse(fields)


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


# the job


def test_a_ticket_can_be_read_and_checked_by_others() -> None:
    event = hall()
    order = bought(event)
    run_all()
    ticket = rows("SELECT ticket_uuid, code, picture FROM orders.tickets WHERE order_uuid = %s", order)[0]
    read = zxingcpp.read_barcodes(Image.open(io.BytesIO(ticket[2])).convert("L"))
    assert [one.text for one in read] == [ticket[1]]
    said = decode(ticket[1], {key.id: key.public for key in keys()})
    assert (said.ticket_uuid, said.event_id, said.issue) == (ticket[0], event.id, 1)


def test_a_second_run_changes_nothing() -> None:
    """Rule 5, H31."""
    event = hall()
    orders = [bought(event, number) for number in range(3)]
    tickets.make_tickets(orders)
    state = rows("SELECT * FROM orders.tickets ORDER BY 1"), rows("SELECT * FROM orders.history ORDER BY 1")
    ledger = [paid(order) for order in orders]
    tickets.make_tickets(orders)
    tickets.make_tickets(orders[:1])
    assert (rows("SELECT * FROM orders.tickets ORDER BY 1"), rows("SELECT * FROM orders.history ORDER BY 1")) == state
    assert [paid(order) for order in orders] == ledger


def test_a_worker_killed_in_the_middle_leaves_codes_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """H30: killed after the capture; another run finishes it."""
    order = bought(hall())

    def killed(_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tickets, "fail_here", killed)
        with suppress(KeyboardInterrupt):
            tickets.make_tickets([order])
    assert (status_of(order), paid(order)["state"]) == ("PROCESSING", "captured")
    tickets.make_tickets([order])
    assert status_of(order) == "COMPLETED"


def test_one_refused_capture_fails_only_its_own_order() -> None:
    event = hall()
    good, bad = bought(event, 0), bought(event, 1, card=CAPTURE_REFUSED)
    relay().run_once()
    dispatch()
    work()
    assert (status_of(good), status_of(bad)) == ("COMPLETED", "FAILED")
    assert one("SELECT reason FROM orders.orders WHERE order_uuid = %s", bad) == "payment_declined"
    run_all()
    assert paid(bad)["state"] == "voided"
    assert one("SELECT status FROM catalog.seats WHERE id = %s", event.seats[1]) == "AVAILABLE"
    assert one("SELECT settled_at FROM orders.orders WHERE order_uuid = %s", bad) is not None


def test_an_order_that_cannot_be_drawn_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    event = hall()
    orders = [bought(event, number) for number in range(3)]
    bad = UUID(orders[1])
    bad_ticket = one("SELECT ticket_uuid FROM orders.tickets WHERE order_uuid = %s", bad)
    real = tickets.draw

    def draw(ticket_uuid: UUID, code: str) -> Any:
        if ticket_uuid == bad_ticket:
            raise ValueError("no ink")
        return real(ticket_uuid, code)

    monkeypatch.setattr(tickets, "draw", draw)
    tickets.make_tickets(orders)
    assert [status_of(order) for order in orders] == ["COMPLETED", "PROCESSING", "COMPLETED"]
    assert one("SELECT attempts FROM orders.orders WHERE order_uuid = %s", bad) == 1


# retries, dead letters, compensation


def test_what_can_heal_is_tried_after_one_two_and_four_seconds_then_dead_lettered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event = hall()
    order = bought(event)
    with monkeypatch.context() as away:
        away.setattr(payments, "settings", lambda: type("Nowhere", (), {"bank_url": "http://127.0.0.1:9"}))
        pauses = []
        for _ in range(4):
            run_all()
            pauses.append(
                one("SELECT extract(epoch FROM retry_at - now())::float FROM orders.orders")
            )
            later("retry_at = now()")
            sweeper.run_once()
    assert [round(pause) for pause in pauses[:3]] == [1, 2, 4]
    assert pauses[3] is None
    assert one("SELECT dead_at FROM orders.orders") is not None
    assert [entry["order"] for entry in stream(DEAD_LETTERS_STREAM)] == [order]
    assert one("SELECT status FROM catalog.seats WHERE id = %s", event.seats[0]) == "SOLD"
    run_all()
    assert status_of(order) == "PROCESSING", "a dead-lettered order waits"


def test_a_dead_letter_is_compensated_after_its_deadline() -> None:
    event = hall()
    order = bought(event)
    later("dead_at = now(), created_at = now() - interval '2 hours'")
    with owner() as connection:
        connection.execute("DELETE FROM orders.outbox")
    sweeper.run_once()
    assert status_of(order) == "FAILED"
    assert one("SELECT reason FROM orders.orders") == "not_finished_in_time"
    assert one("SELECT count(*) FROM orders.tickets WHERE voided_at IS NULL") == 0
    assert one("SELECT status FROM catalog.seats WHERE id = %s", event.seats[0]) == "SOLD"
    run_all()
    assert one("SELECT status FROM catalog.seats WHERE id = %s", event.seats[0]) == "AVAILABLE"
    assert paid(order)["state"] == "voided"
    sweeper.run_once()
    assert len(rows("SELECT 1 FROM orders.history")) == 2


def test_a_refund_that_fails_is_tried_again_until_it_works() -> None:
    order = bought(hall(), card=REFUND_FAILS_TWICE)
    run_all()
    assert cancel(UUID(order), ANA.sub)
    for _ in range(3):
        run_all()
        later("retry_at = now() WHERE retry_at IS NOT NULL")
        sweeper.run_once()
    assert (paid(order)["state"], paid(order)["refunded"]) == ("refunded", "80.00")
    assert one("SELECT settled_at FROM orders.orders") is not None


def test_settling_twice_gives_the_money_back_once() -> None:
    order = bought(hall())
    run_all()
    cancel(UUID(order), ANA.sub)
    for _ in range(2):
        refunds.settle([order])
    assert paid(order)["refunded"] == "80.00"
    seats = rows("SELECT status FROM catalog.seats WHERE id IN (SELECT seat_id FROM orders.tickets)")
    assert seats == [("AVAILABLE",)]


# what the sweeper finds


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


# what the tables refuse and the roles may


IMPOSSIBLE = [
    "UPDATE orders.orders SET status = 'COMPLETED'",
    "UPDATE orders.orders SET status = 'FAILED'",
    "UPDATE orders.orders SET status = 'LOST'",
    "UPDATE orders.orders SET settled_at = now()",
    "UPDATE orders.orders SET total_amount = -1",
    "UPDATE orders.tickets SET code = 'x'",
    "UPDATE orders.tickets SET admitted_at = now()",
    "UPDATE orders.purchases SET answer = NULL",
    "UPDATE orders.purchases SET fences = '{}'",
    "UPDATE catalog.seats SET order_uuid = NULL WHERE status = 'SOLD'",
    "UPDATE catalog.seats SET status = 'LOCKED', held_until = NULL, order_uuid = NULL WHERE status = 'SOLD'",
    "UPDATE catalog.seats SET holder = 'root' WHERE status = 'SOLD'",
    "UPDATE catalog.events SET ends_at = starts_at",
    "UPDATE catalog.events SET currency = 'soles'",
]


@pytest.mark.parametrize("statement", IMPOSSIBLE)
def test_impossible_rows_are_refused_by_the_table(statement: str) -> None:
    bought(hall())
    with owner() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(statement.encode())


FORBIDDEN = [
    ("web", "UPDATE catalog.seats SET status = 'AVAILABLE'"),
    ("web", "UPDATE orders.orders SET status = 'PENDING'"),
    ("web", "INSERT INTO orders.outbox (order_uuid, kind) VALUES (gen_random_uuid(), 'make')"),
    ("pipeline", "UPDATE catalog.seats SET status = 'AVAILABLE'"),
    ("pipeline", "INSERT INTO catalog.seat_changes (event_id, section_number, positions, state) VALUES (1, 1, '{0}', 'f')"),
    ("pipeline", "SELECT 1 FROM accounts.sessions"),
    ("seatlock", "SELECT 1 FROM orders.orders"),
    ("seatlock", "SELECT 1 FROM accounts.users"),
    ("seatlock", "CREATE TABLE catalog.more (id int)"),
]


@pytest.mark.parametrize(("role", "statement"), FORBIDDEN)
def test_each_role_may_do_its_own_work_and_no_other(role: str, statement: str) -> None:
    """Rule 6."""
    with owner() as connection:
        connection.execute(f"SET ROLE {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())

