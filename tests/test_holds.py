"""Take seats and give them back, on the page and by the API, and what is refused and how."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.halls import Hall, change, hall
from tests.phones import states, take
from web.recent import forget

PAST = datetime.now(UTC) - timedelta(days=3)


@pytest.fixture
def ana_phone(app: Flask) -> FlaskClient:
    """A visitor's browser without an account."""
    return app.test_client()


@pytest.fixture
def bruno_phone(app: Flask) -> FlaskClient:
    """Another visitor's."""
    return app.test_client()


def cart_of(phone: FlaskClient, event: Hall) -> int:
    """How many seats the page shows as this visitor's own."""
    return phone.get(f"/events/{event.id}").text.count(" data-mine data-n")


def test_the_first_hold_needs_only_a_cookie_that_it_sets_itself(ana_phone: FlaskClient) -> None:
    event = hall()
    first = ana_phone.post(f"/events/{event.id}/holds", data={"seat": event.seats[:2]})
    assert first.status_code == 307
    assert first.headers["Location"] == f"/events/{event.id}/holds?cookie=1"
    assert "session=" in first.headers["Set-Cookie"]
    assert set(states(event)) == {"A"}

    second = ana_phone.post(first.headers["Location"], data={"seat": event.seats[:2]})
    assert second.status_code == 303
    assert second.headers["Location"] == f"/events/{event.id}/checkout"
    assert states(event)[:3] == ["L", "L", "A"]
    assert cart_of(ana_phone, event) == 2


def test_a_browser_that_refuses_cookies_is_told_so_and_nothing_is_held(app: Flask) -> None:
    """H06."""
    event = hall()
    phone = app.test_client(use_cookies=False)
    for _ in range(3):
        answer = take(phone, event, event.seats[:2])
        assert answer.status_code == 422
        assert "hace falta una cookie" in answer.text
    assert set(states(event)) == {"A"}
    assert phone.get(f"/api/events/{event.id}").get_json()["available_seats"] == 10


def test_a_refusal_names_the_seats_that_are_gone_and_offers_as_many_together(
    ana_phone: FlaskClient, bruno_phone: FlaskClient
) -> None:
    """H02: one of four is gone; nothing is held, and four side by side are one tap away."""
    event = hall([("Platea", 2, 10, "80.00")])
    take(ana_phone, event, event.seats[2:3])

    answer = take(bruno_phone, event, event.seats[0:4])
    assert answer.status_code == 409
    text = re.sub(r"\s+", " ", answer.text.replace("\xa0", " ").replace("\N{WORD JOINER}", ""))
    assert "Alguien se llevó <b>Platea · A 3</b> un instante antes." in text
    assert "<b>Platea · B 1–4</b> siguen libres" in text
    assert states(event).count("L") == 1

    offer = re.findall(r'<input type="hidden" name="seat" value="(\d+)">', answer.text)
    assert take(bruno_phone, event, offer).status_code == 303
    assert states(event)[10:15] == ["L", "L", "L", "L", "A"]


def test_the_refused_choice_shows_what_is_contested_and_stays_ticked_where_it_is_free(
    ana_phone: FlaskClient, bruno_phone: FlaskClient
) -> None:
    event = hall()
    take(ana_phone, event, event.seats[0:1])
    page = take(bruno_phone, event, event.seats[0:2]).text
    assert f'value="{event.seats[0]}" class="h c" disabled aria-label="1"' in page
    assert f'value="{event.seats[1]}" checked aria-label="2"' in page


def test_an_event_that_cannot_be_is_no_error_of_ours(ana_phone: FlaskClient) -> None:
    for what in ("", "/best", "/release", "/extend"):
        answer = ana_phone.post(f"/events/99999999999999999999999/holds{what}")
        assert answer.status_code == 404, what


def test_everybody_sees_that_a_seat_is_held_and_nobody_by_whom(
    ana_phone: FlaskClient, bruno_phone: FlaskClient
) -> None:
    event = hall()
    take(ana_phone, event, event.seats[0:1])
    mine, his = (phone.get(f"/events/{event.id}").text for phone in (ana_phone, bruno_phone))
    assert 'class="h" disabled data-mine data-n="1" aria-label="1, tuyo"' in mine
    assert 'class="h" disabled aria-label="1"' in his
    assert "data-mine data-n" not in his
    assert "visitor" not in mine + his


def test_seats_are_given_back_one_by_one_or_all_and_only_ones_own(
    ana_phone: FlaskClient, bruno_phone: FlaskClient
) -> None:
    event = hall()
    take(ana_phone, event, event.seats[0:3])
    take(bruno_phone, event, event.seats[3:4])

    release = f"/events/{event.id}/holds/release"
    assert bruno_phone.post(release, data={"seat": event.seats[0]}).status_code == 303
    assert states(event)[:5] == ["L", "L", "L", "L", "A"]
    assert ana_phone.post(release, data={"seat": event.seats[0]}).status_code == 303
    assert states(event)[:5] == ["A", "L", "L", "L", "A"]
    answer = ana_phone.post(release, data={"section": "1"})
    assert answer.headers["Location"] == f"/events/{event.id}?section=1"
    assert states(event)[:5] == ["A", "A", "A", "L", "A"]


def test_more_than_ten_seats_cannot_be_held_in_two_steps(ana_phone: FlaskClient) -> None:
    """H61."""
    event = hall([("Platea", 2, 10, "80.00")])
    assert take(ana_phone, event, event.seats[:9]).status_code == 303
    answer = take(ana_phone, event, event.seats[9:11])
    assert answer.status_code == 409
    assert "ya tienes 9" in answer.text
    assert states(event).count("L") == 9


@pytest.mark.parametrize(
    "wanted", [[], list(range(1, 12)), ["x"], ["-1"], ["1", "1"], ["9" * 400], ["1.0"]]
)
def test_a_form_that_makes_no_sense_holds_nothing(
    ana_phone: FlaskClient, wanted: list[object]
) -> None:
    event = hall()
    answer = ana_phone.post(f"/events/{event.id}/holds?cookie=0", data={"seat": wanted})
    assert answer.status_code == 307
    answer = ana_phone.post(f"/events/{event.id}/holds", data={"seat": wanted})
    assert answer.status_code == 422
    assert set(states(event)) == {"A"}


@pytest.mark.parametrize(
    ("columns", "said"),
    [({"starts_at": PAST}, "Ya fue."), ({"sales_end_at": PAST}, "Venta cerrada.")],
)
def test_nothing_is_held_when_the_sale_is_over(
    ana_phone: FlaskClient, columns: dict[str, Any], said: str
) -> None:
    event = hall(**columns)
    answer = take(ana_phone, event, event.seats[:1])
    assert answer.status_code == 409
    assert said in answer.text
    assert set(states(event)) == {"A"}


def test_the_address_of_a_refusal_leads_back_to_the_event(ana_phone: FlaskClient) -> None:
    event = hall()
    assert ana_phone.get(f"/events/{event.id}/holds").headers["Location"] == f"/events/{event.id}"


def lock(phone: FlaskClient, event: Hall, seats: object, verb: str = "lock-seat") -> Any:
    answer = phone.post(f"/api/events/{event.id}/{verb}", json={"seat_ids": seats})
    if answer.status_code == 401 and verb == "lock-seat":
        answer = phone.post(f"/api/events/{event.id}/{verb}", json={"seat_ids": seats})
    forget()
    return answer


def test_the_api_gives_a_session_first_and_holds_when_asked_again(ana_phone: FlaskClient) -> None:
    event = hall()
    address, body = f"/api/events/{event.id}/lock-seat", {"seat_ids": event.seats[:2]}
    refused = ana_phone.post(address, json=body)
    assert (refused.status_code, refused.get_json()["error"]) == (401, "session_needed")
    assert "session=" in refused.headers["Set-Cookie"]
    assert set(states(event)) == {"A"}

    held = ana_phone.post(address, json=body)
    assert held.status_code == 200
    assert [(seat["id"], seat["status"]) for seat in held.get_json()["seats"]] == [
        (event.seats[0], "LOCKED"),
        (event.seats[1], "LOCKED"),
    ]
    left = datetime.fromisoformat(held.get_json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=590) < left <= timedelta(seconds=600)
    assert "fence" not in held.text


def test_locking_again_changes_no_clock(ana_phone: FlaskClient) -> None:
    event = hall()
    first = lock(ana_phone, event, event.seats[:1]).get_json()["expires_at"]
    assert lock(ana_phone, event, event.seats[:2]).get_json()["expires_at"] == first


def test_the_api_names_the_seats_that_somebody_else_has(
    ana_phone: FlaskClient, bruno_phone: FlaskClient
) -> None:
    event = hall()
    change(event.seats[1:2], status="BLOCKED")
    lock(ana_phone, event, event.seats[0:1])
    answer = lock(bruno_phone, event, event.seats[0:4])
    assert (answer.status_code, answer.get_json()["error"]) == (409, "seat_unavailable")
    assert answer.get_json()["unavailable"] == event.seats[0:2]
    assert states(event)[:4] == ["L", "B", "A", "A"]


def test_where_nothing_is_left_nobody_is_sent_to_look_further(
    ana_phone: FlaskClient, bruno_phone: FlaskClient
) -> None:
    event = hall([("Sala", 1, 2, "10.00")])
    lock(ana_phone, event, event.seats)
    forget()
    answer = lock(bruno_phone, event, event.seats[:1])
    assert (answer.status_code, answer.get_json()["error"]) == (409, "sold_out")
    assert answer.get_json()["unavailable"] == event.seats[:1]
    taken = take(bruno_phone, event, event.seats[:1])
    for page in (
        taken,
        bruno_phone.post(f"/events/{event.id}/holds/best", data={"count": "1"}),
    ):
        assert page.status_code == 409
        assert "<b>▲ Agotado.</b>" in page.text
        assert "Elige otros" not in page.text
        assert ("Alguien se llevó <b>Sala" in page.text) is (page is taken)
    over = hall(starts_at=PAST)
    for phone, where in ((ana_phone, event), (bruno_phone, over)):
        page = phone.post(f"/events/{where.id}/holds/best", data={"count": "1"})
        assert "▲ Agotado" not in page.text, "she has them herself; nothing is sold there"
    change(event.seats[1:], status="AVAILABLE", holder=None, held_until=None)
    forget()
    assert lock(bruno_phone, event, event.seats[:1]).get_json()["error"] == "seat_unavailable"


def test_the_api_counts_what_is_held_already(ana_phone: FlaskClient) -> None:
    event = hall([("Platea", 2, 10, "80.00")])
    lock(ana_phone, event, event.seats[:8])
    answer = lock(ana_phone, event, event.seats[8:11])
    assert (answer.status_code, answer.get_json()["error"]) == (409, "too_many_seats")
    assert (answer.get_json()["held"], answer.get_json()["limit"]) == (8, 10)


BAD_LISTS: list[tuple[object, list[int]]] = [
    ([], []),
    (None, []),
    ("1", []),
    ({"1": 1}, []),
    ([True], []),
    (["1"], []),
    ([1.0], []),
    ([None], []),
    ([[1]], []),
    ([0], [0]),
    ([-5], [-5]),
    ([2**63], [2**63]),
    ([7, 7], [7]),
    ([999_999_999_999], [999_999_999_999]),
    (list(range(1, 12)), [11]),
]


@pytest.mark.parametrize(("seats", "named"), BAD_LISTS)
@pytest.mark.parametrize("verb", ["lock-seat", "unlock-seat", "extend-hold"])
def test_seat_ids_that_make_no_sense_are_named(
    ana_phone: FlaskClient, verb: str, seats: object, named: list[int]
) -> None:
    event = hall()
    lock(ana_phone, event, event.seats[:1])
    answer = lock(ana_phone, event, seats, verb)
    assert (answer.status_code, answer.get_json()["error"]) == (422, "invalid_seats")
    assert answer.get_json()["seats"] == named


@pytest.mark.parametrize("verb", ["lock-seat", "unlock-seat", "extend-hold"])
def test_a_seat_of_another_event_is_invalid_here(ana_phone: FlaskClient, verb: str) -> None:
    event, other = hall(), hall()
    lock(ana_phone, event, event.seats[:1])
    answer = lock(ana_phone, event, [event.seats[0], other.seats[0]], verb)
    assert (answer.status_code, answer.get_json()["error"]) == (422, "invalid_seats")
    assert answer.get_json()["seats"] == [other.seats[0]]
    assert set(states(other)) == {"A"}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"{}", "application/json", 422),
        (b'{"seat_ids": [1]}', "text/plain", 415),
        (b'{"seat_ids": [' + b"9" * 5_000 + b"]}", "application/json", 400),
        (json.dumps({"seat_ids": [1], "x": "x" * 70_000}).encode(), "application/json", 413),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem_document(
    ana_phone: FlaskClient, body: bytes, content_type: str, status: int
) -> None:
    event = hall()
    answer = ana_phone.post(
        f"/api/events/{event.id}/lock-seat", data=body, content_type=content_type
    )
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["error"]
    assert set(states(event)) == {"A"}


@pytest.mark.parametrize("verb", ["lock-seat", "unlock-seat", "extend-hold"])
def test_an_unknown_event_is_404(ana_phone: FlaskClient, verb: str) -> None:
    for event_id in (999_999_999, 2**63):
        answer = ana_phone.post(f"/api/events/{event_id}/{verb}", json={"seat_ids": [1]})
        assert (answer.status_code, answer.get_json()["error"]) == (404, "event_not_found")
    assert ana_phone.post("/events/999999999/holds", data={"seat": 1}).status_code == 404


@pytest.mark.parametrize(
    "columns", [{"starts_at": PAST}, {"sales_end_at": PAST}, {"status": "CANCELLED"}]
)
def test_the_api_holds_nothing_that_is_not_on_sale(
    ana_phone: FlaskClient, columns: dict[str, Any]
) -> None:
    event = hall(**columns)
    answer = lock(ana_phone, event, event.seats[:1])
    assert (answer.status_code, answer.get_json()["error"]) == (409, "not_on_sale")


def test_unlocking_frees_ones_own_and_leaves_the_others(
    ana_phone: FlaskClient, bruno_phone: FlaskClient
) -> None:
    event = hall()
    lock(ana_phone, event, event.seats[0:1])
    lock(bruno_phone, event, event.seats[1:2])
    answer = lock(bruno_phone, event, event.seats[0:2], "unlock-seat")
    assert (answer.status_code, answer.get_json()) == (200, {"seat_ids": event.seats[1:2]})
    assert states(event)[:2] == ["L", "A"]


def test_a_hold_is_extended_once_and_an_expired_one_not_at_all(
    ana_phone: FlaskClient, bruno_phone: FlaskClient
) -> None:
    event = hall()
    ends = datetime.fromisoformat(lock(ana_phone, event, event.seats[:1]).get_json()["expires_at"])
    once = lock(ana_phone, event, event.seats[:1], "extend-hold").get_json()["expires_at"]
    assert datetime.fromisoformat(once) - ends == timedelta(seconds=300)
    assert lock(ana_phone, event, event.seats[:1], "extend-hold").get_json()["expires_at"] == once

    change(event.seats[:1], held_until=datetime.now(UTC) - timedelta(seconds=1))
    for phone in (ana_phone, bruno_phone):
        answer = lock(phone, event, event.seats[:1], "extend-hold")
        assert (answer.status_code, answer.get_json()["error"]) == (409, "hold_expired")


def test_a_hold_ends_by_time_alone(ana_phone: FlaskClient, bruno_phone: FlaskClient) -> None:
    """H07: no sweeper runs here."""
    event = hall()
    take(ana_phone, event, event.seats[:1])
    change(event.seats[:1], held_until=datetime.now(UTC) - timedelta(seconds=1))
    assert cart_of(ana_phone, event) == 0
    assert take(bruno_phone, event, event.seats[:1]).status_code == 303
