"""Purchases under a lease: who drives, what a driver that died leaves, and how each ends."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier, Thread
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
import urllib3

from pipeline import breaker, orders, payments, purchases, sweeper
from pipeline.connections import pool
from pipeline.orders import Answer, begin
from pipeline.payments import Payment
from pipeline.purchases import LEASE_S, NotDrivingError, Wish
from pipeline.seatlock import client as seatlock
from pipeline.settings import settings
from sql import write
from tests.halls import Hall, change, hall, owner
from tests.people import ANA, BRUNO
from tests.stations import DECLINED, PAYS, one, purchase, rows, run_all, status_of

pytestmark = pytest.mark.usefixtures("clean")

ANSWER_LOST = "4000000000000127"
SLOW = "4000000000000119"
LATE = "4000000000000259"
HOLDER = f"account:{ANA.sub}"


def wish(event: Hall, card: str = PAYS, **more: Any) -> Wish:
    return Wish(event.id, event.seats[:1], Payment(card_number=card), **more)


def lapse() -> None:
    """The driver died some time ago."""
    with owner() as connection:
        connection.execute("UPDATE orders.purchases SET driven_until = now() - interval '1 s'")


def step_of(key: str) -> Any:
    return one("SELECT step FROM orders.purchases WHERE idempotency_key = %s", key)


def seat(event: Hall) -> Any:
    found = rows(
        "SELECT status, holder, held_until FROM catalog.seats WHERE id = %s", event.seats[0]
    )
    return found[0]


def bank_state(key: str) -> str:
    order_uuid = one("SELECT order_uuid FROM orders.purchases WHERE idempotency_key = %s", key)
    return payments.look_up(str(order_uuid))


@pytest.fixture
def died(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A driver that dies just after the given step was written, as kill -9 would have it."""

    class Killed(BaseException):
        pass

    def kill(step: str) -> None:
        if step == request.param:
            raise Killed

    monkeypatch.setattr(purchases, "fail_here", kill)
    yield request.param
    monkeypatch.undo()


def buy_and_die(event: Hall, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BaseException, match=r"^$"):
        orders.buy(ANA.sub, key, wish(event))
    monkeypatch.undo()
    lapse()


@pytest.mark.parametrize("died", ["authorised", "committed"], indirect=True)
def test_what_was_paid_is_driven_forward_from_the_row_alone(
    died: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, key = hall(), str(uuid4())
    buy_and_die(event, key, monkeypatch)
    sold = "SOLD" if died == "committed" else "LOCKED"
    assert (step_of(key), bank_state(key), seat(event)[0]) == ("HELD", "authorised", sold)
    sweeper.run_once()
    assert step_of(key) == "PLACED"
    again = orders.buy(ANA.sub, key, wish(event))
    assert (again.status, again.replayed) == (201, True)
    run_all()
    assert status_of(again.body["order_uuid"]) == "COMPLETED"
    assert bank_state(key) == "captured"


@pytest.mark.parametrize("died", ["held"], indirect=True)
def test_a_purchase_that_never_paid_goes_back_and_frees_what_it_took_itself(
    died: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, key = hall(), str(uuid4())
    buy_and_die(event, key, monkeypatch)
    assert (step_of(key), seat(event)[0]) == ("HELD", "LOCKED")
    sweeper.run_once()
    assert (step_of(key), seat(event)[0]) == ("REFUSED", "AVAILABLE")
    assert bank_state(key) == "voided"
    assert orders.buy(ANA.sub, key, wish(event)).status == 201, "the key was given up: begin anew"


def test_a_key_that_is_given_up_while_it_is_looked_at_buys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first purchase under it is being undone, and is undone between two looks."""
    event, key = hall(), str(uuid4())
    begin(ANA.sub, key, wish(event), uuid4())
    going_back = "step = 'REFUSING', answer_status = 503, answer = '{}', key_given_up = true"
    look = orders._by_key  # noqa: SLF001

    def undone_just_then(buyer: str, of: str) -> Any:
        with owner() as connection:
            connection.execute("UPDATE orders.purchases SET step = 'REFUSED'")
        return look(buyer, of)

    with owner() as connection:
        connection.execute(f"UPDATE orders.purchases SET {going_back}".encode())
    assert orders.buy(ANA.sub, key, wish(event)).body == {"error": "in_progress"}
    monkeypatch.setattr(orders, "_by_key", undone_just_then)
    assert orders.buy(ANA.sub, key, wish(event)).status == 201


@pytest.mark.parametrize("died", ["held"], indirect=True)
def test_a_hold_taken_on_the_page_keeps_its_clock(
    died: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, key = hall(), str(uuid4())
    seatlock.lock(event.id, event.seats[:1], HOLDER)
    before = seat(event)
    buy_and_die(event, key, monkeypatch)
    sweeper.run_once()
    assert step_of(key) == "REFUSED"
    assert seat(event) == before


@pytest.mark.parametrize("died", ["held", "authorised", "committed"], indirect=True)
def test_the_buyer_who_sends_it_again_drives_it_on(
    died: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, key = hall(), str(uuid4())
    with pytest.raises(BaseException, match=r"^$"):
        orders.buy(ANA.sub, key, wish(event))
    monkeypatch.undo()
    assert orders.buy(ANA.sub, key, wish(event)).body["error"] == "in_progress", "the lease lives"
    lapse()
    assert orders.buy(ANA.sub, key, wish(event)).status == 201
    assert one("SELECT count(*) FROM orders.orders") == 1


def test_what_the_bank_has_taken_already_is_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a backup are older than the bank's books: the order was there once, and its money is gone."""
    event, key = hall(), str(uuid4())
    begin(ANA.sub, key, wish(event), uuid4())
    order = str(one("SELECT order_uuid FROM orders.purchases"))
    payments.authorise(order, Decimal("80.00"), "PEN", Payment(card_number=PAYS))
    assert payments.capture(order) == "captured"
    lapse()
    sweeper.run_once()
    assert step_of(key) == "PLACED"
    run_all()
    assert status_of(order) == "COMPLETED"


def test_a_driver_that_lost_its_lease_writes_nothing_more() -> None:
    event, key = hall(), str(uuid4())
    old = begin(ANA.sub, key, wish(event), uuid4())
    assert old is not None
    lapse()
    sweeper.run_once()
    assert step_of(key) == "REFUSED"
    with pytest.raises(NotDrivingError):
        purchases.drive(old, wish(event))
    assert step_of(key) == "REFUSED"


def test_the_same_key_twice_at_once_is_one_purchase() -> None:
    """H11: one of them is told that the other still runs, or gets its answer."""
    event, key = hall(), str(uuid4())
    together, answers = Barrier(4), []

    def tap() -> None:
        together.wait()
        answers.append(orders.buy(ANA.sub, key, wish(event, SLOW)))

    taps = [Thread(target=tap) for _ in range(4)]
    for one_tap in taps:
        one_tap.start()
    for one_tap in taps:
        one_tap.join()
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    refused = [answer for answer in answers if answer.status == 409]
    assert {answer.body["error"] for answer in refused} == {"in_progress"}
    assert one("SELECT count(*) FROM orders.purchases WHERE idempotency_key = %s", key) == 1


def test_an_answer_that_was_lost_is_asked_for_again() -> None:
    event, key = hall(), str(uuid4())
    assert orders.buy(ANA.sub, key, wish(event, ANSWER_LOST)).status == 201
    assert bank_state(key) == "authorised"


def test_a_bank_that_is_away_refuses_and_gives_everything_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event, key = hall(), str(uuid4())
    with monkeypatch.context() as away:
        away.setattr(
            payments, "settings", lambda: type("Nowhere", (), {"bank_url": "http://127.0.0.1:9"})
        )
        answer = orders.buy(ANA.sub, key, wish(event))
        assert (answer.status, answer.body["error"]) == (503, "busy")
        assert step_of(key) == "REFUSING", "the void has not been answered"
        again = orders.buy(ANA.sub, key, wish(event))
        assert again.body["error"] == "in_progress"
    sweeper.run_once()
    assert (step_of(key), seat(event)[0], bank_state(key)) == ("REFUSED", "AVAILABLE", "voided")
    assert orders.buy(ANA.sub, key, wish(event)).status == 201


def test_a_payment_that_is_pending_is_waited_for_by_the_sweeper(bank: str) -> None:
    """The buyer is told that it still runs; what the bank says later decides."""
    event, key = hall(), str(uuid4())
    answer = orders.buy(ANA.sub, key, wish(event, LATE))
    assert answer.body["error"] == "in_progress"
    assert step_of(key) == "HELD"
    sweeper.run_once()
    assert step_of(key) == "HELD"
    with owner() as connection:
        connection.execute("UPDATE orders.purchases SET created_at = now() - interval '61 s'")
    sweeper.run_once()
    assert (step_of(key), seat(event)[0], bank_state(key)) == ("REFUSED", "AVAILABLE", "voided")
    found = orders.find(ANA.sub, key)
    assert found is not None
    assert found.answer is not None
    assert found.answer.body["error"] == "busy"


def test_a_seat_that_was_lost_while_paying_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """H03: the hold ended while the bank took its time, and Bruno was there."""
    event, key = hall(), str(uuid4())

    def slow(*_: Any) -> str:
        change(event.seats[:1], held_until=datetime.now(UTC) - timedelta(seconds=1))
        seatlock.lock(event.id, event.seats[:1], f"account:{BRUNO.sub}")
        return real(*_)

    real = payments.authorise
    monkeypatch.setattr(payments, "authorise", slow)
    answer = orders.buy(ANA.sub, key, wish(event))
    assert (answer.status, answer.body["unavailable"]) == (409, event.seats[:1])
    assert bank_state(key) == "voided"
    assert seat(event)[1] == f"account:{BRUNO.sub}"
    assert orders.buy(ANA.sub, key, wish(event)).replayed


def test_a_lapsed_hold_that_nobody_claimed_is_still_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    event = hall()

    def slow(*_: Any) -> str:
        change(event.seats[:1], held_until=datetime.now(UTC) - timedelta(seconds=1))
        seatlock.release_expired()
        return real(*_)

    real = payments.authorise
    monkeypatch.setattr(payments, "authorise", slow)
    assert purchase(event, event.seats[:1]).status == 201


def test_a_form_whose_hold_is_over_is_refused_before_the_bank() -> None:
    """H05, by the page: what was shown as held is not taken anew behind the buyer's back."""
    event, key = hall(), str(uuid4())
    answer = orders.buy(ANA.sub, key, wish(event, held=True))
    assert (answer.status, answer.body["error"]) == (409, "hold_expired")
    assert bank_state(key) == "unknown"
    assert orders.buy(ANA.sub, key, wish(event, held=True)).replayed


def test_a_total_that_was_not_shown_is_never_charged() -> None:
    event, key = hall(), str(uuid4())
    seatlock.lock(event.id, event.seats[:1], HOLDER)
    answer = orders.buy(ANA.sub, key, wish(event, shown_total=Decimal("79.00"), held=True))
    assert (answer.status, answer.body) == (
        409,
        {"error": "price_changed", "shown": "79.00", "now": "80.00"},
    )
    assert seat(event)[0] == "LOCKED"
    assert bank_state(key) == "voided"
    right = wish(event, shown_total=Decimal("80.00"), held=True)
    assert orders.buy(ANA.sub, key, right).status == 201


def test_an_event_withdrawn_meanwhile_sells_nothing() -> None:
    event = hall()
    seatlock.lock(event.id, event.seats[:1], HOLDER)
    with owner() as connection:
        connection.execute(
            "UPDATE catalog.events SET status = 'CANCELLED' WHERE id = %s", [event.id]
        )
    answer = purchase(event, event.seats[:1])
    assert (answer.status, answer.body["error"]) == (409, "not_on_sale")


def test_above_the_backlogs_limit_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 8: before the payment, and only new purchases; a repeated key still has its answer."""
    event, key = hall(), str(uuid4())
    bought = orders.buy(ANA.sub, key, wish(event))
    monkeypatch.setattr(orders, "unfinished_orders", lambda: orders.BACKLOG_MAX)
    assert purchase(event, event.seats[1:2]) == Answer(503, {"error": "busy"})
    assert orders.buy(ANA.sub, key, wish(event)).body == bought.body
    assert one("SELECT count(*) FROM orders.purchases") == 1


def test_seats_sold_for_nothing_go_back_on_sale() -> None:
    event = hall()
    held = seatlock.lock(event.id, event.seats[:1], HOLDER)
    assert isinstance(held, list)
    assert seatlock.commit([(held[0].id, held[0].fence)], HOLDER, str(uuid4())) == []
    assert seat(event)[0] == "SOLD"
    assert sweeper.free_orphaned_seats() == 1
    assert seat(event)[0] == "AVAILABLE"
    assert sweeper.free_orphaned_seats() == 0


def test_no_card_number_is_kept_with_us() -> None:
    event = hall()
    purchase(event, event.seats[:1])
    purchase(event, event.seats[1:2], card=DECLINED)
    told = repr(rows("SELECT purchases::text FROM orders.purchases"))
    assert PAYS not in told
    assert DECLINED not in told
    assert PAYS not in repr(wish(event))
    ledger = urllib3.request("GET", f"{settings().bank_url}/ledger").data.decode()
    assert PAYS not in ledger


@pytest.mark.parametrize("away", [seatlock, payments])
def test_nothing_is_begun_that_could_only_wait(
    away: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who must be asked is known to be away; a key that was used before is answered all the same."""
    event, key = hall(), str(uuid4())
    known = orders.buy(ANA.sub, key, wish(event))
    other = Wish(event.id, event.seats[1:2], Payment(card_number=PAYS))
    monkeypatch.setattr(breaker, "TRIAL_S", 30.0)
    away.breaker.open()
    try:
        assert orders.buy(ANA.sub, str(uuid4()), other) == orders.BUSY
        assert orders.buy(ANA.sub, key, wish(event)).body == known.body
        assert one("SELECT count(*) FROM orders.purchases") == 1
        if away is payments:
            free = Wish(event.id, event.seats[1:2])
            assert orders.buy(ANA.sub, str(uuid4()), free).body["error"] == "invalid_payment"
    finally:
        away.breaker.close()
    assert orders.buy(ANA.sub, str(uuid4()), other).status == 201


def test_what_must_wait_is_in_nobodys_way() -> None:
    """One that was let go a moment ago comes after one whose driver died, however old they are."""
    event = hall()
    for number in range(2):
        assert orders.begin(ANA.sub, str(number), Wish(event.id, [event.seats[number]]), uuid4())
    with owner() as connection:
        connection.execute(
            "UPDATE orders.purchases SET created_at = now() - interval '10 s' * (2 - idempotency_key::int),"
            " driven_until = now() - interval '1 s' * (1 + idempotency_key::int)"
        )
    with pool("pipeline").connection() as connection:
        [first] = write(
            connection, "purchases.take_over_lapsed", driver=uuid4(), lease=LEASE_S, most=1
        )
    assert first.idempotency_key == "1"
