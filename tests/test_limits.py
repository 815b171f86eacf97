"""How often somebody may ask, and who is counted together with whom."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from time import sleep, time
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pipeline.settings import SettingError, load
from tests.halls import hall, owner
from tests.people import ANA, BRUNO, bearer, begin_sign_in, sign_in
from tests.phones import states
from tests.stations import DECLINED, PAYS
from web import accounts, limits, patience
from web.app import create_app
from web.provider import users

pytestmark = pytest.mark.usefixtures("clean")


def visitor(app: Flask, event: Any) -> FlaskClient:
    """A browser with a session."""
    client = app.test_client()
    client.post(f"/events/{event.id}/holds", data={"seat": "0"})
    assert client.get_cookie("session")
    return client


def test_a_visitor_may_ask_a_hundred_times_a_minute(limited: Flask) -> None:
    event = hall()
    client = visitor(limited, event)
    answers = [
        client.get("/api/events", headers={"Accept-Language": "en"}).status_code for _ in range(105)
    ]
    assert answers[:95] == [200] * 95
    assert answers[-1] == 429
    refused = client.get("/api/events")
    body = refused.get_json()
    assert refused.mimetype == "application/problem+json"
    assert (body["error"], body["remaining"], body["limit"]) == ("too_many_requests", 0, 100)
    assert 1 <= body["retryAfter"] <= 60
    assert refused.headers["Retry-After"] == str(body["retryAfter"])
    page = client.get("/")
    assert page.status_code == 429
    assert "Vas muy rápido" in page.text
    assert f"{page.headers['Retry-After']} segundos" in page.text
    # Who is somebody else behind the same address, or only reads what pages poll, is not hindered.
    assert client.get(f"/events/{event.id}/updates?section=1&v=0").status_code == 200
    assert client.get("/health").status_code == 200
    assert visitor(limited, event).get("/").status_code == 200
    assert limited.test_client().get("/").status_code == 200


def test_many_behind_one_address_pass_and_one_of_them_who_floods_does_not(limited: Flask) -> None:
    """H42: the public behind a carrier or a proxy has no common allowance, with a cookie or without."""
    event = hall()
    for number in range(500):
        client = limited.test_client()
        if number % 2:
            client.set_cookie("session", accounts.new_token())
        assert [client.get("/api/events").status_code for _ in range(3)] == [200] * 3
    client = visitor(limited, event)
    statuses = [client.get("/api/events").status_code for _ in range(500)]
    assert statuses.index(429) in (99, 100), "its first form was one of the hundred"
    assert statuses.count(200) < 120
    assert limited.test_client().get("/api/events").status_code == 200
    assert visitor(limited, event).get("/api/events").status_code == 200


def test_who_waits_as_long_as_they_are_told_is_let_in(
    limited: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PER_VISITOR", "5 per 2 second")
    client = limited.test_client()
    client.set_cookie("session", accounts.new_token())
    # 1.4 s are left at the end, up to the end of a second of the clock: one would be too short.
    sleep((0.95 - time()) % 1)
    client.get("/api/events")
    sleep(0.6)
    refused = next(
        answer for _ in count() if (answer := client.get("/api/events")).status_code == 429
    )
    sleep(int(refused.headers["Retry-After"]))
    assert client.get("/api/events").status_code == 200


def test_an_address_has_a_last_bound(limited: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PER_ADDRESS", "20 per minute")
    client = limited.test_client()
    here = {"X-Forwarded-For": "203.0.113.9"}
    statuses = [client.get("/api/events", headers=here).status_code for _ in range(30)]
    assert statuses[:19] == [200] * 19
    assert statuses[-1] == 429
    invented = [{"Cookie": f"session={'x' * n}.0123456789abcdef", **here} for n in range(20, 25)]
    assert [client.get("/api/events", headers=one).status_code for one in invented] == [429] * 5
    # What somebody tells of further addresses changes nothing; another neighbour is another address.
    lies = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9", "CF-Connecting-IP": "192.0.2.1"}
    assert client.get("/api/events", headers=lies).status_code == 429
    other = {"X-Forwarded-For": "203.0.113.10"}
    assert client.get("/api/events", headers=other).status_code == 200


def test_an_address_is_counted_in_lots_and_stopped_all_the_same(
    limited: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four at a time, in two processes of web: what passes above the limit is less than a lot each."""
    monkeypatch.setattr(limits, "PER_ADDRESS", "400 per minute")
    asked: list[int] = []
    storage = limited.extensions["limits"].limiter.storage
    count = storage.acquire_sliding_window_entry

    def counted(key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        asked.append(amount)
        return bool(count(key, limit, expiry, amount))

    monkeypatch.setattr(storage, "acquire_sliding_window_entry", counted)
    clients = [limited.test_client(), create_app().test_client()]
    statuses = [clients[number % 2].get("/health/none").status_code for number in range(500)]
    assert 400 <= statuses.index(429) <= 406
    assert statuses[410:].count(404) <= 2, "one by one, as the window slides on"
    assert asked[:50] == [4] * 50
    assert set(asked[52:]) == {1}


def test_an_invented_cookie_is_none_of_ours(limited: Flask, client: FlaskClient) -> None:
    with limited.app_context():
        token = accounts.new_token()
        assert accounts.is_ours(token)
        for wrong in (
            token[:-1],
            token + "0",
            token.partition(".")[0],
            "",
            ".",
            "é.é",
            f"x{token}",
            "x.y.z",
        ):
            assert not accounts.is_ours(wrong), wrong


def order(  # noqa: PLR0917  a test's shorthand
    client: FlaskClient, event: Any, seat: int, key: str, person: Any = ANA, card: str = PAYS
) -> Any:
    return client.post(
        "/api/orders",
        json={"event_id": event.id, "seat_ids": [seat], "payment": {"card_number": card}},
        headers={**bearer(person), "Idempotency-Key": key},
    )


def test_an_account_may_order_ten_times_a_minute_and_repeat_as_often_as_it_must(
    limited: Flask,
) -> None:
    event = hall((("Platea", 2, 10, "80.00"),))
    client = limited.test_client()
    # A second process of web counts with the first.
    others = create_app().test_client()
    for number in range(9):
        one = others if number % 2 else client
        assert order(one, event, event.seats[number], f"key {number}").status_code == 201
    declined = event.seats[9], "declined", ANA, DECLINED
    assert order(client, event, *declined).status_code == 402
    for one in (client, others):
        refused = order(one, event, event.seats[10], "key 10")
        assert (refused.status_code, refused.get_json()["limit"]) == (429, 10)
    assert states(event)[10] == "A", "nothing was held or charged"
    again = order(client, event, event.seats[3], "key 3")
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    again = order(client, event, *declined)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (402, "true")
    reused = order(client, event, event.seats[11], "key 3")
    assert (reused.status_code, reused.get_json()["error"]) == (422, "idempotency_key_reused")
    repeats = [order(client, event, event.seats[3], "key 3").status_code for _ in range(110)]
    assert repeats[:90] == [201] * 90
    assert repeats[-1] == 429, "a repeat is a request like any"
    assert order(client, event, event.seats[10], "another", BRUNO).status_code == 201
    # The page counts with the API.
    sign_in(client, ANA)
    form = {
        "event_id": event.id,
        "seat": event.seats[11],
        "total": "80.00",
        "idempotency_key": "page",
    }
    assert client.post("/orders", data=form).status_code == 429


def test_many_orders_at_once_are_counted_one_by_one(limited: Flask) -> None:
    event = hall((("Platea", 4, 10, "80.00"),))

    def one(number: int) -> int:
        return int(
            order(limited.test_client(), event, event.seats[number], str(uuid4())).status_code
        )

    with ThreadPoolExecutor(10) as buyers:
        statuses = list(buyers.map(one, range(30)))
    assert statuses.count(201) == 10
    assert statuses.count(429) == 20


def test_guessing_a_password_ends_soon_and_locks_nobody_out_elsewhere(limited: Flask) -> None:
    client = limited.test_client()
    provider = begin_sign_in(client)
    here, elsewhere = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "203.0.113.10"}
    wrong = {"email": ANA.email.upper(), "password": "wrong"}
    statuses = [client.post(provider, data=wrong, headers=here).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    right = {"email": ANA.email, "password": "demo"}
    assert client.post(provider, data=right, headers=here).status_code == 429
    assert client.post(provider, data=right, headers=elsewhere).status_code == 302
    other = {"email": BRUNO.email, "password": "demo"}
    assert client.post(provider, data=other, headers=here).status_code == 302


@pytest.fixture
def tried(limited: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str], str], int]:
    """Somebody tries to sign in from an address, which may do so five times a minute."""
    monkeypatch.setattr(limits, "SIGN_INS_PER_ADDRESS", "5 per minute")
    client = limited.test_client()
    provider = begin_sign_in(client)
    return lambda form, address: int(
        client.post(provider, data=form, headers={"X-Forwarded-For": address}).status_code
    )


def test_a_password_that_is_tried_for_nobody_counts_as_well(
    tried: Callable[[dict[str, str], str], int],
) -> None:
    """Each try costs a digest that is slow on purpose."""
    forms: tuple[dict[str, str], ...] = ({}, {"email": " ", "password": "x"})
    for place, form in enumerate(forms, 1):
        statuses = [tried(form, f"203.0.113.{place}") for _ in range(7)]
        assert statuses == [401] * 5 + [429] * 2


def test_no_spelling_of_an_address_is_a_new_allowance(client: FlaskClient) -> None:
    """Postgres may make another small letter of one than we do where guesses are counted."""
    assert users.with_email("Bruno@Example.com")
    for spelt in ("BRUNO@EXAMPLE.COM", "brunO@example.com"):
        assert users.with_email(spelt)
    with owner() as connection:
        connection.execute(
            "INSERT INTO accounts.users (sub, email, name) VALUES ('odd', lower('\u0130ris@example.com'), 'I')"
        )
        try:
            assert users.with_email("\u0130ris@example.com") is None
        finally:
            connection.execute("DELETE FROM accounts.users WHERE sub = 'odd'")


def test_who_has_a_whole_network_is_counted_once(
    tried: Callable[[dict[str, str], str], int],
) -> None:
    def wrong(address: str) -> int:
        return tried({"email": "nobody@example.com", "password": "x"}, address)

    assert [wrong(f"2001:db8:1:2::{n:x}") for n in range(1, 8)] == [401] * 5 + [429] * 2
    assert wrong("2001:db8:1:2:ffff::9") == 429
    assert wrong("2001:db8:1:3::1") == 401
    assert [wrong(f"198.51.100.{n}") for n in range(1, 8)] == [401] * 7


def test_a_header_that_is_no_token_hides_nobody(
    limited: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PER_VISITOR", "5 per minute")
    client = limited.test_client()
    client.set_cookie("session", accounts.new_token())
    odd = {"Authorization": "x"}
    statuses = [client.get("/health/none", headers=odd).status_code for _ in range(7)]
    assert statuses[-1] == 429
    assert client.get("/api/events").status_code == 429


def test_nobody_can_shut_the_owner_out_by_guessing(
    limited: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the bound whoever tries has to wait a little; and a registration is no guess."""
    monkeypatch.setattr(limits, "GUESSES_PER_ACCOUNT", "3 per hour")
    client = limited.test_client()
    provider = begin_sign_in(client)
    register = provider.replace("authorize", "register")
    other = {"email": ANA.email, "name": "Ana", "password": "long enough"}
    assert [client.post(register, data=other).status_code for _ in range(12)] == [422] * 12

    def tried(number: int, **form: str) -> Any:
        here = {"X-Forwarded-For": f"203.0.113.{number}"}
        return client.post(provider, data={"email": ANA.email, **form}, headers=here)

    assert [tried(n, password="wrong").status_code for n in range(1, 4)] == [401] * 3
    asked = tried(4, password="demo")
    assert (asked.status_code, asked.headers["Retry-After"]) == (429, str(patience.WAIT_S))
    assert "Espera unos segundos" in asked.text
    found = re.search(r'name="task" value="([^"]+)"', asked.text)
    assert found
    assert tried(4, password="demo", task=found[1]).status_code == 429, "too early"
    monkeypatch.setattr(patience, "WAIT_S", 0)
    guessed = tried(5, password="wrong", task=found[1])
    assert guessed.status_code == 401
    assert tried(5, password="demo", task=found[1]).status_code == 429, "a task is good once"
    again = re.search(r'name="task" value="([^"]+)"', guessed.text)
    assert again
    assert tried(4, password="demo", task=again[1]).status_code == 302


def test_others_count_at_the_token_address_and_we_ourselves_do_not(
    limited: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PER_ADDRESS", "3 per minute")
    client = limited.test_client()
    there = {"X-Forwarded-For": "203.0.113.9"}
    for path in ("/provider/token", "/provider/revoke"):
        statuses = [client.post(path, headers=there).status_code for _ in range(4)]
        assert statuses[-1] == 429, path
    # A sign-in is three requests of its own; what web then asks the provider inside is none.
    browser = limited.test_client()
    browser.environ_base["HTTP_X_FORWARDED_FOR"] = "203.0.113.10"
    assert sign_in(browser, ANA).status_code == 303
    assert browser.get("/").status_code == 429


def test_limits_can_be_off_in_local_mode_alone() -> None:
    assert not load({"RATE_LIMITS": "off"}).rate_limits
    assert load({}).rate_limits
    for others in (
        {"PUBLIC_URL": "https://show.example"},
        {"OIDC_ISSUER": "https://id.example", "PAYMENTS": "simulated"},
    ):
        with pytest.raises(SettingError, match="RATE_LIMITS=off"):
            load({"RATE_LIMITS": "off", **others})
    with pytest.raises(SettingError, match="RATE_LIMITS"):
        load({"RATE_LIMITS": "sometimes"})
