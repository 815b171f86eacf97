"""Doors beside the front one: old browsers, names of this machine, sockets, ways out, settings."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pipeline.prepare import ROOT
from pipeline.settings import SettingError, load, settings
from tests.halls import hall
from tests.people import ANA, finish_sign_in, sign_in
from tests.phones import post, states, take
from tests.stations import bought, rows, run_all
from web.app import create_app
from web.inputs import local_path
from web.proxies import client_address

pytestmark = pytest.mark.usefixtures("clean")

OURS = "http://localhost:18000"
EVIL = "https://evil.example"
ISSUER = {"OIDC_ISSUER": "https://id.example", "PAYMENTS": "simulated"}
PUBLIC = "https://tickets.example"


@pytest.fixture
def behind_tls(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """A browser of an app that is reached by https through a tunnel."""
    monkeypatch.setenv("PUBLIC_URL", PUBLIC)
    # Limits can be off on this machine alone.
    monkeypatch.setenv("RATE_LIMITS", "on")
    settings.cache_clear()
    app = create_app()
    app.testing = True
    yield app.test_client()
    monkeypatch.undo()
    settings.cache_clear()


# who may send us something


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Referer": f"{EVIL}/page"}, 403),
        ({"Referer": f"{OURS}@evil.example/"}, 403),
        ({"Referer": "http://[evil"}, 403),
        ({"Referer": f"{OURS}/events"}, 303),
        ({"Referer": f"{EVIL}/", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://127.0.0.1:18000"}, 303),
        ({"Origin": "http://[::1]:18000"}, 303),
        ({"Origin": "http://127.0.0.1:18001"}, 403),
        ({"Origin": "http://evil.example", "Host": "evil.example"}, 403),
        ({"Origin": OURS, "Sec-Fetch-Site": "cross-site"}, 403),
    ],
    ids=str,
)
def test_the_least_that_a_browser_says_decides(
    client: FlaskClient, headers: dict[str, str], status: int
) -> None:
    """Origin for want of Sec-Fetch-Site, Referer for want of both; a Host header never."""
    event = hall()
    sign_in(client, ANA)
    form = {"seat": event.seats[:1]}
    answer = client.post(f"/events/{event.id}/holds", data=form, headers=headers)
    assert answer.status_code == status
    assert states(event)[0] == ("L" if status == 303 else "A")


def test_behind_tls_a_plain_page_is_another_site(behind_tls: FlaskClient) -> None:
    """Whoever sits in the network can make up a page of http://, never one of https://."""
    event = hall()
    form = {"seat": event.seats[:1]}
    behind_tls.get("/login")
    for origin, status in (
        ("http://tickets.example", 403), ("http://localhost", 403), ("https://tickets.example.evil", 403), (PUBLIC, 307),
    ):  # fmt: skip
        answer = behind_tls.post(
            f"/events/{event.id}/holds", data=form, headers={"Origin": origin}, base_url=PUBLIC
        )
        assert (answer.status_code == 403) == (status == 403), origin


def test_a_page_left_open_acts_after_any_time(client: FlaskClient, app: Flask) -> None:
    """H38: no form carries a token that could expire; another process of web takes it as well."""
    event = hall()
    page = client.get(f"/events/{event.id}").text
    assert re.findall(r'<input type="hidden" name="([^"]+)"', page) == ["back"]
    restarted = create_app().test_client()
    answer = post(restarted, f"/events/{event.id}/holds", {"seat": event.seats[:1]})
    assert answer.headers["Location"].endswith("/checkout")
    assert states(event)[0] == "L"


def test_whose_session_ended_signs_in_and_goes_on(client: FlaskClient) -> None:
    """H38: from an open checkout to sign-in and back to the same checkout, never to a bare error."""
    event = hall()
    sign_in(client, ANA)
    take(client, event, event.seats[:1])
    client.delete_cookie("session")
    form = {"event_id": event.id, "idempotency_key": "k", "seat": event.seats[:1], "total": "80.00"}
    answer = client.post("/orders", data=form, headers={"Origin": OURS})
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login?next=")
    asked = client.get(answer.headers["Location"])
    back = finish_sign_in(client, asked.headers["Location"].removeprefix(OURS), ANA)
    assert back.headers["Location"] == f"/events/{event.id}/checkout"
    assert "80" in client.get(back.headers["Location"]).text, "the choice is kept"


# whose address it is


@pytest.mark.parametrize(
    ("peer", "told", "seen"),
    [
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9:51234", "203.0.113.9"),
        ("10.0.0.1", "[2001:DB8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "2001:DB8:0:0::1", "2001:db8::1"),
        ("10.0.0.1", "203.0.113.9:x", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("::ffff:203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("", "", "127.0.0.1"),
    ],
)
def test_an_address_is_written_in_one_way(
    app: Flask, monkeypatch: pytest.MonkeyPatch, peer: str, told: str, seen: str
) -> None:
    """Otherwise one caller has several allowances, or everybody behind a gateway a single one."""
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8")
    settings.cache_clear()
    try:
        place = {"REMOTE_ADDR": peer}
        with app.test_request_context(headers={"X-Forwarded-For": told}, environ_base=place):
            assert client_address() == seen
    finally:
        monkeypatch.undo()
        settings.cache_clear()


# ways out


@pytest.mark.parametrize("following", [
    "//evil.example", "///evil.example", "/\\evil.example", "/\\/evil.example", "\\\\evil.example", "/\t/evil.example",
    "/\n/evil.example", "\t//evil.example", " //evil.example", "/\u2028/evil.example", "/\x00/evil.example",
    "https:evil.example", "https:/evil.example", "https://localhost:18000@evil.example/", "https://localhost:18000/",
    "//localhost:18000@evil.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "evil.example",
    "?next=//evil.example", "/\u00a0/evil.example", "/a\r\nLocation: https://evil.example",
])  # fmt: skip
def test_no_way_leads_out(following: str) -> None:
    assert local_path(following) == "/"


@pytest.mark.parametrize("following", [
    "/%09/evil.example", "/%2F/evil.example", "/%5Cevil.example", "/.//evil.example", "/..//evil.example",
    "/\uff0fevil.example", "/\u2215evil.example", "/@evil.example", "/orders?next=//evil.example", "/evil.example:80",
])  # fmt: skip
def test_what_only_looks_like_a_way_out_stays_here(client: FlaskClient, following: str) -> None:
    """As browsers read a Location: with control characters gone and a backslash as a slash."""
    leads = sign_in(client, ANA, following).headers["Location"]
    as_read = re.sub(r"[\t\r\n]", "", leads).replace("\\", "/")
    assert urlsplit(urljoin(f"{OURS}/login/callback", as_read)).netloc == urlsplit(OURS).netloc


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost@evil.example", "127.0.0.1.evil.example:80"]
)
def test_a_false_host_leads_nobody_away(client: FlaskClient, host: str) -> None:
    event = hall()
    for path in (
        "/",
        f"/events/{event.id}",
        "/orders",
        "/login",
        "/events/",
        f"/events//{event.id}",
        "/nowhere",
    ):
        answer = client.get(path, headers={"Host": host, "X-Forwarded-Host": host})
        assert "evil.example" not in str(answer.headers), path
        assert "evil.example" not in answer.text, path


# H37: what leaves the site behind a proxy that ends TLS


def test_behind_tls_all_that_is_handed_on_is_https(behind_tls: FlaskClient) -> None:
    """Sign-in, link preview, schema.org, calendar file: all by PUBLIC_URL."""
    event = hall()
    told = {"X-Forwarded-Proto": "http", "Host": "10.0.0.9:8080"}
    asked = behind_tls.get("/login", headers={"X-Forwarded-Proto": "http"}, base_url=PUBLIC)
    provider = asked.headers["Location"].removeprefix(PUBLIC)
    answer = behind_tls.post(provider, data={"email": ANA.email, "password": "demo"},
                             headers={"Origin": PUBLIC}, base_url=PUBLIC)  # fmt: skip
    assert answer.headers["Location"].startswith(f"{PUBLIC}/login/callback?")
    behind_tls.get(answer.headers["Location"].removeprefix(PUBLIC), base_url=PUBLIC)
    assert behind_tls.get("/api/auth/me", base_url=PUBLIC).status_code == 200
    page = behind_tls.get(f"/events/{event.id}", headers=told).text
    assert set(re.findall(r'(?:href|content)="(https?://[^/"]+)', page)) == {PUBLIC}
    assert f'"url": "{PUBLIC}/events/{event.id}"' in page
    order = bought(event)
    run_all()
    ticket = rows("SELECT ticket_uuid FROM orders.tickets WHERE order_uuid = %s", order)[0][0]
    calendar = behind_tls.get(f"/tickets/{ticket}.ics", base_url=PUBLIC).text
    assert f"URL:{PUBLIC}/tickets/{ticket}" in calendar.replace("\r\n ", "")
    picture = behind_tls.get(f"/tickets/{ticket}.png", base_url=PUBLIC)
    assert picture.headers["Cross-Origin-Resource-Policy"] == "same-origin", (
        "a ticket is no preview"
    )


# settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("https://Tickets.Example/", "https://tickets.example"),
        ("https://tickets.example:443", "https://tickets.example"),
        ("http://localhost:80", "http://localhost"),
        ("https://tickets.example:8443", "https://tickets.example:8443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_public_address_is_said_as_browsers_say_it(given: str, said: str) -> None:
    """Otherwise no Origin would ever equal it."""
    assert load({"PUBLIC_URL": given}).public_url == said


@pytest.mark.parametrize("given", [
    "https://tickets.example/shop", "https://ana@tickets.example", "https://tickets.example?x=1", "https://tickets.example:x",
    "https://tickets.example; script-src *", "https://tickets.example#x",
])  # fmt: skip
def test_a_public_address_that_is_more_than_one_stops_the_start(given: str) -> None:
    """It stands in headers: what is no name would change what they say."""
    with pytest.raises(SettingError, match=r"^PUBLIC_URL(=https://…)? makes no sense"):
        load({"PUBLIC_URL": given})


@pytest.mark.parametrize("given", ["0.0.0.0/0", "::/0", "10.0.0.0/8, 0.0.0.0/0"])
def test_nobody_believes_everybody(given: str) -> None:
    with pytest.raises(SettingError, match="TRUSTED_PROXIES"):
        load({"TRUSTED_PROXIES": given})


@pytest.mark.parametrize("module", ["web", "web.updates"])
def test_nothing_that_seals_or_signs_starts_without_a_secret(tmp_path: Path, module: str) -> None:
    """Marks of visitors, digests of cards and sealed tokens would stand under an empty key."""
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), **ISSUER}
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == os.EX_CONFIG
    assert done.stderr.startswith("SECRET_KEY is not set: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_sentence_about_a_setting_tells_no_password() -> None:
    for name in ("DATABASE_URL", "DATABASE_URL_WEB", "REDIS_URL"):
        with pytest.raises(SettingError) as refused:
            load({name: "mysql://ana:hunter2hunter2@db.example/x"})
        assert "hunter2" not in str(refused.value)
        assert "db.example" in str(refused.value)
