"""The bank over HTTP, as a process of its own: idempotent, exact, and with its bad days."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import pytest
import urllib3

from pipeline import payments
from pipeline.bank import cards
from pipeline.bank.app import create_app
from pipeline.payments import BankUnreachableError, InvalidCardError, Payment, valid_card
from pipeline.prepare import free_ports
from tests.journey.system import wait_for


def key() -> str:
    return str(uuid4())


def pay(name: str, card: str = cards.PAYS, amount: str = "80.00") -> str:
    return payments.authorise(name, Decimal(amount), "PEN", Payment(card_number=card))


def entry(bank: str, name: str) -> dict[str, Any]:
    ledger = urllib3.request("GET", f"{bank}/ledger").json()["payments"]
    return next(payment for payment in ledger if payment["key"] == name)


def test_money_is_reserved_then_taken_then_given_back(bank: str) -> None:
    name = key()
    assert payments.look_up(name) == "unknown"
    assert pay(name) == "authorised"
    assert entry(bank, name)["captured"] == "0"
    assert payments.capture(name) == "captured"
    assert entry(bank, name)["captured"] == "80.00"
    assert payments.refund(name) == "refunded"
    assert entry(bank, name)["refunded"] == "80.00"


@pytest.mark.parametrize("call", [payments.capture, payments.refund, payments.void])
def test_every_call_again_gives_the_same(call: Callable[[str], str]) -> None:
    name = key()
    pay(name)
    if call is payments.refund:
        payments.capture(name)
    assert call(name) == call(name)


def test_authorising_again_gives_the_first_outcome(bank: str) -> None:
    name = key()
    assert pay(name, cards.DECLINED) == "declined"
    assert pay(name) == "declined", "another card does not change what the key stands for"
    name = key()
    assert pay(name) == pay(name, amount="1.00")
    assert entry(bank, name)["amount"] == "80.00"


def test_a_void_of_an_unknown_key_refuses_a_later_payment() -> None:
    name = key()
    assert payments.void(name) == "voided"
    assert pay(name) == "voided"
    assert payments.capture(name) == "voided"


def test_capture_and_void_exclude_each_other() -> None:
    captured, voided = key(), key()
    for name in (captured, voided):
        pay(name)
    payments.capture(captured)
    payments.void(voided)
    assert payments.void(captured) == "captured"
    assert payments.capture(voided) == "voided"
    assert payments.refund(voided) == "voided", "nothing was captured, nothing is given back"


def test_capture_and_void_at_once_end_in_one_of_both() -> None:
    for _ in range(20):
        name = key()
        pay(name)
        with ThreadPoolExecutor(2) as threads:
            both = list(
                threads.map(lambda call, name=name: call(name), (payments.capture, payments.void))
            )
        assert both in (["captured", "captured"], ["voided", "voided"])


def test_one_key_sixteen_times_at_once_is_one_payment(bank: str) -> None:
    name = key()
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(lambda _: pay(name), range(16))) == {"authorised"}
    payments.capture(name)
    assert entry(bank, name)["captured"] == "80.00"


def test_a_lost_answer_is_there_when_asked_again() -> None:
    name = key()
    with pytest.raises(BankUnreachableError):
        pay(name, cards.ANSWER_LOST)
    assert payments.look_up(name) == "authorised"
    assert pay(name, cards.ANSWER_LOST) == "authorised"


def test_a_slow_answer_comes_within_the_deadline() -> None:
    begun = monotonic()
    assert pay(key(), cards.SLOW) == "authorised"
    assert cards.SLOW_S <= monotonic() - begun < payments.DEADLINE_S


def test_a_refused_capture_leaves_a_payment_that_can_be_voided() -> None:
    name = key()
    pay(name, cards.CAPTURE_REFUSED)
    assert payments.capture(name) == "declined"
    assert payments.void(name) == "voided"


def test_two_refunds_fail_and_the_third_works(bank: str) -> None:
    name = key()
    pay(name, cards.REFUND_FAILS_TWICE)
    payments.capture(name)
    for _ in range(2):
        with pytest.raises(BankUnreachableError):
            payments.refund(name)
    assert payments.refund(name) == "refunded"
    assert entry(bank, name)["refunded"] == "80.00"


def test_a_late_payment_is_pending_then_confirmed_or_voided(tmp_path: Path) -> None:
    client = create_app(tmp_path / "bank.sqlite3", late_s=0.3).test_client()

    def ask(path: str, name: str, **more: str) -> str:
        return str(client.post(path, json={"key": name, **more}).get_json()["state"])

    late = {"amount": "5.00", "currency": "PEN", "card_number": cards.LATE}
    assert ask("/authorise", "a", **late) == "pending"
    assert ask("/authorise", "b", **late) == "pending"
    assert ask("/capture", "a") == "pending"
    assert ask("/void", "b") == "voided"
    sleep(0.35)
    assert client.get("/payments/a").get_json()["state"] == "authorised"
    assert client.get("/payments/b").get_json()["state"] == "voided"
    assert ask("/capture", "a") == "captured"


def test_a_kept_method_pays_once_and_a_decline_does_not_spend_it() -> None:
    method = payments.keep_method(cards.PAYS)
    assert method.startswith("pm_")
    paid = Payment(method=method)
    assert payments.authorise(key(), Decimal(1), "PEN", paid) == "authorised"
    with pytest.raises(InvalidCardError):
        payments.authorise(key(), Decimal(1), "PEN", paid)
    declined = Payment(method=payments.keep_method(cards.DECLINED))
    for _ in range(2):
        assert payments.authorise(key(), Decimal(1), "PEN", declined) == "declined"
    with pytest.raises(InvalidCardError):
        payments.authorise(key(), Decimal(1), "PEN", Payment(method="pm_unknown"))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/authorise", {"key": "k", "amount": "0", "currency": "PEN", "card_number": cards.PAYS}, 400),
        ("/authorise", {"key": "k", "amount": "-1", "currency": "PEN", "card_number": cards.PAYS}, 400),
        ("/authorise", {"key": "k", "amount": 5, "currency": "PEN", "card_number": cards.PAYS}, 400),
        ("/authorise", {"key": "k", "amount": "NaN", "currency": "PEN", "card_number": cards.PAYS}, 400),
        ("/authorise", {"key": "k", "amount": "1", "currency": "soles", "card_number": cards.PAYS}, 400),
        ("/authorise", {"key": "k", "amount": "1", "currency": "PEN", "card_number": "4242424242424241"}, 422),
        ("/authorise", {"key": "k", "amount": "1", "currency": "PEN"}, 422),
        ("/authorise", {"key": "", "amount": "1", "currency": "PEN", "card_number": cards.PAYS}, 400),
        ("/capture", {}, 400),
        ("/capture", [], 400),
        ("/void", {"key": 5}, 400),
        ("/methods", {"card_number": None}, 422),
        ("/refund", {"key": "x" * 20_000}, 413),
        ("/nothing", {}, 404),
    ],
)  # fmt: skip
def test_nonsense_is_refused_and_changes_nothing(
    bank: str, path: str, body: Any, status: int
) -> None:
    before = urllib3.request("GET", f"{bank}/ledger").data
    answer = urllib3.request("POST", bank + path, json=body)
    assert answer.status == status
    assert urllib3.request("GET", f"{bank}/ledger").data == before


@contextmanager
def own_bank(folder: Path, **environment: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A bank of this test's own, on a port of its own."""
    port = free_ports(1)[0]
    with (folder / "bank.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.bank"],
            env={**os.environ, "DATA_DIR": str(folder), "BANK_PORT": str(port), **environment},
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(10)


def answer(address: str, path: str, body: dict[str, str]) -> Any:
    deadline = monotonic() + 15
    while True:
        try:
            return urllib3.request(
                "POST", address + path, json=body, retries=False, timeout=3
            ).json()
        except urllib3.exceptions.HTTPError:
            assert monotonic() < deadline
            sleep(0.05)


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    body = {"key": "k", "amount": "9.00", "currency": "PEN", "card_number": cards.PAYS}
    with own_bank(tmp_path) as (address, process):
        assert answer(address, "/authorise", body) == {"state": "authorised"}
        process.send_signal(signal.SIGKILL)
    with own_bank(tmp_path) as (address, _):
        assert answer(address, "/capture", {"key": "k"}) == {"state": "captured"}
    assert cards.PAYS not in (tmp_path / "bank.log").read_text()


def catches(pid: int, number: signal.Signals) -> int:
    """Whether a process has a handler of its own for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("SigCgt:")[1].split()[0], 16) >> (number - 1) & 1


def test_where_a_bank_is_configured_the_process_idles_until_it_is_told_to_stop(
    tmp_path: Path,
) -> None:
    with own_bank(tmp_path, BANK_URL="http://127.0.0.1:9") as (_, process):
        wait_for(lambda: catches(process.pid, signal.SIGTERM), 15, "it never waits")
        sleep(0.5)
        assert process.poll() is None
        process.terminate()
        assert process.wait(5) == 0


def test_a_server_that_never_answers_is_unreachable_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(payments, "settings", lambda: type("S", (), {"bank_url": address}))
        begun = monotonic()
        with pytest.raises(BankUnreachableError):
            payments.look_up("k")
        assert monotonic() - begun < payments.DEADLINE_S + 0.5


@pytest.mark.parametrize(
    ("typed", "digits"),
    [
        ("4242 4242 4242 4242", cards.PAYS),
        ("4242-4242-4242-4242", cards.PAYS),
        (" 4242\N{NO-BREAK SPACE}424242424242 ", cards.PAYS),
        ("4242424242424241", None),
        ("", None),
        ("4242", None),
        ("0" * 30, None),
        ("٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", None),
        ("4242 4242 4242 424x", None),
    ],
)
def test_card_numbers_are_read_as_people_type_them(typed: str, digits: str | None) -> None:
    assert valid_card(typed) == digits
