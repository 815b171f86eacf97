"""What anybody may read: the list, filters, words and cursor, an event, sections and seats."""

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from psycopg import OperationalError

from pipeline.connections import redis_client
from pipeline.messages import UPDATES_STREAM
from pipeline.settings import settings
from tests.halls import change, hall, owner
from web import accounts
from web.recent import forget

SOON = datetime.now(UTC) + timedelta(days=3)
PAST = datetime.now(UTC) - timedelta(days=3)


@pytest.fixture(autouse=True)
def _nothing_on_sale() -> None:
    """Only this test's events are in the list, and no cache remembers another's."""
    with owner() as connection:
        connection.execute("UPDATE catalog.events SET status = 'UNPUBLISHED'")
    forget()


def listed(client: FlaskClient, query: str = "") -> list[int]:
    forget()
    answer = client.get(f"/api/events?{query}")
    assert answer.status_code == 200, answer.text
    return [event["id"] for event in answer.get_json()["events"]]


def test_the_list_has_what_is_published_and_not_over_by_date(client: FlaskClient) -> None:
    later = hall(title="Después")
    sooner = hall(title="Antes", starts_at=SOON)
    begun = hall(starts_at=datetime.now(UTC) - timedelta(hours=1))
    hall(starts_at=PAST)
    for status in ("DRAFT", "UNPUBLISHED", "CANCELLED"):
        hall(status=status)

    assert listed(client) == [begun.id, sooner.id, later.id]
    page = client.get("/").text
    assert page.index("Antes") < page.index("Después")
    assert page.partition("<ol")[2] == client.get("/events").text.partition("<ol")[2]


def test_the_list_is_sorted_by_price_both_ways(client: FlaskClient) -> None:
    dear = hall([("A", 1, 2, "90.00"), ("B", 1, 2, "40.00")])
    cheap = hall([("A", 1, 2, "9.50")])
    free = hall([("A", 1, 2, "0.00")])

    assert listed(client, "sort=price") == [free.id, cheap.id, dear.id]
    assert listed(client, "sort=price&order=desc") == [dear.id, cheap.id, free.id]


def test_a_category_is_chosen(client: FlaskClient) -> None:
    hall()
    play = hall(category="THEATER")

    assert listed(client, "category=THEATER") == [play.id]


@pytest.mark.parametrize(
    "query", ["sort=date", "sort=date&order=desc", "sort=price", "sort=price&order=desc"]
)
def test_the_cursor_meets_each_event_once_while_the_list_changes(
    client: FlaskClient, query: str
) -> None:
    """H51: events of one start and one price; one is added and one is taken away on the way."""
    stay = {
        hall([("A", 1, 1, "50.00")], starts_at=SOON, ends_at=SOON + timedelta(hours=1)).id
        for _ in range(9)
    }
    leaves = max(stay)
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        forget()
        answer = client.get(f"/api/events?{query}&limit=2&cursor={cursor}").get_json()
        seen += [event["id"] for event in answer["events"]]
        cursor = answer["next"]
        if len(seen) == 4:
            hall([("A", 1, 1, "50.00")], starts_at=SOON, ends_at=SOON + timedelta(hours=1))
            with owner() as connection:
                connection.execute(
                    "UPDATE catalog.events SET status = 'UNPUBLISHED' WHERE id = %s", [leaves]
                )

    assert len(seen) == len(set(seen))
    assert stay - {leaves} <= set(seen)


@pytest.mark.parametrize(
    "parameter",
    [
        "cursor=x",
        "cursor=bnVsbA==",
        "cursor=WyJwcmljZSBhc2MiLCIxIiwxXQ==",
        "cursor=WyJkYXRlIGFzYyIsIm5hbiIsMV0=",
        "cursor=WyJkYXRlIGFzYyIsIjEiLDk5OTk5OTk5OTk5OTk5OTk5OTk5XQ==",
        "cursor=%ff",
        "cursor=WyJkYXRlIGFzYyIsIjFlLTk5OTk5OTk5IiwxXQ==",
        "cursor=WyJkYXRlIGFzYyIsIlx1MDY2MyIsMV0=",
        "category=OPERA",
        "sort=id",
        "order=up",
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=ten",
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(client: FlaskClient, parameter: str) -> None:
    answer = client.get(f"/api/events?{parameter}")
    assert (answer.status_code, answer.get_json()["error"]) == (422, "invalid_parameter")
    assert client.get(f"/events?{parameter}").status_code == 422


@pytest.mark.parametrize(
    ("q", "title"),
    [
        ("musica", "Noche de Música"),
        ("MU\u0301SICA", "Noche de Música"),
        ("conciertos", "Un concierto solo"),
        ("running", "He runs at dawn"),
        ("seg", "Noche de Música"),
        ("noche segur", "Noche de Música"),
        ("Guns N' Roses", "Guns N' Roses"),
        ("rock & roll", "Rock & Roll"),
        ("El", "Él"),
    ],
)
def test_words_find_events_whatever_their_accents_and_endings(
    client: FlaskClient, q: str, title: str
) -> None:
    wanted = hall(
        title=title, venue="Teatro Segura" if "Música" in title else "Plaza", description=""
    )
    hall(title="Ajedrez", venue="Casona", description="")

    answer = client.get("/api/events", query_string={"q": q})
    assert [event["id"] for event in answer.get_json()["events"]] == [wanted.id]


@pytest.mark.parametrize(
    "q",
    [
        "a:b",
        "!!",
        '"',
        "(",
        "%",
        "\\",
        "<->",
        "' OR 1=1 --",
        ":*",
        "a':*b",
        "\x00",
        "🎺",
        "&",
        "|",
        "no -",
        "x" * 5000,
        "²³¹ abc²",
        "l'été:*",
        "\ud7ff",
        "a\u200db",
        "%%s",
        "%(q)s",
        "-teatro",
        "ñandú",
    ],
)
def test_no_sign_in_a_search_is_an_error(client: FlaskClient, q: str) -> None:
    """H50."""
    hall()
    assert client.get("/api/events", query_string={"q": q}).status_code == 200
    assert client.get("/events", query_string={"q": q}).status_code == 200


def test_a_search_that_finds_nothing_says_so_and_what_to_do(client: FlaskClient) -> None:
    page = client.get("/events?q=<murga>&category=THEATER").text
    assert "Nada con «&lt;murga&gt;»." in page
    assert "quita el filtro Teatro</a>" in page


def test_the_next_page_is_a_real_link_and_also_a_fragment(client: FlaskClient) -> None:
    for number in range(23):
        hall(title=f"Función {number:02}")
    page = client.get("/").text
    assert page.count('<li class="bill') == 20
    found = re.search(r'href="(/events\?cursor=[^"]+)">Más eventos', page)
    assert found
    link = ["", html.unescape(found[1])]
    rest = client.get(link[1]).text
    assert (rest.count('<li class="bill'), "Más eventos" in rest, "<html" in rest) == (
        3,
        False,
        True,
    )
    fragment = client.get(link[1], headers={"HX-Request": "true"})
    assert (fragment.text.count('<li class="bill'), "<html" in fragment.text) == (3, False)
    assert "HX-Request" in fragment.headers["Vary"]
    # The address that the browser keeps shows both pages at once, and no address more than 200.
    assert fragment.headers["HX-Replace-Url"] == "/events?shown=40"
    assert client.get("/events?shown=40").text.count('<li class="bill') == 23
    assert client.get("/events?shown=99999999").status_code == 200
    assert client.get("/events?shown=-1").text.count('<li class="bill') == 20


def test_what_is_left_of_a_list_comes_as_its_lines_alone(client: FlaskClient) -> None:
    events = [hall(title=f"Función {number}") for number in range(3)]
    page = client.get("/events").text
    change(events[0].seats[:-2], status="BLOCKED")
    forget()
    lines = client.get("/events/left", headers={"HX-Request": "true"}).text
    assert lines.count('hx-swap-oob="true"') == 3
    assert "<html" not in lines
    for event in events:
        assert f'<p class="sale" id="sale-{event.id}">' in page
        assert f'<p class="sale" id="sale-{event.id}" hx-swap-oob="true">' in lines
    assert "Quedan 2" not in page
    assert "Quedan 2" in lines
    assert client.get("/events/left?cursor=x").status_code == 422


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
