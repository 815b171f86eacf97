"""What nobody means well with, in every field and parameter there is: never a failure of ours, never shown as markup."""

from typing import Any
from unicodedata import normalize

import pytest
from flask.testing import FlaskClient

from tests.halls import hall, owner
from tests.people import ANA, bearer, begin_sign_in, sign_in
from tests.stations import one, rows

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
    ("/provider/authorize", "scope"), ("/status/audit", "order"), ("/status/audit", "account"),
)  # fmt: skip


@pytest.mark.parametrize(("path", "name"), QUERIES, ids=" ".join)
def test_a_parameter_of_an_address_may_hold_anything(
    client: FlaskClient, path: str, name: str
) -> None:
    event = hall()
    sign_in(client, ANA)
    for text in TEXTS:
        fine(
            client.get(path.format(event=event.id), query_string={name: text}),
            text,
            f"{path} {name}",
        )
    for raw in ("%ed%a0%80", "%ff%fe", "%00", "%", "%zz", "a=b&" * 50):
        answer = client.get(f"{path.format(event=event.id)}?{name}={raw}")
        fine(answer, raw, f"{path} {name}")


FORMS = (
    ("/language", ("to", "back")), ("/events/{event}/holds", ("seat", "section")),
    ("/events/{event}/holds/best", ("count", "price_max", "accessible")),
    ("/events/{event}/holds/release", ("seat",)), ("/events/{event}/holds/extend", ("seat",)),
    ("/orders", ("event_id", "seat", "total", "idempotency_key", "card_number", "card", "expiry", "code", "name")),
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
