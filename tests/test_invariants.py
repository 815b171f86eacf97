"""The rules of sql/invariants.sql: each finds what breaks it, and nothing that is right for a moment."""

import re
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pipeline import orders, purchases, refunds, sweeper
from pipeline.orders import cancel
from pipeline.payments import Payment
from pipeline.purchases import Wish
from sql import statement
from tests.halls import Hall, hall, owner
from tests.people import ANA
from tests.stations import PAYS, one, purchase, run_all

pytestmark = pytest.mark.usefixtures("clean")

SOLD = "an order in progress or completed has its seats SOLD for it"
LIVES = "a live ticket belongs to an order that lives"
CODE = "a completed order has a code on every ticket"
EACH_SEAT = "an order has a ticket for each seat of its purchase"
PLACED = "a placed purchase has its order, and only a placed one"
ADD_UP = "the tickets of an order add up to its total"
OF_ITS_EVENT = "a ticket names a seat of its event"
EVENTS = "orders and purchases name events that exist"
WANTED = "a SOLD seat is wanted by a purchase under way or an order that is not undone"

SELL = "UPDATE catalog.seats SET status = 'SOLD', order_uuid = {} WHERE id = %(free)s"
BEGIN = """
INSERT INTO orders.purchases (order_uuid, buyer, idempotency_key, digest, event_id, step, seat_ids, fences,
                              own_hold, amount, currency, driven_by, driven_until, answer)
SELECT gen_random_uuid(), buyer, 'another', digest, event_id, '{}', ARRAY[%(free)s::bigint], '{{1}}',
       '{{}}', amount, currency, driven_by, driven_until, {}
  FROM orders.purchases RETURNING order_uuid
"""
VOID = "UPDATE orders.tickets SET voided_at = now()"
SETTLE = "UPDATE orders.orders SET status = 'CANCELLED', settled_at = now()"
SELL_FOR_BEGUN = SELL.format("(SELECT order_uuid FROM begun)")

BREAKS = [
    (SOLD, "UPDATE catalog.seats SET status = 'AVAILABLE', order_uuid = NULL WHERE id = %(seat)s"),
    (LIVES, "UPDATE orders.orders SET status = 'FAILED', reason = 'x', completed_at = NULL"),
    (LIVES, "UPDATE orders.orders SET status = 'CANCELLED'"),
    (CODE, "UPDATE orders.tickets SET code = NULL, picture = NULL WHERE seat_id = %(seat)s"),
    (EACH_SEAT, "UPDATE orders.purchases SET seat_ids = seat_ids || seat_ids, fences = fences || fences"),
    (PLACED, "UPDATE orders.purchases SET step = 'HELD', answer = NULL"),
    (PLACED, "DELETE FROM orders.purchases"),
    (PLACED, BEGIN.format("PLACED", "'{}'")),
    (ADD_UP, "UPDATE orders.tickets SET price = price + 1 WHERE seat_id = %(seat)s"),
    (OF_ITS_EVENT, "UPDATE orders.tickets SET event_id = event_id - 1 WHERE seat_id = %(seat)s"),
    (EVENTS, "UPDATE orders.orders SET event_id = -1"),
    (EVENTS, "UPDATE orders.purchases SET event_id = -1"),
    (WANTED, SELL.format("gen_random_uuid()")),
    (WANTED, SELL.format("%(order)s::uuid")),
    (WANTED, f"WITH begun AS ({BEGIN.format('REFUSED', repr('{}'))}) {SELL_FOR_BEGUN}"),
    (WANTED, f"WITH begun AS ({BEGIN.format('HELD', 'NULL')}) {SELL_FOR_BEGUN} - 1"),
    (WANTED, VOID),
    (WANTED, f"WITH void AS ({VOID}) {SETTLE}"),
]  # fmt: skip
"""What no table refuses, each a statement that breaks one rule in a system with one finished order."""


@pytest.fixture
def event() -> Hall:
    """Ana has the first two seats."""
    event = hall()
    purchase(event, event.seats[:2])
    run_all()
    assert sweeper.check() == []
    return event


@pytest.mark.parametrize(("rule", "how"), BREAKS)
def test_what_breaks_a_rule_is_found_by_that_rule_alone(rule: str, how: str, event: Hall) -> None:
    order = one("SELECT order_uuid FROM orders.orders WHERE status = 'COMPLETED'")
    with owner() as connection, connection.transaction(force_rollback=True):
        done = connection.execute(
            how.encode(), {"seat": event.seats[0], "free": event.seats[5], "order": order}
        )
        assert done.rowcount
        assert [name for name, _ in broken(connection)] == [rule]
    assert sweeper.check() == []


def test_every_rule_is_broken_once() -> None:
    rules = re.findall(r"SELECT '([^']+)', count\(\*\)", statement("invariants.broken").decode())
    assert sorted(rules) == sorted({rule for rule, _ in BREAKS})


def broken(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return connection.execute(statement("invariants.broken")).fetchall()


def test_a_seat_is_wanted_while_its_purchase_is_under_way_and_until_its_order_is_undone(
    event: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(step: str) -> None:
        if step == "committed":
            raise Killed

    wish = Wish(event.id, event.seats[2:3], Payment(card_number=PAYS))
    monkeypatch.setattr(purchases, "fail_here", kill)
    with pytest.raises(Killed):
        orders.buy(ANA.sub, "key", wish)
    sold = "SELECT count(*) FROM catalog.seats WHERE status = 'SOLD'"
    assert (one(sold), sweeper.check()) == (3, [])
    order = str(one("SELECT order_uuid FROM orders.orders"))
    assert cancel(UUID(order), ANA.sub)
    assert (one(sold), sweeper.check()) == (3, [])
    refunds.settle([order])
    assert (one(sold), sweeper.check()) == (1, [])
