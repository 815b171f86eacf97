"""What newcomers show when too many come at once: a little work, or time."""

import re
from time import sleep
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.halls import hall
from tests.people import ANA, bearer, finish_sign_in, local
from tests.phones import states
from web import limits, patience

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture
def crowd(limited: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """More new visitors than usual."""
    monkeypatch.setattr(limits, "NEW_VISITORS", "1 per minute")
    monkeypatch.setattr(patience, "WORK_BITS", 8)
    with limited.test_request_context():
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


def held(client: FlaskClient, event: Any) -> int:
    """The status of a hold by whoever has this cookie."""
    answer = client.post(f"/events/{event.id}/holds", data={"seat": event.seats[2]})
    return int(answer.status_code)


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
    assert held(client, event) == 303
    assert crowd.test_client().get("/").status_code == 200, "reading is for everybody"


def test_under_pressure_who_waits_goes_on_without_a_script(
    crowd: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = hall()
    client = crowd.test_client()
    _, task = asked(client, event)
    sleep(2.1)
    early, same = asked(client, event, task=task)
    assert early.status_code == 429
    assert same == task, "whoever comes back too early does not wait anew"
    assert int(early.headers["Retry-After"]) < patience.WAIT_S
    assert f"Espera {early.headers['Retry-After']} segundos" in early.text
    monkeypatch.setattr(patience, "WAIT_S", 0)
    passed, _ = asked(client, event, task=task)
    assert passed.status_code == 307
    used, another = asked(crowd.test_client(), event, task=task)
    assert used.status_code == 429
    assert another not in ("", task), "what was used is no use any more"


def test_a_task_is_good_once_and_only_ours(crowd: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    event = hall()
    _, task = asked(crowd.test_client(), event)
    work = working(task)
    idle = next(str(number) for number in range(10**6) if not patience.is_work(task, str(number)))
    for wrong in ({"task": task, "work": idle}, {"task": task, "work": "x"}, {"task": "x", "work": work},
                  {"task": task + "x", "work": work}, {"task": task, "work": "9" * 50}, {"task": "", "work": ""},
                  {"task": "\x00", "work": "\x00"}, {"task": "x" * 5000, "work": work}):  # fmt: skip
        answer, _ = asked(crowd.test_client(), event, **wrong)
        assert answer.status_code == 429, wrong
    assert asked(crowd.test_client(), event, task=task, work=work)[0].status_code == 307
    assert asked(crowd.test_client(), event, task=task, work=work)[0].status_code == 429
    _, old = asked(crowd.test_client(), event)
    monkeypatch.setattr(patience, "TASK_S", -1)
    assert asked(crowd.test_client(), event, task=old, work=working(old))[0].status_code == 429


def test_a_program_without_a_name_is_told_to_wait(crowd: Flask) -> None:
    event = hall()
    seats = {"seat_ids": event.seats[:1]}
    lock = f"/api/events/{event.id}/lock-seat"
    refused = crowd.test_client().post(lock, json=seats)
    assert (refused.status_code, refused.get_json()["error"]) == (429, "too_many_requests")
    assert refused.get_json() | {"retryAfter": patience.WAIT_S, "remaining": 0, "limit": 1} == (
        refused.get_json()
    )
    assert crowd.test_client().post(lock, json=seats, headers=bearer(ANA)).status_code == 200


def test_a_program_may_do_the_work_too_or_wait(
    crowd: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = hall()
    lock, seats = f"/api/events/{event.id}/lock-seat", {"seat_ids": event.seats[:1]}
    for path, body, status in ((lock, seats, 401), ("/api/auth/login", {"next": "/"}, 200)):
        asks = crowd.test_client().post(path, json=body).get_json()
        assert asks["bits"] == patience.WORK_BITS
        for wrong in ({"task": "7", "work": "x"}, {"task": asks["task"]}, {"work": "1"}):
            assert crowd.test_client().post(path, json=body | wrong).status_code == 429
        nonsense: tuple[dict[str, object], ...] = (
            {"task": 7},
            {"work": []},
            {"task": "", "work": {}},
        )
        for none in nonsense:
            assert crowd.test_client().post(path, json=body | none).status_code == 422
        done = {"task": asks["task"], "work": working(asks["task"])}
        client = crowd.test_client()
        passed = client.post(path, json=body | done)
        assert (passed.status_code, bool(client.get_cookie("session"))) == (status, True)
        assert crowd.test_client().post(path, json=body | done).status_code == 429
    waiting = crowd.test_client().post(lock, json=seats).get_json()["task"]
    monkeypatch.setattr(patience, "WAIT_S", 0)
    client = crowd.test_client()
    assert client.post(lock, json=seats | {"task": waiting}).status_code == 401
    assert client.post(lock, json=seats).status_code == 200


def test_one_address_brings_nobody_else_into_need_of_patience(
    limited: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "NEW_VISITORS", "10 per minute")
    monkeypatch.setattr(limits, "NEW_VISITORS_PER_ADDRESS", "5 per minute")
    event = hall()
    lock, seats = f"/api/events/{event.id}/lock-seat", {"seat_ids": event.seats[:1]}

    def comes(address: str) -> int:
        here = {"X-Forwarded-For": address}
        return int(limited.test_client().post(lock, json=seats, headers=here).status_code)

    assert [comes(f"2001:db8::{n:x}") for n in range(1, 41)] == [401] * 5 + [429] * 35
    assert [comes("203.0.113.9") for _ in range(5)] == [401] * 5


def test_signing_in_is_no_way_round(crowd: Flask) -> None:
    """A sign-in begins a session, which could hold seats, so newcomers show the same there."""
    event = hall()
    client = crowd.test_client()
    for ask in (
        client.get("/login?next=/orders"),
        client.post("/api/auth/login", json={"next": "/orders"}),
        client.post("/api/auth/login", data={"next": "/orders"}, follow_redirects=True),
    ):
        assert ask.status_code == 429
        assert "Set-Cookie" not in ask.headers
    assert held(crowd.test_client(), event) == 429
    page = client.get("/login?next=/orders").text
    fields = dict(
        re.findall(r'name="(\w+)" value="([^"]*)"', page.partition('class="patience"')[2])
    )
    assert fields["next"] == "/orders"
    fields["work"] = working(fields["task"])
    passed = client.post("/login", data=fields)
    assert passed.status_code == 303
    signed_in = finish_sign_in(client, local(passed.headers["Location"]), ANA)
    assert local(signed_in.headers["Location"]) == "/orders"
    assert client.get("/login").status_code == 303, "who has a session is asked for nothing"


def test_without_pressure_nobody_is_asked(limited: Flask) -> None:
    event = hall()
    answer, task = asked(limited.test_client(), event)
    assert (answer.status_code, task) == (307, "")
