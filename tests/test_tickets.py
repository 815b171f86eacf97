"""The job: money, codes, pictures, and what happens when one of them fails."""

import io
import re
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from PIL import Image

from pipeline import payments, refunds, sweeper, tickets
from pipeline.messages import (
    DEAD_LETTERS_STREAM,
)
from pipeline.orders import cancel
from pipeline.signing import decode, keys, signing_key
from tests.halls import hall, owner
from tests.people import ANA, sign_in
from tests.stations import (
    bought,
    dispatch,
    later,
    one,
    paid,
    purchase,
    relay,
    rows,
    run_all,
    status_of,
    stream,
    work,
)

pytestmark = pytest.mark.usefixtures("clean")

CAPTURE_REFUSED = "4000000000000341"
REFUND_FAILS_TWICE = "4000000000005126"


def test_a_ticket_can_be_read_and_checked_by_others() -> None:
    event = hall()
    order = bought(event)
    run_all()
    ticket = rows(
        "SELECT ticket_uuid, code, picture FROM orders.tickets WHERE order_uuid = %s", order
    )[0]
    read = zxingcpp.read_barcodes(Image.open(io.BytesIO(ticket[2])).convert("L"))
    assert [one.text for one in read] == [ticket[1]]
    said = decode(ticket[1], {key.id: key.public for key in keys()})
    assert (said.ticket_uuid, said.event_id, said.issue) == (ticket[0], event.id, 1)


def test_a_slow_batch_says_how_far_it_is_and_shows_no_code_before_it_is_done(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = hall()
    order = str(purchase(event, event.seats[:3]).body["order_uuid"])
    sign_in(client, ANA)
    monkeypatch.setattr(tickets, "PROGRESS_S", 0.0)
    seen: list[tuple[str, str, int]] = []
    keep = tickets.keep

    def look(drawn: list[tickets.Drawn]) -> None:
        keep(drawn)
        page = client.get(f"/orders/{order}").text
        progress = re.findall(r'<progress max="3" value="(\d)"', page)[0]
        picture = client.get(f"/tickets/{drawn[0].ticket_uuid}.png").status_code
        shown = drawn[0].code in client.get(f"/tickets/{drawn[0].ticket_uuid}").text
        seen.append((progress, stream("updates")[-1]["status"], picture + shown))

    monkeypatch.setattr(tickets, "keep", look)
    tickets.make_tickets([order])
    assert seen == [("1", "PROCESSING", 404), ("2", "PROCESSING", 404)]
    assert status_of(order) == "COMPLETED"
    monkeypatch.setattr(tickets, "draw", None)
    tickets.make_tickets([order])
    pictures = re.findall(r"/tickets/[0-9a-f-]+\.png", client.get(f"/orders/{order}").text)
    assert len(pictures) == 3


def test_a_second_run_changes_nothing() -> None:
    """Rule 5, H31."""
    event = hall()
    orders = [bought(event, number) for number in range(3)]
    tickets.make_tickets(orders)
    state = (
        rows("SELECT * FROM orders.tickets ORDER BY 1"),
        rows("SELECT * FROM orders.history ORDER BY 1"),
    )
    ledger = [paid(order) for order in orders]
    tickets.make_tickets(orders)
    tickets.make_tickets(orders[:1])
    assert (
        rows("SELECT * FROM orders.tickets ORDER BY 1"),
        rows("SELECT * FROM orders.history ORDER BY 1"),
    ) == state
    assert [paid(order) for order in orders] == ledger


@pytest.mark.parametrize(
    ("at", "status", "written"),
    [("job", "PROCESSING", 0), ("drawn", "PROCESSING", 2), ("finished", "COMPLETED", 3)],
)
def test_a_worker_killed_in_the_middle_leaves_codes_unchanged(
    at: str, status: str, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H30: killed after the capture, with none, some or all codes written; another run finishes it."""
    event = hall()
    order = str(purchase(event, event.seats[:3]).body["order_uuid"])
    codes = "SELECT ticket_uuid, code, picture FROM orders.tickets WHERE code IS NOT NULL"

    def killed(step: str) -> None:
        if step == at:
            raise KeyboardInterrupt

    monkeypatch.setattr(tickets, "PROGRESS_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(tickets, "fail_here", killed)
        with suppress(KeyboardInterrupt):
            tickets.make_tickets([order])
    before = rows(codes)
    assert (status_of(order), paid(order)["state"]) == (status, "captured")
    assert len(before) == written
    # The same key would sign the same code again, so a newer one shows what was signed twice.
    newer = replace(signing_key(), id=2, private=Ed25519PrivateKey.generate())
    monkeypatch.setattr(tickets, "signing_key", lambda: newer)
    tickets.make_tickets([order])
    after = rows(codes)
    assert status_of(order) == "COMPLETED"
    assert len(after) == 3
    assert set(before) <= set(after)


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


def test_an_order_that_cannot_be_drawn_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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


def test_what_can_heal_is_tried_after_one_two_and_four_seconds_then_dead_lettered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event = hall()
    order = bought(event)
    with monkeypatch.context() as away:
        away.setattr(
            payments, "settings", lambda: type("Nowhere", (), {"bank_url": "http://127.0.0.1:9"})
        )
        for pause in (1, 2, 4, None):
            begun = one("SELECT clock_timestamp()")
            run_all()
            ended = one("SELECT clock_timestamp()")
            again = one("SELECT retry_at FROM orders.orders")
            if pause is None:
                assert again is None
            else:
                assert begun + timedelta(seconds=pause) <= again
                assert again <= ended + timedelta(seconds=1.25 * pause)
            later("retry_at = now()")
            sweeper.run_once()
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
    seats = rows(
        "SELECT status FROM catalog.seats WHERE id IN (SELECT seat_id FROM orders.tickets)"
    )
    assert seats == [("AVAILABLE",)]


def test_those_that_failed_together_do_not_come_back_together() -> None:
    event = hall()
    orders = [UUID(bought(event, number)) for number in range(8)]
    tickets.try_later(orders, "bank")
    waits = rows("SELECT extract(epoch FROM retry_at - now()) FROM orders.orders")
    assert len(set(waits)) == len(orders)
    assert max(waits)[0] <= 1.25
