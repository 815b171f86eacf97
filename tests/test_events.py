"""What anybody may read of an event: its facts, sections and seats."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from psycopg import OperationalError

from pipeline.connections import redis_client
from pipeline.messages import UPDATES_STREAM
from pipeline.settings import settings
from tests.halls import change, hall
from web import accounts
from web.recent import forget

pytestmark = pytest.mark.usefixtures("nothing_on_sale")

PAST = datetime.now(UTC) - timedelta(days=3)


def test_an_event_is_told_with_exactly_the_members_of_the_contract(client: FlaskClient) -> None:
    event = hall(starts_at=datetime(2099, 3, 15, 1, 30, tzinfo=UTC))

    assert client.get(f"/api/events/{event.id}").get_json() == {
        "id": event.id,
        "title": "Susurros del Ande",
        "description": "Música andina de cámara.",
        "category": "CONCERT",
        "venue": "Teatro Segura",
        "time_zone": "America/Lima",
        "starts_at": "2099-03-15T01:30:00Z",
        "ends_at": "2099-03-15T03:30:00Z",
        "sales_end_at": "2099-03-15T01:30:00Z",
        "status": "PUBLISHED",
        "on_sale": True,
        "price_from": "80.00",
        "currency": "PEN",
        "total_seats": 10,
        "available_seats": 10,
        "image_url": f"{settings().public_url}/events/{event.id}/picture.png",
    }
    page = client.get(f"/events/{event.id}").text
    assert "sábado" in page
    assert "20:30" in page


def test_a_seat_is_told_with_exactly_the_members_of_the_contract(client: FlaskClient) -> None:
    event = hall()
    change(event.seats[1:2], status="BLOCKED")

    answer = client.get(f"/api/events/{event.id}/seats").get_json()
    assert set(answer) == {"event_id", "version", "seats"}
    assert answer["seats"][0] == {
        "id": event.seats[0],
        "section": "Platea",
        "section_number": 1,
        "row": "A",
        "number": "1",
        "position": 0,
        "accessible": False,
        "price": "80.00",
        "status": "AVAILABLE",
    }
    assert [seat["status"] for seat in answer["seats"]][:3] == ["AVAILABLE", "BLOCKED", "AVAILABLE"]


def test_the_version_of_a_map_is_where_the_updates_stand(client: FlaskClient) -> None:
    event = hall()
    redis_client().delete(UPDATES_STREAM)
    assert client.get(f"/api/events/{event.id}/seats").get_json()["version"] == "0-0"

    last = redis_client().xadd(UPDATES_STREAM, {"what": "nothing"})
    forget()
    assert client.get(f"/api/events/{event.id}/seats").get_json()["version"] == last
    assert f'data-v="{last!s}"' in client.get(f"/events/{event.id}").text


def test_available_seats_are_those_that_can_be_taken_now_wherever_they_are_told(
    client: FlaskClient,
) -> None:
    """H07, H35: a hold that is over counts as none, although nobody has swept it."""
    event = hall()
    lapsed, held, blocked = event.seats[0:1], event.seats[1:3], event.seats[3:4]
    over = {
        "status": "LOCKED",
        "holder": "visitor:x",
        "held_until": datetime.now(UTC) - timedelta(seconds=1),
    }
    change(lapsed, **over)
    change(held, **{**over, "held_until": datetime.now(UTC) + timedelta(minutes=5)})
    change(blocked, status="BLOCKED")

    assert client.get(f"/api/events/{event.id}").get_json()["available_seats"] == 7
    assert client.get("/api/events").get_json()["events"][0]["available_seats"] == 7
    statuses = [
        seat["status"] for seat in client.get(f"/api/events/{event.id}/seats").get_json()["seats"]
    ]
    assert statuses.count("AVAILABLE") == 7
    page = client.get(f"/events/{event.id}").text
    assert '<b class="free">7</b> libres' in page
    assert len(re.findall(r'<input type="checkbox" name="seat" value="\d+" aria-label', page)) == 7
    assert "visitor:" not in page
    assert "▲ Quedan 7" in client.get("/").text


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"starts_at": PAST}, "Ya fue."),
        ({"sales_end_at": PAST}, "Venta cerrada."),
        ({"status": "CANCELLED"}, "Anulado."),
        ({"status": "UNPUBLISHED"}, "Venta cerrada."),
    ],
)
def test_what_is_not_on_sale_says_why_and_offers_no_seat(
    client: FlaskClient, columns: dict[str, Any], said: str
) -> None:
    event = hall(**columns)

    facts = client.get(f"/api/events/{event.id}").get_json()
    assert (facts["on_sale"], facts["available_seats"], facts["total_seats"]) == (False, 0, 10)
    page = client.get(f"/events/{event.id}").text
    assert said in page
    assert "Reservar" not in page


def test_an_event_that_has_begun_is_sold_while_its_sale_lasts(client: FlaskClient) -> None:
    """H59: three days of jazz are sold until the third."""
    begun = datetime.now(UTC) - timedelta(hours=1)
    event = hall(starts_at=begun, sales_end_at=begun + timedelta(hours=2))

    assert client.get(f"/api/events/{event.id}").get_json()["on_sale"] is True
    assert "Reservar" in client.get(f"/events/{event.id}").text


def test_a_large_hall_shows_its_sections_first_and_a_small_one_its_seats(
    client: FlaskClient,
) -> None:
    large = hall([("Platea", 13, 25, "90.00"), ("Galería", 12, 25, "30.00")])
    small = hall([("Platea", 12, 25, "90.00"), ("Galería", 12, 25, "30.00")])

    sections = client.get(f"/events/{large.id}").text
    assert ('name="seat"' in sections, f'href="/events/{large.id}?section=2#map"' in sections) == (
        False,
        True,
    )
    section = client.get(f"/events/{large.id}?section=2").text
    assert section.count('name="seat"') == 300
    fragment = client.get(f"/events/{large.id}?section=2", headers={"HX-Request": "true"}).text
    assert (fragment.count('name="seat"'), "<html" in fragment) == (300, False)
    whole = client.get(f"/events/{small.id}").text
    assert (whole.count('name="seat"'), whole.count("<fieldset")) == (600, 24)


def test_a_halls_plan_is_nobodys_secret(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays while nobody can be recognised, and the page says that it is from memory."""
    large = hall([("Platea", 13, 25, "90.00"), ("Galería", 12, 25, "30.00")])

    def away() -> None:
        raise OperationalError

    monkeypatch.setattr(accounts, "session", away)
    page = client.get(f"/events/{large.id}")
    assert (page.status_code, page.headers["X-From-Cache"]) == (200, "true")
    assert 'class="halftone"' in page.text


@pytest.mark.parametrize("event_id", ["0", "999999999", str(2**63), "9" * 30, "-1", "abc"])
def test_an_event_that_is_not_there_is_404(client: FlaskClient, event_id: str) -> None:
    for address in (
        f"/events/{event_id}",
        f"/api/events/{event_id}",
        f"/api/events/{event_id}/seats",
    ):
        assert client.get(address).status_code == 404
    assert client.get(f"/api/events/{event_id}").mimetype == "application/problem+json"


def test_a_draft_and_a_section_that_is_not_there_are_404(client: FlaskClient) -> None:
    draft, event = hall(status="DRAFT"), hall()

    assert client.get(f"/api/events/{draft.id}").get_json()["error"] == "event_not_found"
    for section in ("0", "2", "x", "-1", "9" * 40):
        assert client.get(f"/events/{event.id}?section={section}").status_code == 404


def test_an_organisers_text_is_inert(client: FlaskClient) -> None:
    """H39."""
    event = hall(
        title="<img src=x onerror=alert(1)>", description="<script>alert(1)</script>", venue='"><i>'
    )
    for page in (client.get("/").text, client.get(f"/events/{event.id}").text):
        assert "<img" not in page
        assert "<script>" not in page
        assert "<i>" not in page


def test_reading_sets_no_cookie_and_is_revalidated(client: FlaskClient) -> None:
    event = hall()
    for address in ("/", f"/events/{event.id}", "/api/events", f"/api/events/{event.id}/seats"):
        first = client.get(address)
        assert "Set-Cookie" not in first.headers
        again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
