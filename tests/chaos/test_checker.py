"""The checker on small histories: it finds each kind of wrong, and nothing in what is right."""

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.bank.cards import PAYS
from tests.chaos import checker
from tests.chaos.buyers import Call, History
from tests.chaos.checker import CALM_ORDERS_MIN, HOLD_S, PROMPT_S, Truth
from tests.chaos.faults import Injected

ORDER, KEY = "11111111-1111-4111-8111-111111111111", "a-key"
OTHER = "22222222-2222-4222-8222-222222222222"
NOW = 1_000.0


def call(what: str = "order", status: int = 201, at: float = 10.0, **more: Any) -> Call:
    answer = more.pop("answer", {"order_uuid": ORDER} if status == 201 else {})
    how = {"buyer": "1-0", "key": KEY, "seats": (7,), **more}
    return Call(what=what, status=status, answer=answer, began=at, ended=at + 0.1, **how)


def history(*calls: Call) -> History:
    return History(1, 5, 0.0, 20.0, calls=list(calls))


RIGHT = Truth(
    [SimpleNamespace(uuid=ORDER, key=KEY, step="PLACED", amount=Decimal("80.00"))],
    {ORDER: SimpleNamespace(uuid=ORDER, buyer="x", status="COMPLETED", total_amount=Decimal("80.00"),
                            settled_at=None, took=0.5, age=NOW - 10)},
    [SimpleNamespace(uuid=ORDER, seat_id=7, price=Decimal("80.00"), voided_at=None, code="C")],
    [SimpleNamespace(id=7, status="SOLD", price=Decimal("80.00"), uuid=ORDER, stuck=False),
     SimpleNamespace(id=8, status="AVAILABLE", price=Decimal("80.00"), uuid=None, stuck=False)],
    {ORDER: {"state": "captured", "captured": "80.00", "refunded": "0"}},
)  # fmt: skip
TOLD = history(call(), call("look", 200, 12.0, answer={"order_uuid": ORDER, "status": "COMPLETED"}))


def found(told: History = TOLD, truth: Truth = RIGHT, faults: tuple[Injected, ...] = ()) -> str:
    return "\n".join(checker.compared(told, truth, faults, NOW))


def order(**columns: Any) -> Truth:
    """The right rows with an order that is a little different."""
    changed = SimpleNamespace(**{**vars(RIGHT.orders[ORDER]), **columns})
    return replace(RIGHT, orders={ORDER: changed})


def seats(**columns: Any) -> Truth:
    """The right rows with a first seat that is a little different."""
    first, *others = RIGHT.seats
    return replace(RIGHT, seats=[SimpleNamespace(**{**vars(first), **columns}), *others])


def bank(**columns: str) -> Truth:
    return replace(RIGHT, ledger={ORDER: {**RIGHT.ledger[ORDER], **columns}})


def test_what_is_right_is_found_right() -> None:
    assert found() == ""


PLACED = RIGHT.purchases[0]
TICKET = RIGHT.tickets[0]


@pytest.mark.parametrize(
    ("truth", "sentence"),
    [
        (replace(RIGHT, tickets=[TICKET, SimpleNamespace(**{**vars(TICKET), "uuid": OTHER})],
                 orders={**RIGHT.orders, OTHER: RIGHT.orders[ORDER]}), "was sold to"),
        (seats(status="AVAILABLE", uuid=None), "seat 7 is AVAILABLE"),
        (seats(uuid=OTHER), "is SOLD for"),
        (replace(RIGHT, tickets=[]), "seat 7 is SOLD with the tickets []"),
        (seats(stuck=True), "seat 7 is still LOCKED"),
        (seats(price=Decimal("35.50")), "a ticket for seat 7 costs 80.00"),
        (replace(RIGHT, tickets=[SimpleNamespace(**{**vars(TICKET), "seat_id": 8})]), "wanted (7,) and got [8]"),
        (order(status="CANCELLED", settled_at=1), "is CANCELLED and nobody asked for it"),
        (replace(RIGHT, orders={}, tickets=[], seats=[]), "was accepted and is not there"),
        (replace(RIGHT, purchases=[PLACED, SimpleNamespace(**{**vars(PLACED), "uuid": OTHER})]), "made 2 orders"),
        (replace(RIGHT, purchases=[PLACED, SimpleNamespace(uuid=OTHER, key="b", step="HELD")]), "stands at HELD"),
        (replace(RIGHT, tickets=[SimpleNamespace(**{**vars(TICKET), "code": None})]), "has no code"),
        (order(status="PROCESSING", took=None), "stands at PROCESSING"),
        (order(status="FAILED"), "not settled"),
        (order(took=PROMPT_S + 1), "although nothing was wrong"),
        (bank(state="authorised", captured="0"), "is COMPLETED and the bank says"),
        (bank(captured="40.00"), "is COMPLETED and the bank says"),
        (bank(state="refunded", refunded="80.00"), "is COMPLETED and the bank says"),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit_are_found(truth: Truth, sentence: str) -> None:
    assert sentence in found(truth=truth)


def test_money_that_a_refused_purchase_left_is_found() -> None:
    refused = SimpleNamespace(uuid=OTHER, key="b", step="REFUSED")
    for state in ("authorised", "captured", "pending"):
        ledger = {**RIGHT.ledger, OTHER: {"state": state, "captured": "0", "refunded": "0"}}
        truth = replace(RIGHT, purchases=[*RIGHT.purchases, refused], ledger=ledger)
        assert "was refused and the bank says" in found(truth=truth)


@pytest.mark.parametrize(
    ("calls", "sentence"),
    [
        ((call(status=409, answer={"error": "seat_unavailable"}),), "was refused (409 seat_unavailable) and made"),
        ((call(), call(at=12, answer={"order_uuid": OTHER})), "was told of the orders"),
        ((call(), call(at=12, status=402, answer={"error": "payment_declined"})), "was declined and accepted"),
        ((call("look", 200, 12, answer={"order_uuid": ORDER, "status": "FAILED"}),), "was told FAILED and is COMPLETED"),
        ((call(status=500),), "was answered 500"),
        ((call(status=401),), "was answered 401"),
        ((call("listen", 403),), "was answered 403"),
        ((call(status=402, card=PAYS, key="b"),), "was declined with a card that pays"),
        ((call(status=409, key="b", seats=(9,), answer={"unavailable": [9]}),), "nobody else wanted it"),
        ((call("shown", 200, key="", answer={"error": "hold_lost"}),), "the checkout does not show them"),
        ((call(key="b", answer={"order_uuid": ORDER}),), "key b was told of order"),
        ((call(), call("push", 200, buyer="1-1", answer={"order_uuid": ORDER})), "were told of orders of one account"),
        ((call(), call("push", 200, answer={"order_uuid": OTHER})), "was told of orders of 2 accounts"),
        ((call(status=503),), "without a time to come back"),
    ],
)  # fmt: skip
def test_what_was_told_and_is_not_so_is_found(calls: tuple[Call, ...], sentence: str) -> None:
    others = SimpleNamespace(**{**vars(RIGHT.orders[ORDER]), "uuid": OTHER, "buyer": "y"})
    truth = replace(RIGHT, orders={**RIGHT.orders, OTHER: others})
    assert sentence in found(history(*calls), truth)


def test_an_order_that_its_buyer_called_off_is_right() -> None:
    asked = call("cancel", 0, 12.0, key="", of=ORDER)
    assert "nobody asked" not in found(history(call(), asked), order(status="CANCELLED"))


def test_a_calm_in_which_nobody_is_served_is_found() -> None:
    pushed = call("push", 200, answer={"order_uuid": ORDER})
    served = [call(at=at) for at in range(CALM_ORDERS_MIN)]
    assert list(checker.calm(history(*served, pushed))) == []
    assert list(checker.calm(history(*served))) == [
        "in the calm 5 orders were accepted and 0 pushed"
    ]
    refused = call(status=503, headers={"Retry-After": "2"})
    assert list(checker.calm(history(*served, pushed, refused))) == [
        "in the calm order was answered 503"
    ]


def test_a_hold_that_somebody_else_got_is_found() -> None:
    held = call("lock-seat", 200, 5.0, key="")
    gone = call(status=409, at=8.0, key="b", answer={"error": "seat_unavailable"})
    assert "was told that they are gone" in found(history(held, gone))
    late = replace(gone, began=5.0 + HOLD_S, ended=5.1 + HOLD_S)
    assert "are gone" not in found(history(held, late)), "the hold was over"
    assert "are gone" not in found(history(held, call(), gone)), (
        "the buyer has the seat, by another key"
    )


def test_an_order_that_met_a_fault_may_take_longer() -> None:
    fault = Injected("kill pipeline.relay", "1", 9.0, 9.0)
    assert found(truth=order(took=PROMPT_S + 1), faults=(fault,)) == ""
    elsewhere = Injected("kill web.updates", "1", 9.0, 9.0)
    assert "although nothing was wrong" in found(
        truth=order(took=PROMPT_S + 1), faults=(elsewhere,)
    )


def test_an_answer_that_did_not_come_is_no_lie() -> None:
    nothing = replace(RIGHT, purchases=[], orders={}, tickets=[], seats=[], ledger={})
    assert found(history(call(status=0), call(status=502)), nothing) == ""
