"""The list of events that anybody may read: dates, prices, filters, words and cursor."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from tests.halls import change, hall, owner
from web.recent import forget

pytestmark = pytest.mark.usefixtures("nothing_on_sale")

SOON = datetime.now(UTC) + timedelta(days=3)
PAST = datetime.now(UTC) - timedelta(days=3)


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
