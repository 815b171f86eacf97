"""How often somebody may ask, who is counted together with whom, and what holds while Redis is away."""

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from time import monotonic, time
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pipeline.connections import redis_client
from pipeline.settings import SettingError, load, settings
from tests.halls import hall
from tests.people import ANA, BRUNO, bearer, begin_sign_in, sign_in
from tests.phones import states
from tests.stations import PAYS
from web import accounts, limits, patience
from web.app import create_app

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The app as everybody has it, limits and all, with nothing counted yet."""
    monkeypatch.setenv("RATE_LIMITS", "on")
    settings.cache_clear()
    app = create_app()
    app.testing = True
    app.extensions["limits"].reset()
    yield app
    app.extensions["limits"].reset()
    monkeypatch.undo()
    settings.cache_clear()


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
    """H42: the public behind a carrier or a proxy has no common allowance."""
    event = hall()
    for _ in range(200):
        client = limited.test_client()
        assert [client.get("/api/events").status_code for _ in range(3)] == [200] * 3
    client = visitor(limited, event)
    statuses = [client.get("/api/events").status_code for _ in range(130)]
    assert 429 in statuses
    assert limited.test_client().get("/api/events").status_code == 200


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


def order(client: FlaskClient, event: Any, seat: int, key: str, person: Any = ANA) -> Any:
    return client.post(
        "/api/orders",
        json={"event_id": event.id, "seat_ids": [seat], "payment": {"card_number": PAYS}},
        headers={**bearer(person), "Idempotency-Key": key},
    )


def test_an_account_may_order_ten_times_a_minute_and_repeat_as_often_as_it_must(
    limited: Flask,
) -> None:
    event = hall((("Platea", 2, 10, "80.00"),))
    client = limited.test_client()
    for number in range(10):
        assert order(client, event, event.seats[number], f"key {number}").status_code == 201
    refused = order(client, event, event.seats[10], "key 10")
    assert (refused.status_code, refused.get_json()["limit"]) == (429, 10)
    assert states(event)[10] == "A", "nothing was held or charged"
    again = order(client, event, event.seats[3], "key 3")
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
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


# Redis is away: H43


@pytest.fixture
def silence() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    server = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def take() -> None:
        while True:
            try:
                taken.append(server.accept()[0])
            except OSError:
                return

    thread = Thread(target=take)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for one in taken:
        one.close()


@pytest.mark.parametrize("how", ["silent", "refused"])
def test_while_redis_is_away_pages_are_quick_and_a_bound_holds(
    monkeypatch: pytest.MonkeyPatch, silence: int, how: str
) -> None:
    event = hall()
    port = silence if how == "silent" else 1
    monkeypatch.setenv("RATE_LIMITS", "on")
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}/0")
    settings.cache_clear()
    app = create_app()
    app.testing = True
    begun = monotonic()
    client = app.test_client()
    assert client.get("/").status_code == 200
    assert monotonic() - begun < 0.5
    client.post(f"/events/{event.id}/holds", data={"seat": "0"})
    slowest, statuses = 0.0, []
    for _ in range(130):
        begun = monotonic()
        statuses.append(client.get("/api/events").status_code)
        slowest = max(slowest, monotonic() - begun)
    assert statuses[:90] == [200] * 90
    assert statuses[-1] == 429, "never wide open"
    assert app.test_client().get("/api/events").status_code == 200, "never locked shut"
    assert slowest < 0.5
    monkeypatch.undo()
    settings.cache_clear()


def test_when_redis_is_back_everybody_counts_together_again(limited: Flask) -> None:
    limiter = limited.extensions["limits"]
    limiter._storage_dead = True  # noqa: SLF001  as after a failure
    limiter._Limiter__last_check_backend = time() - 60  # noqa: SLF001
    client = visitor(limited, hall())
    client.get("/api/events")
    assert not limiter._storage_dead  # noqa: SLF001
    assert list(redis_client().scan_iter("LIMITS:*"))


# a little patience


@pytest.fixture
def crowd(limited: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """More new visitors than usual."""
    monkeypatch.setattr(limits, "NEW_VISITORS", "1 per minute")
    monkeypatch.setattr(patience, "WORK_BITS", 8)
    with limited.app_context():
        limits.under_pressure()
    return limited


def working(task: str) -> str:
    return next(str(number) for number in range(10**6) if patience.is_work(task, str(number)))


def asked(client: FlaskClient, event: Any, **form: object) -> tuple[Any, str]:
    answer = client.post(
        f"/events/{event.id}/holds", data={"seat": event.seats[:2], "section": "1", **form}
    )
    found = re.search(r'name="task" value="([^"]+)"', answer.text)
    return answer, found[1] if found else ""


def test_under_pressure_who_works_goes_on_with_what_was_chosen(crowd: Flask) -> None:
    event = hall()
    client = crowd.test_client()
    answer, task = asked(client, event)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(patience.WAIT_S))
    assert "Set-Cookie" not in answer.headers
    assert [
        int(seat) for seat in re.findall(r'name="seat" value="(\d+)"', answer.text)
    ] == event.seats[:2]
    assert 'name="section" value="1"' in answer.text
    passed, _ = asked(client, event, task=task, work=working(task))
    assert passed.status_code == 307
    assert (
        client.post(passed.headers["Location"], data={"seat": event.seats[:2]}).status_code == 303
    )
    assert states(event)[:2] == ["L", "L"]
    # Who has a session already is asked for nothing.
    assert (
        client.post(f"/events/{event.id}/holds", data={"seat": event.seats[2]}).status_code == 303
    )
    assert crowd.test_client().get("/").status_code == 200, "reading is for everybody"


def test_under_pressure_who_waits_goes_on_without_a_script(
    crowd: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = hall()
    client = crowd.test_client()
    _, task = asked(client, event)
    early, _ = asked(client, event, task=task)
    assert early.status_code == 429
    monkeypatch.setattr(patience, "WAIT_S", 0)
    passed, _ = asked(client, event, task=task)
    assert passed.status_code == 307


def test_a_task_is_good_once_and_only_ours(crowd: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    event = hall()
    _, task = asked(crowd.test_client(), event)
    work = working(task)
    for wrong in ({"task": task, "work": str(int(work) + 10**9)}, {"task": task, "work": "x"}, {"task": "x", "work": work},
                  {"task": task + "x", "work": work}, {"task": task, "work": "9" * 50}, {"task": "", "work": ""},
                  {"task": "\x00", "work": "\x00"}, {"task": "x" * 5000, "work": work}):  # fmt: skip
        answer, _ = asked(crowd.test_client(), event, **wrong)
        assert answer.status_code == 429, wrong
    assert asked(crowd.test_client(), event, task=task, work=work)[0].status_code == 307
    assert asked(crowd.test_client(), event, task=task, work=work)[0].status_code == 429
    _, old = asked(crowd.test_client(), event)
    monkeypatch.setattr(patience, "TASK_S", -1)
    assert asked(crowd.test_client(), event, task=old, work=working(old))[0].status_code == 429


def test_while_redis_is_away_a_task_is_still_good_once() -> None:
    spent = patience._Spent()  # noqa: SLF001
    assert spent.spend("one")
    assert not spent.spend("one")
    assert spent.spend("two")


def test_a_program_without_a_name_is_told_to_wait(crowd: Flask) -> None:
    event = hall()
    seats = {"seat_ids": event.seats[:1]}
    lock = f"/api/events/{event.id}/lock-seat"
    refused = crowd.test_client().post(lock, json=seats)
    assert (refused.status_code, refused.get_json()["error"]) == (429, "too_many_requests")
    assert crowd.test_client().post(lock, json=seats, headers=bearer(ANA)).status_code == 200


def test_without_pressure_nobody_is_asked(limited: Flask) -> None:
    event = hall()
    answer, task = asked(limited.test_client(), event)
    assert (answer.status_code, task) == (307, "")
