"""What nobody means well with, in every field and parameter there is: never a failure of ours, never shown as markup."""

import re
from pathlib import Path
from typing import Any
from unicodedata import normalize
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.halls import hall, owner
from tests.people import ANA, OSCAR, bearer, begin_sign_in, sign_in
from tests.stations import one, rows
from web.app import create_app

pytestmark = pytest.mark.usefixtures("clean")

TEXTS = (
    "'; DROP TABLE accounts.users; --", "%' OR 1=1 --", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>',
    "{{ 1234*1234 }}", "%(sub)s", "../../../../etc/passwd", "a\x00b", "\r\nSet-Cookie: session=x", "\u202egnissem\u202c",
    "\u200b", "e\u0301" * 60, "١٢٣", "1e9", "NaN", "-1", "0", "9" * 40, "x" * 10_000, "[]", "\\",
)  # fmt: skip
SURROGATE = b"\xed\xa0\x80"
BROKEN = b"\xff\xfe%"


def fine(answer: Any, text: str, where: str) -> None:
    assert answer.status_code < 500, (where, text[:40], answer.text[-300:])
    page = answer.text if answer.mimetype == "text/html" else ""
    assert "<script>alert" not in page, where
    assert "<img src=x" not in page, where
    assert "1522756" not in page, where
    assert "Set-Cookie" not in text or "session=x" not in str(
        answer.headers.getlist("Set-Cookie")
    ), where


QUERIES = (
    ("/", "q"), ("/", "category"), ("/", "sort"), ("/", "order"), ("/", "limit"), ("/", "cursor"), ("/", "shown"),
    ("/api/events", "q"), ("/api/events", "category"), ("/api/events", "sort"), ("/api/events", "order"),
    ("/api/events", "limit"), ("/api/events", "cursor"), ("/api/orders", "limit"), ("/api/orders", "cursor"),
    ("/events/{event}", "section"), ("/events/{event}/updates", "section"), ("/events/{event}/updates", "v"),
    ("/login", "next"), ("/login/callback", "state"), ("/login/callback", "code"), ("/login/callback", "error"),
    ("/login/callback", "iss"), ("/provider/authorize", "client_id"), ("/provider/authorize", "redirect_uri"),
    ("/provider/authorize", "scope"), ("/provider/register", "state"), ("/events/left", "q"), ("/events/left", "shown"),
    ("/status/audit", "of"), ("/status/audit", "id"), ("/status/audit", "of=order&id"), ("/status/audit", "of=event&id"),
    ("/status/audit", "of=account&id"), ("/status/audit", "action"), ("/status/audit", "before"),
)  # fmt: skip


@pytest.mark.parametrize(("path", "name"), QUERIES, ids=" ".join)
def test_a_parameter_of_an_address_may_hold_anything(
    client: FlaskClient, path: str, name: str
) -> None:
    event = hall()
    # An operator, who may see the log as well.
    sign_in(client, OSCAR)
    assert client.get("/status/audit").status_code == 200
    *fixed, name = name.split("&")
    before = "".join(f"{one}&" for one in fixed)
    for text in TEXTS:
        query = before + urlencode({name: text})
        fine(client.get(path.format(event=event.id), query_string=query), text, f"{path} {name}")
    for raw in ("%ed%a0%80", "%ff%fe", "%00", "%", "%zz", "a=b&" * 50):
        answer = client.get(f"{path.format(event=event.id)}?{before}{name}={raw}")
        fine(answer, raw, f"{path} {name}")


FORMS = (
    ("/language", ("to", "back")), ("/events/{event}/holds", ("seat", "section")),
    ("/events/{event}/holds/best", ("count", "price_max", "accessible")),
    ("/events/{event}/holds/release", ("seat", "section")), ("/events/{event}/holds/extend", ("seat",)),
    ("/orders", ("event_id", "seat", "total", "idempotency_key", "card_number", "card_expiry", "card_code", "card_name", "payment_method", "account")),
    ("/account/erase", ("phrase",)), ("/api/auth/login", ("next",)),
    ("/provider/token", ("grant_type", "code", "refresh_token", "code_verifier", "redirect_uri")),
    ("/provider/revoke", ("token", "token_type_hint")),
)  # fmt: skip


@pytest.mark.parametrize(("path", "names"), FORMS, ids=lambda value: str(value)[:40])
def test_a_field_of_a_form_may_hold_anything(
    client: FlaskClient, path: str, names: tuple[str, ...]
) -> None:
    event = hall()
    sign_in(client, ANA)
    known: dict[str, Any] = {
        "event_id": event.id, "seat": event.seats[0], "total": "80.00", "idempotency_key": "k", "count": "2",
        "card_number": "4242424242424242", "card_expiry": "12 / 99", "card_code": "123", "card_name": "Ana",
    }  # fmt: skip
    for name in names:
        for text in TEXTS:
            form = {one: known[one] for one in names if one in known} | {name: text}
            fine(client.post(path.format(event=event.id), data=form), text, f"{path} {name}")
        for raw in (SURROGATE, BROKEN):
            body = name.encode() + b"=" + raw
            kind = "application/x-www-form-urlencoded"
            answer = client.post(path.format(event=event.id), data=body, content_type=kind)
            fine(answer, repr(raw), f"{path} {name}")
    assert one("SELECT count(*) FROM accounts.users WHERE sub = %s", ANA.sub) == 1


PATIENCE = {"task", "work"}
"""Asked for under pressure alone: tests/test_limits.py."""


def test_every_field_that_is_read_was_tried() -> None:
    """Otherwise a new one, or one that is written wrong above, would pass unnoticed."""
    code = "\n".join(path.read_text() for path in Path("web").rglob("*.py"))
    tried = {name for _, names in FORMS for name in names} | {"email", "password", "name"}
    assert set(re.findall(r'form\.get(?:list)?\(\s*"(\w+)"', code)) - PATIENCE - tried == set()
    asked = {name.rpartition("&")[2] for _, name in QUERIES}
    read = set(re.findall(r'args\.get(?:list)?\(\s*"(\w+)"', code)) - {"cookie", "event"}
    assert read - asked == set()


ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 2**63, 10**400, 1e308, [], {}, [[]], [None], [True], ["1"], [1.5], [{}], [-1], [2**70], {"a": {"b": [1]}},
    "\ud83c", ["\ud83c"],
)  # fmt: skip
BODIES = (
    ("/api/events/{event}/lock-seat", ("seat_ids",)), ("/api/events/{event}/unlock-seat", ("seat_ids",)),
    ("/api/events/{event}/extend-hold", ("seat_ids",)), ("/api/auth/login", ("next",)),
    ("/api/auth/refresh", ("refresh_token",)), ("/api/auth/logout", ("refresh_token",)),
    ("/api/orders", ("event_id", "seat_ids", "payment", "payment.card_number", "payment.method", "payment.card_number.x", "total")),
    ("/api/payment-methods", ("card_number",)),
)  # fmt: skip


@pytest.mark.parametrize(("path", "names"), BODIES, ids=lambda value: str(value)[:40])
def test_a_member_of_a_body_may_be_anything(
    client: FlaskClient, path: str, names: tuple[str, ...]
) -> None:
    event = hall()
    known = {"event_id": event.id, "seat_ids": event.seats[:1]} if path == "/api/orders" else {}
    for name in names:
        for value in (*TEXTS, *ODD):
            for inner in reversed(name.split(".")[1:]):
                value = {inner: value}  # noqa: PLW2901  wrapped from the inside out
            body = {**known, name.partition(".")[0]: value}
            headers = {**bearer(ANA), "Idempotency-Key": uuid4().hex}
            answer = client.post(path.format(event=event.id), json=body, headers=headers)
            fine(answer, str(value), f"{path} {name}")
            assert len(answer.data) < 4_000, f"{path} {name}: what was sent is not sent back"


WITHOUT_BODY = {
    "accounts.logout", "orders.cancel", "api.cancel_order", "holds.extend", "privacy.end_sessions", "privacy.erase",
}  # fmt: skip
"""They read none; erasing is refused to a token before it would."""


def test_a_megabyte_is_refused_wherever_it_is_sent(app: Flask) -> None:
    """By its length, before it is read."""
    place = {"event_id": hall().id, "order_uuid": uuid4()}
    ways = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    assert {rule.endpoint for rule in ways} > WITHOUT_BODY
    for rule in ways:
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(place[found[1]]), rule.rule)
        for kind, body in (
            ("application/json", b'{"seat_ids": [' + b"1," * 500_000 + b"1]}"),
            ("application/x-www-form-urlencoded", b"seat=" + b"1" * 1_000_000),
            ("multipart/form-data; boundary=x", b"--x\r\n" * 150_000),
        ):
            headers = {**bearer(ANA), "Idempotency-Key": uuid4().hex}
            answer = app.test_client().post(path, data=body, content_type=kind, headers=headers)
            right = (303, 403, 404) if rule.endpoint in WITHOUT_BODY else (413, 415)
            assert answer.status_code in right, (path, kind, answer.status_code)


def test_a_sign_in_and_a_registration_may_be_anything(client: FlaskClient) -> None:
    provider = begin_sign_in(client)
    register = provider.replace("/authorize?", "/register?")
    before = one("SELECT count(*) FROM accounts.users")
    for text in TEXTS:
        form = {"email": text, "password": text, "name": text}
        answer = client.post(provider, data=form)
        fine(answer, text, "sign-in")
        assert answer.status_code == 401
        fine(client.post(register, data=form), text, "registration")
    assert one("SELECT count(*) FROM accounts.users") == before


@pytest.mark.parametrize(
    "name",
    [
        "Ana\u202eevil",
        "A\u200bna",
        "\u0007",
        "\ufeffAna",
        "Ana\u2066x",
        "x" * 101,
        " ",
        "\u2800\x00",
    ],
)
def test_a_name_that_hides_or_turns_is_refused(client: FlaskClient, name: str) -> None:
    register = begin_sign_in(client).replace("/authorize?", "/register?")
    form = {"name": name, "email": "tricky@example.com", "password": "a long password"}
    assert client.post(register, data=form).status_code == 422
    assert rows("SELECT 1 FROM accounts.users WHERE email = 'tricky@example.com'") == []


@pytest.mark.parametrize(
    "name",
    [
        "José",
        "Jose\u0301",
        "Ñandú Quispe",
        "李小龙",
        "O'Higgins",
        "<b>Bold</b>",
        "=1+1",
        'Smith, "Jo"',
        "\U0001f3ab",
    ],
)
def test_a_name_that_can_be_read_is_a_name(client: FlaskClient, name: str) -> None:
    register = begin_sign_in(client, "/orders").replace("/authorize?", "/register?")
    form = {"name": name, "email": "fine@example.com", "password": "a long password"}
    try:
        answer = client.post(register, data=form)
        assert answer.status_code == 302, answer.text
        client.get(answer.headers["Location"].partition("18000")[2])
        assert "<b>Bold" not in client.get("/orders").text
        said = client.get("/api/auth/me").get_json()["name"]
        assert normalize("NFC", said) == normalize("NFC", name)
    finally:
        with owner() as connection:
            connection.execute(
                "DELETE FROM accounts.codes WHERE sub IN (SELECT sub FROM accounts.users WHERE email = 'fine@example.com')"
            )
            connection.execute("DELETE FROM accounts.users WHERE email = 'fine@example.com'")


def test_a_header_may_hold_anything(client: FlaskClient) -> None:
    event = hall()
    for name in ("Accept-Language", "Cookie", "X-Forwarded-For", "If-None-Match", "Referer", "HX-Request", "HX-Current-URL",
                 "Origin", "Sec-Fetch-Site", "Authorization", "Idempotency-Key", "Range", "Content-Type"):  # fmt: skip
        for text in TEXTS:
            value = (
                "".join(letter for letter in text if letter.isprintable())
                .encode("utf-8", "replace")
                .decode("latin-1")
            )
            for answer in (
                client.get(f"/events/{event.id}", headers={name: value}),
                client.get("/api/orders", headers={**bearer(ANA), name: value}),
                client.post(f"/api/events/{event.id}/lock-seat", json={"seat_ids": event.seats[:1]}, headers={**bearer(ANA), name: value}),
            ):  # fmt: skip
                fine(answer, text, name)


@pytest.mark.parametrize(
    "address",
    [
        "/organiser",
        "/organiser/events",
        "/gate",
        "/metrics",
        "/admin",
        "/.env",
        "/.git/config",
        "/static/../pipeline/settings.py",
        "/static/%2e%2e/web/app.py",
        "/%2f%2fevil.example",
    ],
)
def test_what_is_not_there_is_not_there(client: FlaskClient, address: str) -> None:
    sign_in(client, ANA)
    answer = client.get(address)
    assert answer.status_code in (301, 308, 403, 404)
    assert not answer.headers.get("Location", "").startswith(("//", "http://evil"))


def test_no_way_of_asking_shows_our_insides(app: Flask, client: FlaskClient) -> None:
    """No debugger, no echo of what a proxy added (TRACE), no method that was not meant."""
    assert not create_app().debug
    for path in ("/", "/orders", "/api/orders", "/login", "/tickets/x.png"):
        for method in ("TRACE", "CONNECT", "PROPFIND", "PUT", "x"):
            answer = client.open(path, method=method, headers={"X-Internal": "added by a proxy"})
            assert answer.status_code in (404, 405), (method, path)
            assert "added by a proxy" not in answer.text
    for path in (
        "/console",
        "/?__debugger__=yes&cmd=resource&f=style.css",
        "/_debug",
        "/server-status",
    ):
        assert "werkzeug" not in client.get(path).text.lower()
