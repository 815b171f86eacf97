"""What is tried no more: operators list it, try it again, or give it up; and a buyer is never left with nothing."""

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import Literal
from uuid import UUID

import pytest
import redis

from pipeline import breaker, dead_letters, payments, sweeper, tickets
from pipeline.breaker import CALLS_MIN
from pipeline.connections import pool, redis_client
from pipeline.dead_letters import DeadLetterError
from pipeline.messages import DEAD_LETTERS_STREAM, ORDERS_STREAM
from tests.halls import Hall, hall, owner
from tests.stations import (
    bought,
    dispatch,
    later,
    one,
    paid,
    relay,
    rows,
    run_all,
    status_of,
    stream,
    work,
)

pytestmark = pytest.mark.usefixtures("clean")


def dead(event: Hall) -> str:
    """An order whose tries are used up."""
    order = bought(event)
    with owner() as connection:
        connection.execute("DELETE FROM orders.outbox")
    later("attempts = 4, dead_at = now(), status = 'PROCESSING'")
    redis_client().xadd(DEAD_LETTERS_STREAM, {"order": order, "reason": "tries used up"})
    return order


def test_an_order_is_listed_and_shown_with_its_event() -> None:
    order = dead(hall())
    listed = dead_letters.main(["list"])
    assert listed.startswith(order)
    assert "Susurros del Ande, 80.00 PEN" in listed
    assert "order_uuid: " + order in dead_letters.main(["show", order])
    redis_client().flushdb()
    assert dead_letters.main([]) == listed, "the row is the truth, the stream only tells of it"


def test_an_order_that_is_replayed_is_completed() -> None:
    order = dead(hall())
    assert "tried again" in dead_letters.main(["replay", order])
    sweeper.run_once()
    run_all()
    assert status_of(order) == "COMPLETED"
    assert dead_letters.main(["list"]) == "No dead letters."
    assert stream(DEAD_LETTERS_STREAM) == []
    assert rows(
        "SELECT changed_by FROM orders.history WHERE order_uuid = %s ORDER BY number DESC", order
    )[0] == ("worker",)


def test_all_of_them_can_be_replayed() -> None:
    event = hall()
    orders = [bought(event, n) for n in range(3)]
    later("attempts = 4, dead_at = now(), status = 'PROCESSING'")
    assert dead_letters.main(["replay", "all"]).count("tried again") == 3
    assert dead_letters.main(["replay", "all"]) == "No dead letters."
    sweeper.run_once()
    run_all()
    assert [status_of(order) for order in orders] == ["COMPLETED"] * 3


def test_an_order_that_is_given_up_gives_money_and_seats_back() -> None:
    event = hall()
    order = dead(event)
    assert "FAILED" in dead_letters.main(["discard", order])
    run_all()
    assert (status_of(order), one("SELECT reason FROM orders.orders")) == ("FAILED", "discarded")
    assert one("SELECT changed_by FROM orders.history WHERE new_status = 'FAILED'") == "operator"
    assert paid(order)["state"] == "voided"
    assert one("SELECT status FROM catalog.seats WHERE id = %s", event.seats[0]) == "AVAILABLE"
    for deed in ("replay", "discard"):
        with pytest.raises(DeadLetterError, match="has FAILED: its money and seats went back"):
            dead_letters.main([deed, order])


def test_what_was_decided_is_told_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    event = hall()
    given_up, again = dead(event), bought(event, 1)
    later("attempts = 4, dead_at = now(), status = 'PROCESSING'")

    def away(*_: object, **__: object) -> None:
        raise redis.ConnectionError

    with monkeypatch.context() as without:
        without.setattr(redis.Redis, "execute_command", away)
        without.setattr(redis.client.Pipeline, "execute", away)
        assert "FAILED" in dead_letters.main(["discard", given_up])
        assert "tried again" in dead_letters.main(["replay", again])
    assert status_of(given_up) == "FAILED"
    assert one("SELECT dead_at FROM orders.orders WHERE order_uuid = %s", again) is None


@pytest.mark.parametrize(
    ("reason", "said"), [("bank", "the bank did not answer"), ("tickets", "could not be made")]
)
def test_it_says_why(reason: Literal["bank", "tickets"], said: str) -> None:
    order = UUID(bought(hall()))
    for _ in range(4):
        tickets.try_later([order], reason)
    assert said in dead_letters.main(["list"])
    assert f"dead_reason: {reason}" in dead_letters.main(["show", str(order)])
    assert [letter["reason"] for letter in stream(DEAD_LETTERS_STREAM)] == [reason]


def test_what_is_no_dead_letter_is_refused_with_a_sentence() -> None:
    order = bought(hall())
    run_all()
    for wrong, sentence in (
        (order, "is COMPLETED and no dead letter"),
        ("00000000-0000-4000-8000-00000000000a", "There is no order"),
        ("12-3", "There is no dead letter 12-3"),
        ("nonsense", "give an id as"),
    ):
        for deed in ("show", "replay", "discard"):
            with pytest.raises(DeadLetterError, match=sentence):
                dead_letters.main([deed, wrong])
    for wrong_words in (["replay"], ["burn", order], ["list", "x", "y"]):
        with pytest.raises(DeadLetterError, match="Say what to do"):
            dead_letters.main(wrong_words)
    assert status_of(order) == "COMPLETED"


def test_a_message_that_nobody_could_read_keeps_what_it_said() -> None:
    order = bought(hall())
    redis_client().xadd(ORDERS_STREAM, {"order": "nonsense", "kind": "make"})
    run_all()
    assert status_of(order) == "COMPLETED", "the next one is served"
    (letter,) = [one.id for one in dead_letters.letters()]
    assert '"order": "nonsense"' in dead_letters.main(["show", letter])
    with pytest.raises(DeadLetterError, match="still cannot be read"):
        dead_letters.main(["replay", letter])
    dead_letters.main(["discard", letter])
    assert dead_letters.main(["list"]) == "No dead letters."


def test_a_message_that_can_be_read_by_now_is_handed_on() -> None:
    """As after a release that knows one kind more."""
    order = bought(hall())
    with owner() as connection:
        connection.execute("DELETE FROM orders.outbox")
    fields = f'{{"order": "{order}", "kind": "make", "alone": "1"}}'
    letter = redis_client().xadd(
        DEAD_LETTERS_STREAM, {"entry": "1-1", "reason": "x", "fields": fields}
    )
    assert "in the stream again" in dead_letters.main(["replay", str(letter)])
    assert dispatch() == 1
    assert stream(DEAD_LETTERS_STREAM) == []


def test_a_bank_that_is_not_asked_uses_up_no_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its breaker is open in the worker; the order waits as long as that lasts, and is finished."""
    order = bought(hall())
    nowhere = type("Nowhere", (), {"bank_url": "http://127.0.0.1:9"})
    with monkeypatch.context() as away:
        away.setattr(payments, "settings", lambda: nowhere)
        away.setattr(breaker, "TRIAL_S", 30.0)
        for _ in range(CALLS_MIN):
            with pytest.raises(payments.BankUnreachableError):
                payments.look_up("x")
        for _ in range(6):
            run_all()
            assert rows("SELECT attempts, dead_at, retry_at IS NULL FROM orders.orders") == [
                (0, None, False)
            ]
            later("retry_at = now()")
            sweeper.run_once()
    payments.breaker.close()
    run_all()
    assert status_of(order) == "COMPLETED"


def test_an_order_that_is_only_put_off_ends_at_its_deadline() -> None:
    """A bank that is away uses up no try, but nobody waits for ever."""
    order = bought(hall())
    later("status = 'PROCESSING', retry_at = now() + interval '3 s'")
    sweeper.run_once()
    assert status_of(order) == "PROCESSING"
    later("created_at = now() - interval '2 hours'")
    sweeper.run_once()
    assert status_of(order) == "FAILED"


def test_a_job_goes_on_over_a_restart_of_postgres() -> None:
    """Every connection that the pool kept is dead when the job comes; it does not wait for the sweeper."""
    order = bought(hall())
    relay().run_once()
    dispatch()
    ours = pool("pipeline")
    with ExitStack() as taken:
        idle = [
            taken.enter_context(ours.connection()) for _ in range(ours.get_stats()["pool_size"])
        ]
        pids = [one.info.backend_pid for one in idle]
    with owner() as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [pids])
    work()
    assert status_of(order) == "COMPLETED"


def test_an_order_that_kills_whoever_works_on_it_ends_at_its_deadline() -> None:
    order = bought(hall())
    later("sends = 6, created_at = now() - interval '2 hours'")
    sweeper.run_once()
    assert status_of(order) == "PENDING", "nobody has worked on it yet: workers may be away"
    later("status = 'PROCESSING', created_at = now() - interval '59 minutes'")
    sweeper.run_once()
    assert status_of(order) == "PROCESSING"
    later("created_at = now() - interval '2 hours'")
    sweeper.run_once()
    assert (status_of(order), one("SELECT reason FROM orders.orders")) == (
        "FAILED",
        "not_finished_in_time",
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [((), 0, "No dead letters."), (("show", "nonsense"), 1, "give an id as")],
)
def test_the_command_says_what_it_did(words: tuple[str, ...], code: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.dead_letters", *words],
        env=dict(os.environ), capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True)
