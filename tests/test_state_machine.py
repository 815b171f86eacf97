"""Random lives of holds and orders, with deaths, lapses and an emptied Redis: rules 1 to 5 at every step."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline import orders, purchases, refunds, sweeper, tickets
from pipeline.connections import redis_client
from pipeline.orders import Answer
from pipeline.payments import Payment
from pipeline.purchases import Wish
from pipeline.seatlock import client as seatlock
from tests.halls import Hall, hall, owner
from tests.people import ANA, BRUNO, CARLA, Person
from tests.stations import dispatch, forget_everything, later, ledger, relay, rows, work

CARDS = {
    "pays": "4242424242424242",
    "declined": "4000000000000002",
    "answer lost": "4000000000000127",
    "capture refused": "4000000000000341",
    "refund fails twice": "4000000000005126",
}
PEOPLE = st.sampled_from([ANA, BRUNO, CARLA])
WANTED = st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True)
CARD = st.sampled_from(sorted(CARDS))
PURCHASE_STEPS = st.sampled_from(
    ["begun", "locked", "held", "authorised", "committed", "placed", "undone"]
)
JOB_STEPS = st.sampled_from(["job", "drawn", "finished"])
RETURN_STEPS = st.sampled_from(["returned", "unlocked"])


class _Killed(BaseException):
    """kill -9 at a failpoint."""


def dying(at: str) -> Callable[[str], None]:
    """A failpoint that kills at this step."""

    def fail_here(step: str) -> None:
        if step == at:
            raise _Killed

    return fail_here


class Lives(RuleBasedStateMachine):
    """Three people, six seats, every station of the pipeline."""

    def __init__(self) -> None:
        super().__init__()
        self.event: Hall
        self.sent: dict[tuple[Person, str], Wish] = {}
        self.answers: dict[tuple[Person, str], Answer] = {}

    @initialize()
    def begin(self) -> None:
        forget_everything()
        self.event = hall([("Sala", 1, 6, "50.00")])

    def seats(self, wanted: list[int]) -> list[int]:
        return [self.event.seats[place] for place in wanted]

    # what people do

    @rule(person=PEOPLE, wanted=WANTED)
    def hold(self, person: Person, wanted: list[int]) -> None:
        seatlock.lock(self.event.id, self.seats(wanted), f"account:{person.sub}")

    @rule(person=PEOPLE, wanted=WANTED)
    def give_back(self, person: Person, wanted: list[int]) -> None:
        fences = rows("SELECT id, fence FROM catalog.seats WHERE id = ANY (%s)", self.seats(wanted))
        seatlock.unlock([(seat, fence) for seat, fence in fences], f"account:{person.sub}")

    @rule(person=PEOPLE, wanted=WANTED, card=CARD)
    def buy(self, person: Person, wanted: list[int], card: str) -> None:
        key = str(uuid4())
        wish = Wish(self.event.id, self.seats(wanted), Payment(card_number=CARDS[card]))
        self.sent[person, key] = wish
        self.tell(person, key, orders.buy(person.sub, key, wish))

    @rule(person=PEOPLE, wanted=WANTED, card=CARD, at=PURCHASE_STEPS)
    def buy_and_die(self, person: Person, wanted: list[int], card: str, at: str) -> None:
        key = str(uuid4())
        wish = Wish(self.event.id, self.seats(wanted), Payment(card_number=CARDS[card]))
        self.sent[person, key] = wish
        with patch.object(purchases, "fail_here", dying(at)):
            try:
                self.tell(person, key, orders.buy(person.sub, key, wish))
            except _Killed:
                return

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def send_again(self, data: Any) -> None:
        """Rule 4."""
        person, key = data.draw(st.sampled_from(sorted(self.sent, key=str)))
        self.tell(person, key, orders.buy(person.sub, key, self.sent[person, key]))

    @precondition(lambda self: self.accepted())
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        person, key = data.draw(st.sampled_from(sorted(self.accepted(), key=str)))
        orders.cancel(UUID(self.answers[person, key].body["order_uuid"]), person.sub)

    # what happens

    @rule()
    def holds_lapse(self) -> None:
        with owner() as connection:
            connection.execute(
                "UPDATE catalog.seats SET held_until = now() - interval '1 s' WHERE status = 'LOCKED'"
            )

    @rule()
    def leases_lapse_and_the_sweeper_comes(self) -> None:
        with owner() as connection:
            connection.execute("UPDATE orders.purchases SET driven_until = now() - interval '1 s'")
        sweeper.run_once()
        seatlock.release_expired()

    @rule()
    def redis_is_emptied(self) -> None:
        """Rule 9."""
        redis_client().flushdb()

    @rule(station=st.sampled_from(["relay", "dispatcher", "worker"]))
    def a_station_runs(self, station: str) -> None:
        {"relay": relay().run_once, "dispatcher": dispatch, "worker": work}[station]()

    @rule(at=JOB_STEPS)
    def a_worker_dies_in_its_job(self, at: str) -> None:
        unfinished = rows("SELECT order_uuid::text FROM orders.orders WHERE status = 'PENDING'")
        with patch.object(tickets, "fail_here", dying(at)):
            try:
                tickets.make_tickets([order for (order,) in unfinished])
            except _Killed:
                return

    @rule(at=RETURN_STEPS)
    def a_worker_dies_while_it_gives_back(self, at: str) -> None:
        ended = rows(
            "SELECT order_uuid::text FROM orders.orders"
            " WHERE status IN ('FAILED', 'CANCELLED') AND settled_at IS NULL"
        )
        with patch.object(refunds, "fail_here", dying(at)):
            try:
                refunds.settle([order for (order,) in ended])
            except _Killed:
                return

    @rule()
    def a_job_runs_once_more(self) -> None:
        """Rule 5."""
        everything = [order for (order,) in rows("SELECT order_uuid::text FROM orders.orders")]
        before = rows(
            "SELECT ticket_uuid, code FROM orders.tickets WHERE code IS NOT NULL ORDER BY 1"
        )
        tickets.make_tickets(everything)
        after = rows(
            "SELECT ticket_uuid, code FROM orders.tickets WHERE code IS NOT NULL ORDER BY 1"
        )
        assert set(before) <= set(after)

    # what must hold

    def tell(self, person: Person, key: str, answer: Answer) -> None:
        """A buyer who was told 201 is told the same order for ever."""
        known = self.answers.get((person, key))
        if known is not None and known.status == 201:
            assert (answer.status, answer.body) == (known.status, known.body)
        assert answer.status in (201, 402, 409, 503), answer
        self.answers[person, key] = answer

    def accepted(self) -> list[tuple[Person, str]]:
        return [name for name, answer in self.answers.items() if answer.status == 201]

    @invariant()
    def no_seat_is_sold_twice_and_none_returns_while_an_order_lives(self) -> None:
        """Rules 1 and 3, and every rule of sql/invariants.sql."""
        if hasattr(self, "event"):
            assert sweeper.check() == []

    @invariant()
    def what_was_accepted_is_there(self) -> None:
        """Rule 2, so far."""
        told = [self.answers[name].body["order_uuid"] for name in self.accepted()]
        known = rows("SELECT count(*) FROM orders.orders WHERE order_uuid = ANY (%s::uuid[])", told)
        assert known == [(len(told),)]

    def teardown(self) -> None:
        """Rules 2 and 3 at the end: let everything settle, then compare money, tickets and seats."""
        if hasattr(self, "event"):
            self.settle()
            self.compare()

    def settle(self) -> None:
        for _ in range(8):
            with owner() as connection:
                connection.execute(
                    "UPDATE orders.purchases SET driven_until = now() - interval '1 s'"
                )
            later(
                "sent_at = now() - interval '10 min', sends = 1, retry_at = least(retry_at, now())"
            )
            sweeper.run_once()
            sweeper.free_orphaned_seats()
            relay().run_once()
            dispatch()
            work()
        self.holds_lapse()
        seatlock.release_expired()

    def compare(self) -> None:
        payments = ledger()
        states = rows(
            "SELECT order_uuid::text, status, settled_at IS NOT NULL, total_amount FROM orders.orders"
        )
        for order, status, settled, amount in states:
            assert status == "COMPLETED" or settled, (order, status)
            money = payments[order]
            kept = status == "COMPLETED"
            assert money["captured"] == (
                str(amount) if kept or money["state"] == "refunded" else "0"
            )
            assert money["refunded"] == ("0" if kept else money["captured"])
        open_steps = rows(
            "SELECT step FROM orders.purchases WHERE step NOT IN ('PLACED', 'REFUSED')"
        )
        assert open_steps == []
        refused = rows("SELECT order_uuid::text FROM orders.purchases WHERE step = 'REFUSED'")
        for (order,) in refused:
            assert payments.get(order, {"captured": "0"})["captured"] == "0"
            assert payments.get(order, {"state": "unknown"})["state"] != "authorised"
        live = rows("SELECT seat_id FROM orders.tickets WHERE voided_at IS NULL ORDER BY 1")
        sold = rows(
            "SELECT id FROM catalog.seats WHERE status = 'SOLD' AND event_id = %s ORDER BY 1",
            self.event.id,
        )
        assert live == sold
        held = rows(
            "SELECT 1 FROM catalog.seats WHERE status = 'LOCKED' AND event_id = %s", self.event.id
        )
        assert held == []


Lives.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=25,
    # A failing life is printed whole: making it shorter takes minutes, each step being real.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestLives = pytest.mark.usefixtures("clean")(Lives.TestCase)
