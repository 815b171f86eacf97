"""Whether what buyers were told, the tables and the bank's ledger say the same, after all is quiet."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from pipeline.bank import cards
from sql import statement
from tests.chaos.buyers import Call, History, decided
from tests.chaos.faults import Injected
from tests.journey.system import System

HOLD_S = 20
"""So long holds last on the stage: some run out."""
HOLD_ENDS_S = 8.0
"""So long before its end a hold is too old to promise anything about an answer that takes time."""
PROMPT_S = 6.0
"""So soon an order is finished that no fault was near of."""
NEAR_S = (10.0, 7.0)
"""A fault so long before a moment (a keeper waits up to 4 s), or so long after it, was near."""
BEYOND = (
    "web",
    "web.front",
    "web.updates",
    "pipeline.autoscaler",
    "line to web",
    "line to updates",
)
"""Whose faults keep no order that is accepted from being finished."""
AWAY = (0, 502, 503, 504)
CALM_ORDERS_MIN = 5
OPEN = ("authorised", "pending")
FINAL = ("COMPLETED", "FAILED", "CANCELLED")
SHUT_OUT = (400, 401, 403, 404, 413, 422, 429)
"""What nobody here deserves to be told: sessions and tokens are good, and what is asked for is theirs."""
SECOND_TICKET = """
    INSERT INTO orders.tickets (ticket_uuid, order_uuid, event_id, seat_id, section, section_number, row_label,
                                number, position, accessible, price)
    SELECT gen_random_uuid(), order_uuid, event_id, seat_id, section, section_number, row_label, number, position,
           accessible, price
      FROM orders.tickets WHERE event_id = %s AND voided_at IS NULL LIMIT 1"""


@dataclass(frozen=True)
class Truth:
    """What the tables and the bank hold of one event, or of all."""

    purchases: list[Any]
    orders: dict[str, Any]
    tickets: list[Any]
    seats: list[Any]
    ledger: dict[str, dict[str, Any]]


def read(system: System, event_id: int) -> Truth:
    """The event's rows and the whole ledger."""
    with psycopg.connect(
        system.settings.database_url, autocommit=True, row_factory=namedtuple_row
    ) as connection:

        def rows(query: str) -> list[Any]:
            return connection.execute(query.encode(), [event_id]).fetchall()

        orders = rows(
            "SELECT order_uuid::text AS uuid, buyer, status, total_amount, settled_at,"
            " extract(epoch FROM completed_at - created_at) AS took,"
            " (SELECT extract(epoch FROM clock_timestamp() - created_at)) AS age"
            " FROM orders.orders WHERE event_id = %s"
        )
        return Truth(
            rows("SELECT order_uuid::text AS uuid, idempotency_key AS key, step, amount"
                 " FROM orders.purchases WHERE event_id = %s"),
            {order.uuid: order for order in orders},
            rows("SELECT order_uuid::text AS uuid, seat_id, price, voided_at, code FROM orders.tickets"
                 " WHERE event_id = %s"),
            rows("SELECT id, status, price, order_uuid::text AS uuid,"
                 " status = 'LOCKED' AND held_until < now() - interval '10 s' AS stuck"
                 " FROM catalog.seats WHERE event_id = %s"),
            system.ledger(),
        )  # fmt: skip


def check(system: System, history: History, faults: Sequence[Injected], clock: float) -> list[str]:
    """Sentences about what is wrong with one seed. `clock`: our clock's moment of the database's now."""
    truth = read(system, history.event_id)
    return [
        *compared(history, truth, faults, clock),
        *_table_refuses(system, history.event_id),
        *_shown(system, history.event_id, truth),
    ]


def compared(history: History, truth: Truth, faults: Sequence[Injected], clock: float) -> list[str]:
    """The same of what was read already."""
    return [
        *_answers(history),
        *_keys(history, truth),
        *_told(history, truth),
        *_whose(history, truth),
        *_refusals(history),
        *_what_was_bought(history, truth),
        *_holds(history),
        *_seats(truth),
        *_money(truth),
        *_ends(history, truth),
        *_prompt(truth, faults, clock),
    ]


def calm(history: History) -> Iterator[str]:
    """Where nothing is broken any more everybody is served at once: no 503, and orders by every way."""
    for call in history.calls:
        if call.status in AWAY or call.status >= 500:
            yield f"in the calm {call.what} was answered {call.status}"
    ordered = Counter(call.what for call in history.calls if call.status == 201)["order"]
    pushed = sum(call.what == "push" for call in history.calls)
    if ordered < CALM_ORDERS_MIN or not pushed:
        yield f"in the calm {ordered} orders were accepted and {pushed} pushed"


def _answers(history: History) -> Iterator[str]:
    """Every answer is one that the contract knows."""
    for call in history.calls:
        if call.status >= 500 and call.status not in AWAY:
            yield f"{call.what} was answered {call.status}: {call.answer}"
        if call.status in SHUT_OUT:
            yield f"{call.what} was answered {call.status}: {call.answer}"
        if call.status == 503 and "Retry-After" not in call.headers:
            yield f"{call.what} was answered 503 without a time to come back"


def _whose(history: History, truth: Truth) -> Iterator[str]:
    """Whoever is told of orders, by answer, page or socket, is told of their own."""
    accounts, buyers = defaultdict(set), defaultdict(set)
    for call in history.calls:
        if call.order in truth.orders:
            account = truth.orders[call.order].buyer
            accounts[call.buyer].add(account)
            buyers[account].add(call.buyer)
    for buyer, known in accounts.items():
        if len(known) > 1:
            yield f"{buyer} was told of orders of {len(known)} accounts"
    for told in buyers.values():
        if len(told) > 1:
            yield f"{sorted(told)} were told of orders of one account"


def _refusals(history: History) -> Iterator[str]:
    """Nobody is refused without a reason: a card that the bank refuses, a seat that others wanted."""
    wanted = defaultdict(set)
    for call in history.calls:
        for seat in call.seats:
            wanted[seat].add((call.buyer, call.key))
    for call in history.calls:
        if call.status == 402 and call.card not in cards.REFUSED:
            yield f"key {call.key} was declined with a card that pays"
        if call.error == "hold_lost":
            yield f"{call.buyer} held {call.seats} and the checkout does not show them"
        for seat in call.answer.get("unavailable", ()):
            if not wanted[seat] - {(call.buyer, call.key)}:
                yield f"seat {seat} was refused to {call.buyer} and nobody else wanted it"


def _what_was_bought(history: History, truth: Truth) -> Iterator[str]:
    """An order is its key's, and its tickets are the seats that were asked for, at their prices."""
    of_key, seats_of = defaultdict(set), defaultdict(set)
    for one in truth.purchases:
        of_key[one.key].add(one.uuid)
    price_of = {seat.id: seat.price for seat in truth.seats}
    for ticket in truth.tickets:
        seats_of[ticket.uuid].add(ticket.seat_id)
        if ticket.price != price_of[ticket.seat_id]:
            yield f"a ticket for seat {ticket.seat_id} costs {ticket.price}"
    for key, calls in _by_key(history).items():
        for call in calls:
            if call.status != 201:
                continue
            if call.order not in of_key[key]:
                yield f"key {key} was told of order {call.order} of another"
            if seats_of[call.order] != set(call.seats):
                yield f"key {key} wanted {call.seats} and got {sorted(seats_of[call.order])}"


def _keys(history: History, truth: Truth) -> Iterator[str]:
    """A key is one order, and its answer is the same whenever it is asked for."""
    placed = Counter(one.key for one in truth.purchases if one.step == "PLACED")
    for key, count in placed.items():
        if count > 1:
            yield f"key {key} made {count} orders"
    for key, calls in _by_key(history).items():
        told = {call.order for call in calls if call.status == 201}
        if len(told) > 1:
            yield f"key {key} was told of the orders {sorted(told)}"
        declined = {call.error for call in calls if call.status == 402}
        if declined and told:
            yield f"key {key} was declined and accepted"


def _told(history: History, truth: Truth) -> Iterator[str]:
    """What a buyer was told last is how it is."""
    of_key = defaultdict(list)
    for one in truth.purchases:
        of_key[one.key].append(one)
    for key, calls in _by_key(history).items():
        last = [call for call in calls if decided(call)][-1:]
        placed = [one.uuid for one in of_key[key] if one.step == "PLACED"]
        for call in last:
            if call.status == 201 and call.order not in truth.orders:
                yield f"order {call.order} was accepted and is not there"
            if call.status != 201 and placed:
                yield f"key {key} was refused ({call.status} {call.error}) and made {placed[0]}"
    for order, calls in _by_order(history).items():
        said = [str(call.answer["status"]) for call in calls]
        now = truth.orders[order].status if order in truth.orders else "nothing"
        if said[-1] in FINAL and said[-1] != now and (said[-1], now) != ("COMPLETED", "CANCELLED"):
            yield f"order {order} was told {said[-1]} and is {now}"


def _holds(history: History) -> Iterator[str]:
    """Whoever holds a seat gets it: nobody else does while the hold lives."""
    wanted = defaultdict(set)
    for call in history.calls:
        if call.what == "order":
            wanted[call.buyer].add((call.key, call.seats))
    for held in history.calls:
        if held.what != "lock-seat" or held.status != 200:
            continue
        for call in history.calls:
            soon = held.ended < call.began and call.ended < held.ended + HOLD_S - HOLD_ENDS_S
            mine = call.what == "order" and call.buyer == held.buyer and call.seats == held.seats
            if not (soon and mine and call.error == "seat_unavailable"):
                continue
            # What the buyer wanted under another key may be the buyer's own by now, or given back.
            others = [seats for key, seats in wanted[call.buyer] if key != call.key]
            if not any(set(seats) & set(held.seats) for seats in others):
                yield f"{call.buyer} held {held.seats} and was told that they are gone"


def _seats(truth: Truth) -> Iterator[str]:
    """A seat is sold once, and SOLD exactly where it has a live ticket."""
    live = defaultdict(list)
    for ticket in truth.tickets:
        if ticket.voided_at is None:
            live[ticket.seat_id].append(ticket.uuid)
    for seat in truth.seats:
        if seat.stuck:
            yield f"seat {seat.id} is still LOCKED, ten seconds after its hold ended"
        if len(live[seat.id]) > 1:
            yield f"seat {seat.id} was sold to {live[seat.id]}"
        if (seat.status == "SOLD") != bool(live[seat.id]):
            yield f"seat {seat.id} is {seat.status} with the tickets {live[seat.id]}"
        elif seat.status == "SOLD" and seat.uuid not in live[seat.id]:
            yield f"seat {seat.id} is SOLD for {seat.uuid}, its ticket is of {live[seat.id]}"


def _money(truth: Truth) -> Iterator[str]:
    """The ledger is the tickets: nobody paid for nothing, and nobody got anything for nothing."""
    for order in truth.orders.values():
        paid = truth.ledger.get(order.uuid, {"state": "unknown", "captured": "0", "refunded": "0"})
        kept = paid["captured"] == str(order.total_amount) and paid["state"] == "captured"
        back = paid["captured"] == paid["refunded"] and paid["state"] not in OPEN
        if not (kept if order.status == "COMPLETED" else back):
            yield f"order {order.uuid} is {order.status} and the bank says {paid}"
    for one in truth.purchases:
        paid = truth.ledger.get(one.uuid, {"state": "unknown"})
        if one.step == "REFUSED" and paid["state"] in ("captured", *OPEN):
            yield f"purchase {one.uuid} was refused and the bank says {paid}"


def _ends(history: History, truth: Truth) -> Iterator[str]:
    """Nothing is under way any more, and what is finished has what belongs to it."""
    card_of = {call.key: call.card for call in history.calls if call.card}
    refusable = {one.uuid: card_of.get(one.key) for one in truth.purchases}
    for one in truth.purchases:
        if one.step not in ("PLACED", "REFUSED"):
            yield f"purchase {one.uuid} stands at {one.step}"
    called_off = {call.of for call in history.calls if call.what == "cancel"}
    for order in truth.orders.values():
        if order.status == "CANCELLED" and order.uuid not in called_off:
            yield f"order {order.uuid} is CANCELLED and nobody asked for it"
        if order.status not in FINAL:
            yield f"order {order.uuid} stands at {order.status}"
        if order.status == "FAILED" and refusable.get(order.uuid) != cards.CAPTURE_REFUSED:
            yield f"order {order.uuid} FAILED, and its card was good"
        if order.status in ("FAILED", "CANCELLED") and order.settled_at is None:
            yield f"order {order.uuid} is {order.status} and not settled"
    for ticket in truth.tickets:
        order = truth.orders[ticket.uuid]
        if order.status == "COMPLETED" and (ticket.code is None or ticket.voided_at):
            yield f"a ticket of {order.uuid} has no code, or is void"


def _prompt(truth: Truth, faults: Sequence[Injected], clock: float) -> Iterator[str]:
    """An order that no fault was near of was finished at once, not by a repair."""
    grave = [one for one in faults if one.kind.partition(" ")[2] not in BEYOND]
    for order in truth.orders.values():
        accepted = clock - float(order.age)
        if near(accepted, accepted, grave) or order.took is None:
            continue
        if float(order.took) > PROMPT_S:
            yield f"order {order.uuid} took {float(order.took):.1f} s although nothing was wrong"


def _table_refuses(system: System, event_id: int) -> Iterator[str]:
    """A second live ticket for a seat is refused by the table, whatever the code believes."""
    with psycopg.connect(system.settings.database_url) as connection:
        try:
            done = connection.execute(SECOND_TICKET, [event_id])
        except psycopg.errors.UniqueViolation:
            return
        finally:
            connection.rollback()
        if done.rowcount:
            yield "the table takes a second live ticket for a seat"


def _shown(system: System, event_id: int, truth: Truth) -> Iterator[str]:
    """What everybody is shown of the seats is what the tables say."""
    shown = system.get(f"/api/events/{event_id}/seats").json()["seats"]
    states = {seat["id"]: seat["status"] for seat in shown}
    for seat in truth.seats:
        if seat.status == "SOLD" and states[seat.id] != "SOLD":
            yield f"seat {seat.id} is SOLD and shown as {states[seat.id]}"
        if seat.status == "AVAILABLE" and states[seat.id] != "AVAILABLE":
            yield f"seat {seat.id} is AVAILABLE and shown as {states[seat.id]}"


def rules(system: System) -> list[str]:
    """What of sql/invariants.sql does not hold, and what is left lying between processes."""
    with psycopg.connect(system.settings.database_url, autocommit=True) as connection:
        broken = [f"{rule} ({count} rows)"
                  for rule, count in connection.execute(statement("invariants.broken")).fetchall()]  # fmt: skip
        known = {
            row[0] for row in connection.execute("SELECT order_uuid::text FROM orders.purchases")
        }
    foreign = [key for key, paid in system.ledger().items()
               if key not in known and paid["state"] != "voided"]  # fmt: skip
    return [*broken, *(f"the bank has a payment {key} of no purchase" for key in foreign)]


def near(began: float, ended: float, faults: Sequence[Injected]) -> bool:
    """Whether a fault was there between these moments, shortly before, or soon after."""
    before, after = NEAR_S
    return any(one.began < ended + after and one.ended > began - before for one in faults)


def met_a_fault(calls: Sequence[Call], faults: Sequence[Injected]) -> bool:
    """Whether a fault was there while this purchase was."""
    began, ended = min(call.began for call in calls), max(call.ended for call in calls)
    return any(one.began < ended and one.ended > began for one in faults)


def purchases(history: History) -> list[list[Call]]:
    """The calls of each purchase."""
    return list(_by_key(history).values())


def _by_key(history: History) -> dict[str, list[Call]]:
    found: dict[str, list[Call]] = defaultdict(list)
    for call in sorted(history.calls, key=lambda call: call.ended):
        if call.what == "order":
            found[call.key].append(call)
    return found


def _by_order(history: History) -> dict[str, list[Call]]:
    found: dict[str, list[Call]] = defaultdict(list)
    for call in sorted(history.calls, key=lambda call: call.ended):
        if (
            call.what in ("look", "cancel", "push")
            and call.status == 200
            and "status" in call.answer
        ):
            found[call.order].append(call)
    return found
