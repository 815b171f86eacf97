"""What stands in the log: what failed and where, and nobody's card, token, cookie, address or name."""

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pipeline import logs, serving
from pipeline.logs import redact
from pipeline.settings import settings
from tests.halls import hall
from tests.people import ANA, PASSWORD, bearer, begin_sign_in, sign_in, token_of
from tests.phones import take
from tests.stations import DECLINED, PAYS
from web import failures
from web.accounts import cookie_name

KEPT = [
    "order 6a5c7b0e-6a0c-4f43-9d1a-4f0f8f2b9c11 is not settled yet: pending",
    "account 00000000-0000-4000-8000-000000000001 and entry 1764144000000-0",
    "at 2026-11-26T07:53:38.123456+00:00 took 1234567890 ns, 12 of 34, S/ 1,556.20",
    "request=28946361c83dd416 method=POST route=/account/erase status=503 ms=6",
    "sections=3 seats=10 state=captured code=409 https://id.example/x?",
    "the session ended; the token is not valid, or not any more",
]
HIDDEN = [
    ("card 4242424242424242 was declined", "4242424242424242"),
    ("card 4242 4242 4242 4242", "4242 4242"),
    ("4000-0000-0000-0002", "4000"),
    ("4242424242424241 has a digit wrong", "4242424242424241"),
    ("amex 378282246310005.", "378282246310005"),
    ("{'card_number': '4242'}", "'4242'"),
    ("method pm_AbCdEf0123456789-_ is spent", "pm_Ab"),
    ("Authorization: Bearer abc.def-ghi", "abc.def"),
    ("bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "eyJ"),
    ("the token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln is bad", "c2ln"),
    ('{"access_token": "abc def", "x": 1}', "abc"),
    ("Cookie: session=abcdef; said=x", "abcdef"),
    ("Set-Cookie: __Host-session=abcdef; Path=/", "abcdef"),
    ("refresh_token=abcdef&client_secret=ghi", "abcdef"),
    ("{'password': 'ocho letras'}", "ocho"),
    ("Key (email)=(ana@example.com) already exists.", "ana@"),
    ("nobody is ana.quispe+x@mail.example.pe here", "quispe"),
    ("postgresql://web:hunter2@127.0.0.1:5432/x", "hunter2"),
    ("GET /login/callback?code=abc&state=def HTTP/1.1", "abc"),
    ("/events?q=ana HTTP/1.1", "ana"),
]


@pytest.mark.parametrize("text", KEPT)
def test_what_an_operator_needs_is_kept(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(("text", "secret"), HIDDEN)
def test_what_is_nobodys_business_is_taken_out(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redact(text)


def test_a_long_line_is_read_in_no_time() -> None:
    """What somebody sends can be long and nasty; a log must not hang on it."""
    begun = monotonic()
    for text in ("1 " * 20_000, "a." * 20_000, "eyJ" * 20_000, "?" * 20_000 + "=", "a@" * 20_000):
        redact(text)
    assert monotonic() - begun < 2


@pytest.fixture(params=["text", "json"])
def lines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The log of this process as a running one has it, in both forms."""
    root, kept = logging.getLogger(), logging.getLogger().handlers[:]
    hooks, level = (sys.excepthook, threading.excepthook), root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setitem(settings().__dict__, "log_format", request.param)
    logs.configure()
    yield written
    root.handlers[:] = kept
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks


def test_an_exceptions_text_is_cleaned_too(lines: io.StringIO) -> None:
    try:
        raise ValueError(f"Bearer {token_of(ANA)} paid with {PAYS}")  # noqa: TRY301
    except ValueError:
        logging.getLogger("x").exception("refused %s", ANA.email)
    assert "ValueError" in lines.getvalue()
    assert "test_logs.py" in lines.getvalue()
    for secret in (token_of(ANA)[:20], PAYS, ANA.email):
        assert secret not in lines.getvalue()


def test_what_ends_a_process_or_a_thread_goes_through_the_log(lines: io.StringIO) -> None:
    error = ValueError(f"{ANA.email}")
    sys.excepthook(ValueError, error, None)
    threading.excepthook(threading.ExceptHookArgs((ValueError, error, None, None)))
    assert lines.getvalue().count("ended by an error") == 2
    assert ANA.email not in lines.getvalue()


def test_nobody_begins_a_line_of_their_own(lines: io.StringIO) -> None:
    logging.getLogger("x").warning("looked for %s", "a\nERROR x: all is lost")
    assert len(lines.getvalue().splitlines()) == 1


def test_gunicorns_lines_go_the_same_way(lines: io.StringIO) -> None:
    from gunicorn.config import Config

    log = serving._Log(Config())  # noqa: SLF001
    log.error("Error handling request %s", "/login/callback?code=secret")
    assert "Error handling request" in lines.getvalue()
    assert "secret" not in lines.getvalue()
    logging.getLogger("gunicorn.error").propagate = True


def facts(lines: io.StringIO) -> list[dict[str, str]]:
    """The lines about requests, from either form."""
    found = []
    for line in lines.getvalue().splitlines():
        text = json.loads(line)["message"] if line.startswith("{") else line
        found.append(dict(part.split("=", 1) for part in text.split() if "=" in part))
    return [one for one in found if "route" in one]


def test_a_request_that_is_turned_away_is_told_by_its_route(
    client: FlaskClient, lines: io.StringIO
) -> None:
    answer = client.get(f"/status/audit?id={ANA.email}", headers=bearer(ANA))
    (line,) = facts(lines)
    assert line["request"] == answer.headers["X-Request-Id"]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/status/audit", "403")
    assert int(line["ms"]) < 5000
    client.get("/api/orders", headers={"Authorization": "Bearer x.y.z"})
    client.get(
        "/orders/6a5c7b0e-6a0c-4f43-9d1a-4f0f8f2b9c11", headers={"Authorization": "Bearer x"}
    )
    assert [one["route"] for one in facts(lines)[1:]] == [
        "/api/orders",
        "/orders/<uuid:order_uuid>",
    ]
    if lines.getvalue().startswith("{"):
        assert json.loads(lines.getvalue().splitlines()[0])["status"] == 403


def test_a_fault_of_ours_is_told_with_its_id(
    client: FlaskClient, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError(ANA.email)

    monkeypatch.setattr("web.orders.orders_of", broken)
    monkeypatch.setitem(client.application.config, "PROPAGATE_EXCEPTIONS", False)
    answer = client.get("/orders", headers=bearer(ANA))
    assert answer.status_code == 500
    ((line),) = facts(lines)
    assert line["status"] == "500"
    assert lines.getvalue().count(answer.headers["X-Request-Id"]) >= 2
    assert "ZeroDivisionError" in lines.getvalue()
    assert ANA.email not in lines.getvalue()


def test_what_goes_well_writes_no_line_and_has_no_id(
    client: FlaskClient, lines: io.StringIO
) -> None:
    for path in ("/events", "/events/999999", "/orders", "/api/events?limit=x"):
        assert "X-Request-Id" not in client.get(path).headers
    assert facts(lines) == []


def test_whoever_is_turned_away_again_and_again_fills_no_disk(
    client: FlaskClient, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_sparing", failures._Sparing())  # noqa: SLF001
    second = [1000.0]
    monkeypatch.setattr(failures, "monotonic", lambda: second[0])
    for _ in range(25):
        client.get("/api/orders", headers={"Authorization": "Bearer x"})
    assert len(facts(lines)) == failures.LINES_A_SECOND_MAX
    second[0] += 1
    client.get("/api/orders", headers={"Authorization": "Bearer x"})
    assert len(facts(lines)) == failures.LINES_A_SECOND_MAX + 1
    assert "15 lines more were left out" in lines.getvalue()


@pytest.mark.usefixtures("clean")
def test_a_whole_purchase_and_its_refusals_say_nothing_of_the_buyer(
    app: Flask, lines: io.StringIO
) -> None:
    phone, event = app.test_client(), hall()
    sign_in(phone, ANA, f"/events/{event.id}")
    cookie = phone.get_cookie(cookie_name())
    assert cookie is not None
    take(phone, event, event.seats[:1])
    for card in (DECLINED, PAYS, "4242424242424241"):
        form = {
            "event_id": event.id, "seat": event.seats[0], "total": "80.00", "card_number": card,
            "card_expiry": "12/99", "card_code": "123", "card_name": "Ana Quispe", "idempotency_key": card,
        }  # fmt: skip
        phone.post("/orders", data=form)
    phone.post(begin_sign_in(phone), data={"email": ANA.email, "password": f"{PASSWORD}-no"})
    phone.get("/status/audit?q=Ana+Quispe")
    token = token_of(ANA)
    phone.get("/status/audit", headers={"Authorization": f"Bearer {token}"})
    phone.get("/api/orders", headers={"Authorization": f"Bearer {token}x"})
    said = lines.getvalue()
    assert [one["status"] for one in facts(lines)] == ["401", "403", "403", "401"]
    for secret in (
        cookie.value,
        token,
        PAYS,
        DECLINED,
        ANA.email,
        "Quispe",
        "Ana",
        PASSWORD + "-no",
    ):
        assert secret not in said


def test_a_line_for_people_says_when() -> None:
    """With its zone: whoever compares lines of two machines, or with the issuer's, needs both."""
    before = datetime.now(UTC).replace(microsecond=0)
    record = logging.LogRecord("here", logging.INFO, "", 0, "what happened", None, None)
    at, _, rest = logs._Text().format(record).partition(" ")  # noqa: SLF001
    assert before <= datetime.fromisoformat(at)
    assert rest == "INFO here: what happened"
