"""What a browser may do with our answers, who may send us something, and whose address it is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape

from pipeline.settings import SettingError, load, settings
from tests.halls import hall
from tests.people import ANA, bearer, sign_in
from tests.phones import states
from tests.stations import bought, run_all
from web.app import create_app
from web.proxies import client_address

pytestmark = pytest.mark.usefixtures("clean")

OURS = "http://localhost:18000"
EVIL = "https://evil.example"


def with_settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> FlaskClient:
    """A browser of an app that was started with these settings."""
    # Limits can be off on this machine alone.
    for name, value in {"RATE_LIMITS": "on", **environment}.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    app = create_app()
    app.testing = True
    return app.test_client()


@pytest.fixture(autouse=True)
def _settings_as_they_were() -> Iterator[None]:
    yield
    settings.cache_clear()


# what a browser may do


def policy_of(answer: Any) -> dict[str, str]:
    parts = [
        one.strip().partition(" ") for one in answer.headers["Content-Security-Policy"].split(";")
    ]
    return {name: value for name, _, value in parts}


def test_every_page_forbids_what_it_does_not_need(client: FlaskClient) -> None:
    event = hall()
    sign_in(client, ANA)
    for path in (
        "/",
        f"/events/{event.id}",
        f"/events/{event.id}/checkout",
        "/orders",
        "/nowhere",
        "/login/callback",
    ):
        answer = client.get(path)
        said = policy_of(answer)
        assert said["default-src"] == said["base-uri"] == said["frame-ancestors"] == "'none'"
        assert said["script-src"] == said["style-src"] == said["form-action"] == "'self'"
        assert said["connect-src"] == f"'self' ws://{settings().public_url.partition('//')[2]}"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "camera=(self)" in answer.headers["Permissions-Policy"]
        assert "geolocation=()" in answer.headers["Permissions-Policy"]
        assert "Strict-Transport-Security" not in answer.headers


def test_no_page_needs_what_the_policy_forbids(client: FlaskClient) -> None:
    """Script and style stand in files of ours; data blocks are no script."""
    event = hall()
    sign_in(client, ANA)
    order = bought(event)
    run_all()
    for path in (
        "/",
        f"/events/{event.id}",
        f"/events/{event.id}?section=1",
        "/orders",
        f"/orders/{order}",
        "/nowhere",
    ):
        text = client.get(path).text
        for opening in re.findall(r"<script\b[^>]*>", text):
            assert "src=" in opening or "application/ld+json" in opening, opening
        assert "<style" not in text
        assert not re.search(r"\s(style|on\w+)=", text), path
        assert "javascript:" not in text


def test_pictures_may_be_shown_elsewhere_and_nothing_else(client: FlaskClient) -> None:
    event = hall()
    picture = client.get(
        client.get(f"/api/events/{event.id}")
        .get_json()["image_url"]
        .removeprefix(settings().public_url)
    )
    assert picture.status_code == 200
    assert picture.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert client.get("/api/events").headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_what_is_no_page_may_do_nothing_at_all(client: FlaskClient) -> None:
    for path in (
        "/api/events",
        "/api/nowhere",
        "/.well-known/ticket-keys.json",
        f"/events/{hall().id}/picture.png",
    ):
        assert policy_of(client.get(path)) == {"default-src": "'none'", "frame-ancestors": "'none'"}


# H37: behind a proxy that ends TLS


@pytest.mark.parametrize("told", [
    {}, {"X-Forwarded-Proto": "https"}, {"X-Forwarded-Proto": "http"}, {"Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example;proto=http"},
], ids=str)  # fmt: skip
def test_behind_tls_everything_goes_by_the_public_address(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, str]
) -> None:
    address = "https://tickets.example"
    client = with_settings(monkeypatch, PUBLIC_URL=address)
    event = hall()
    asked = client.get("/login?next=/orders", headers=told)
    assert asked.headers["Location"].startswith(f"{address}/provider/authorize?")
    assert (
        "redirect_uri=https%3A%2F%2Ftickets.example%2Flogin%2Fcallback" in asked.headers["Location"]
    )
    cookie = asked.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    tongue = client.post("/language", data={"to": "en", "back": "/"}, headers=told)
    assert "Secure" in tongue.headers["Set-Cookie"]
    event_seat = hall()
    taken = client.post(
        f"/events/{event_seat.id}/holds", data={"seat": event_seat.seats[:1]}, headers=told
    )
    assert all("Secure" in one for one in taken.headers.getlist("Set-Cookie"))
    assert taken.headers.getlist("Set-Cookie")
    page = client.get(f"/events/{event.id}", headers=told)
    assert page.status_code == 200
    assert f'content="{address}/events/{event.id}"' in page.text
    assert "evil.example" not in page.text
    assert page.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert "upgrade-insecure-requests" in policy_of(page)
    assert "wss://tickets.example" in policy_of(page)["connect-src"]


# who may send us something


def hold(client: FlaskClient, event: Any, **headers: str) -> Any:
    return client.post(f"/events/{event.id}/holds", data={"seat": event.seats[:1]}, headers=headers)


@pytest.mark.parametrize("headers", [
    {"Sec-Fetch-Site": "cross-site", "Origin": EVIL}, {"Sec-Fetch-Site": "same-site", "Origin": EVIL},
    {"Sec-Fetch-Site": "cross-site"}, {"Origin": EVIL}, {"Origin": "null"}, {"Origin": "http://localhost:1"},
    {"Origin": "https://localhost"}, {"Origin": "http://localhost.evil.example"},
], ids=str)  # fmt: skip
def test_a_form_on_another_site_changes_nothing(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    event = hall()
    sign_in(client, ANA)
    assert hold(client, event, **headers).status_code == 403
    answer = client.post(
        f"/api/events/{event.id}/lock-seat", json={"seat_ids": event.seats[:1]}, headers=headers
    )
    assert (answer.status_code, answer.get_json()["error"]) == (403, "cross_site")
    assert client.post("/logout", headers=headers).status_code == 403
    assert client.post("/api/auth/refresh", headers=headers).status_code == 403
    assert client.get("/api/auth/me").status_code == 200
    assert states(event)[0] == "A"


@pytest.mark.parametrize("headers", [
    {}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": OURS},
    {"Sec-Fetch-Site": "same-origin", "Origin": OURS},
], ids=str)  # fmt: skip
def test_our_own_pages_and_programs_are_let_in(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    """No Origin and no Sec-Fetch-Site: no browser of this decade, so nobody's cookie is borrowed."""
    assert settings().public_url == OURS
    event = hall()
    sign_in(client, ANA)
    assert hold(client, event, **headers).status_code == 303
    assert states(event)[0] == "L"


def test_a_refusal_is_a_page_in_the_readers_language(client: FlaskClient) -> None:
    said = client.post("/logout", headers={"Origin": EVIL, "Accept-Language": "en"})
    assert "another site" in said.text
    assert "otro sitio" in client.post("/logout", headers={"Origin": EVIL}).text


def test_a_token_needs_no_origin(client: FlaskClient) -> None:
    event = hall()
    answer = client.post(
        f"/api/events/{event.id}/lock-seat",
        json={"seat_ids": event.seats[:1]},
        headers={**bearer(ANA), "Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 200


def test_a_strangers_sign_in_form_is_refused(client: FlaskClient) -> None:
    """Otherwise somebody could be signed in as somebody else without noticing."""
    asked = client.get("/login").headers["Location"].removeprefix(OURS)
    form = {"email": ANA.email, "password": "demo"}
    assert client.post(asked, data=form, headers={"Origin": EVIL}).status_code == 403
    assert client.post(asked, data=form, headers={"Origin": OURS}).status_code == 302


# other origins at the API


def test_by_default_no_other_origin_may_read_the_api(client: FlaskClient) -> None:
    answer = client.get("/api/events", headers={"Origin": EVIL})
    assert not [name for name in answer.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118  pairs otherwise


def test_a_listed_origin_may_use_the_api_with_a_token_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    partner = "https://partner.example"
    client = with_settings(monkeypatch, CORS_ORIGINS=f"{partner}, https://other.example:8443")
    answer = client.get("/api/events", headers={"Origin": partner})
    assert answer.headers["Access-Control-Allow-Origin"] == partner
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Origin" in answer.headers.getlist("Vary")
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
    asked = client.options("/api/orders", headers={
        "Origin": partner, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, idempotency-key",
    })  # fmt: skip
    assert asked.status_code == 200
    assert "idempotency-key" in asked.headers["Access-Control-Allow-Headers"].lower()
    for path, origin in (("/api/events", EVIL), ("/", partner), ("/orders", partner)):
        other = client.get(path, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in other.headers, path
    cookie = client.post("/api/auth/refresh", headers={"Origin": partner})
    assert cookie.status_code == 403, "our cookie is not for other origins"


@pytest.mark.parametrize("given", [
    "*", "partner.example", "https://partner.example/", "https://*.example", "https://a:b@partner.example", "ftp://x",
    "https://", "null", "https://partner.example?x",
])  # fmt: skip
def test_an_origin_that_is_none_stops_the_start(given: str) -> None:
    with pytest.raises(SettingError, match="CORS_ORIGINS"):
        load({"CORS_ORIGINS": given})


@pytest.mark.parametrize("given", ["x", "10.0.0.0/99", "10.0.0.1, proxy.example", "::1/200"])
def test_a_proxy_that_is_no_address_stops_the_start(given: str) -> None:
    with pytest.raises(SettingError, match="TRUSTED_PROXIES"):
        load({"TRUSTED_PROXIES": given})


@pytest.mark.parametrize("given", [
    {"SECRET_KEY": "x" * 31}, {"SECRET_KEY": "x" * 40}, {"SECRET_KEY": "changeme" * 5}, {"SECRET_KEY": "12" * 20},
    {"OIDC_CLIENT_SECRET": "secret", "OIDC_ISSUER": "https://id.example", "PAYMENTS": "simulated"},
    {"OIDC_CLIENT_SECRET": "${OIDC_CLIENT_SECRET}", "OIDC_ISSUER": "https://id.example", "PAYMENTS": "simulated"},
    {"OIDC_CLIENT_SECRET": "x" * 40, "OIDC_ISSUER": "https://id.example", "PAYMENTS": "simulated"},
    {"OIDC_ISSUER": "http://id.example", "PAYMENTS": "simulated"},
], ids=str)  # fmt: skip
def test_what_is_no_secret_stops_the_start(given: dict[str, str]) -> None:
    with pytest.raises(SettingError, match=list(given)[0]):  # noqa: RUF015
        load(given)


# whose address it is


@pytest.mark.parametrize(
    ("trusted", "peer", "told", "seen"),
    [
        ("", "127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("", "127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("", "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("", "203.0.113.9", "127.0.0.1", "203.0.113.9"),
        ("10.0.0.0/8", "10.1.2.3", "198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.0.0.0/8", "10.1.2.3", "9.9.9.9, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.0/8", "127.0.0.1", "198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("2001:db8::/32", "2001:db8::1", "2001:db8:ffff::2, nonsense", "2001:db8::1"),
        ("", "127.0.0.1", "", "127.0.0.1"),
        ("", "127.0.0.1", "<script>", "127.0.0.1"),
        ("", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("", "127.0.0.1", ",".join(["127.0.0.1"] * 500), "127.0.0.1"),
    ],
)
def test_what_an_untrusted_neighbour_tells_is_hearsay(  # noqa: PLR0917  a table's columns
    app: Flask, monkeypatch: pytest.MonkeyPatch, trusted: str, peer: str, told: str, seen: str
) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", trusted)
    settings.cache_clear()
    headers = {"X-Forwarded-For": told, "CF-Connecting-IP": "192.0.2.77", "X-Real-IP": "192.0.2.77"}
    with app.test_request_context(headers=headers, environ_base={"REMOTE_ADDR": peer}):
        assert client_address() == seen


# H39: an organiser's text is text

HOSTILE = (
    "<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "<style>*{display:none}</style>",
    "<iframe src=https://evil.example></iframe>", '" onmouseover="alert(1)', "javascript:alert(1)", "{{ 1234*1234 }}",
    "]]><svg/onload=alert(1)>",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_an_organisers_text_is_inert_everywhere(client: FlaskClient, text: str) -> None:
    event = hall(
        (("Platea", 2, 5, "80.00"),), title=text, venue=text, description=f"{text}\n{text}"
    )
    sign_in(client, ANA)
    order = bought(event)
    run_all()
    said = client.get(f"/api/orders/{order}").get_json()
    ticket = said["tickets"][0]["ticket_uuid"]
    for path in ("/events?limit=100", f"/events/{event.id}", f"/events/{event.id}?section=1", "/orders",
                 f"/events/{event.id}/checkout", f"/orders/{order}", f"/tickets/{ticket}"):  # fmt: skip
        page = client.get(path).text
        for tag in (
            "<img src=x",
            "<script>alert",
            "<style>*",
            "<iframe",
            "<svg/onload",
            '" onmouseover="',
        ):
            assert tag not in page, path
        assert 'href="javascript:' not in page
        assert "1522756" not in page, "no template inside a template"
        for block in re.findall(
            r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL
        ):
            assert json.loads(block)["name"] == text
    assert str(escape(text)) in client.get(f"/events/{event.id}").text or "{" in text
    calendar = client.get(f"/tickets/{ticket}.ics").text
    assert calendar.count("BEGIN:VEVENT") == 1
    picture = client.get(
        client.get(f"/api/events/{event.id}").get_json()["image_url"].removeprefix(OURS)
    )
    assert b"<script" not in picture.data
    assert b"onload" not in picture.data
