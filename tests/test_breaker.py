"""The circuit breaker: when it opens, whom it lets try, and that it holds nobody up."""

import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event

import pytest
import time_machine

from pipeline import breaker, payments
from pipeline.breaker import CALLS_MIN, Breaker, OpenError
from pipeline.prepare import free_ports
from pipeline.settings import settings

TRIAL_S = 100.0


class AwayError(Exception):
    """What a server does that does not answer."""


def fail() -> None:
    raise AwayError


def called(one: Breaker, *outcomes: bool) -> None:
    """So many calls, each going well or not."""
    for well in outcomes:
        if well:
            one.call(int)
        else:
            with pytest.raises(AwayError):
                one.call(fail)


def later(one: Breaker, seconds: float) -> None:
    """So much time passes since it opened."""
    memory = one._state_storage  # noqa: SLF001
    assert memory.opened_at
    memory.opened_at -= timedelta(seconds=seconds)


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Breaker:
    monkeypatch.setattr(breaker, "TRIAL_S", TRIAL_S)
    monkeypatch.setattr(breaker, "TRIAL_S_MAX", 8 * TRIAL_S)
    return Breaker("a server", KeyError)


def test_it_opens_when_half_of_ten_calls_failed(one: Breaker) -> None:
    called(one, *[True, True, False, False] * 2, True)
    assert not one.away, "nine calls say nothing yet"
    called(one, False)
    assert one.away
    with pytest.raises(OpenError):
        one.call(int)


def test_fewer_than_half_do_not_open_it(one: Breaker) -> None:
    called(one, *[True, True, False] * 10)
    assert not one.away


def test_a_refusal_that_is_expected_is_no_failure(one: Breaker) -> None:
    for _ in range(2 * CALLS_MIN):
        with pytest.raises(KeyError):
            one.call({}.__getitem__, "no such key")
    assert not one.away


def test_each_trial_comes_after_twice_as_long_until_one_goes_well(one: Breaker) -> None:
    called(one, *[False] * CALLS_MIN)
    for trial in range(3):
        later(one, 0.5 * TRIAL_S * 2**trial)
        with pytest.raises(OpenError):
            one.call(int)
        later(one, 0.5 * TRIAL_S * 2**trial)
        called(one, trial == 2)
    assert not one.away
    called(one, *[False] * (CALLS_MIN - 1))
    assert not one.away, "what was before is forgotten"


def test_one_alone_tries(one: Breaker) -> None:
    called(one, *[False] * CALLS_MIN)
    later(one, TRIAL_S)
    begun, end = Event(), Event()

    def trial() -> None:
        begun.set()
        end.wait(5)

    with ThreadPoolExecutor(1) as first:
        trying = first.submit(one.call, trial)
        assert begun.wait(5)
        with pytest.raises(OpenError):
            one.call(int)
        end.set()
        trying.result()
    assert not one.away


def test_whoever_comes_to_try_after_it_went_well_opens_nothing(one: Breaker) -> None:
    called(one, *[False] * CALLS_MIN)
    later(one, TRIAL_S)
    called(one, True)
    one.half_open()
    assert one.current_state == "closed"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_opens_and_closes_nothing(one: Breaker, hours: int) -> None:
    called(one, *[False] * CALLS_MIN)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours), tick=True):
        assert one.away
        with pytest.raises(OpenError):
            one.call(int)
        later(one, TRIAL_S)
        called(one, True)
    assert not one.away


def test_calls_run_side_by_side(one: Breaker) -> None:
    together = Barrier(4, timeout=5)
    with ThreadPoolExecutor(4) as threads:
        for waiting in [threads.submit(one.call, together.wait) for _ in range(4)]:
            waiting.result()


def test_a_bank_that_is_away_is_not_asked_and_then_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_ports(1)[0]
    away = f"http://127.0.0.1:{port}"
    monkeypatch.setattr(
        payments, "settings", lambda: type(settings())(**{**vars(settings()), "bank_url": away})
    )
    monkeypatch.setattr(breaker, "TRIAL_S", 30.0)
    for _ in range(CALLS_MIN):
        with pytest.raises(payments.BankUnreachableError):
            payments.look_up("a")
    with socket.create_server(("127.0.0.1", port)) as bank:
        bank.settimeout(0.1)
        with pytest.raises(payments.BankUnreachableError, match="not asked"):
            payments.look_up("a")
        with pytest.raises(TimeoutError):
            bank.accept()
    monkeypatch.undo()
    later(payments.breaker, 30)
    assert payments.look_up("a") == "unknown"
    assert not payments.breaker.away
