"""What leaves the site: previews of events, calendar files of tickets."""

import io
import json
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from icalendar import Calendar
from PIL import Image

from pipeline.orders import cancel
from tests.halls import hall
from tests.people import ANA, BRUNO, bearer
from tests.stations import bought, rows, run_all

pytestmark = pytest.mark.usefixtures("clean")


def ticket_of(order: str) -> str:
    return str(rows("SELECT ticket_uuid FROM orders.tickets WHERE order_uuid = %s", order)[0][0])


def entry(client: FlaskClient, ticket: str) -> tuple[Calendar, Any]:
    """The calendar file and its one entry."""
    answer = client.get(f"/tickets/{ticket}.ics", headers=bearer(ANA))
    assert (answer.status_code, answer.mimetype) == (200, "text/calendar")
    assert answer.cache_control.private
    file: Any = Calendar.from_ical(answer.data)
    (found,) = file.walk("VEVENT")
    return file, found


def test_a_ticket_goes_into_a_calendar_in_the_venues_time(client: FlaskClient) -> None:
    """H49: a name with the format's own signs must not end a line or begin another entry."""
    starts = datetime(2030, 3, 16, 1, 30, tzinfo=UTC)
    nasty = "Voces; de, la\\nNoche\r\nEND:VEVENT"
    event = hall(title=nasty, starts_at=starts)
    order = bought(event)
    run_all()
    _, one = entry(client, ticket_of(order))
    assert str(one["summary"]) == nasty.replace("\r\n", "\n")
    assert one["dtstart"].dt == starts
    assert str(one["dtstart"].dt.tzinfo) == "America/Lima"
    assert (str(one["status"]), one["sequence"]) == ("CONFIRMED", 0)


@pytest.mark.parametrize(("local", "utc"), [("2026-12-05T21:00", 20), ("2027-07-03T21:00", 19)])
def test_winter_and_summer_are_the_venues(client: FlaskClient, local: str, utc: int) -> None:
    """H44: nine in the evening in Madrid is 20:00Z in December and 19:00Z in July."""
    starts = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Europe/Madrid"))
    order = bought(hall(title="🎭 Año Nuevo", starts_at=starts, time_zone="Europe/Madrid"))
    run_all()
    file, one = entry(client, ticket_of(order))
    assert one["dtstart"].dt.astimezone(UTC).hour == utc
    assert str(one["dtstart"].params["tzid"]) == "Europe/Madrid"
    assert [str(zone["tzid"]) for zone in file.walk("VTIMEZONE")] == ["Europe/Madrid"]
    assert str(one["summary"]) == "🎭 Año Nuevo"


def test_a_cancelled_ticket_is_an_update_of_the_same_entry(client: FlaskClient) -> None:
    order = bought(hall())
    run_all()
    ticket = ticket_of(order)
    _, before = entry(client, ticket)
    assert cancel(rows("SELECT order_uuid FROM orders.orders")[0][0], ANA.sub)
    file, after = entry(client, ticket)
    assert after["uid"] == before["uid"]
    assert (str(file["method"]), str(after["status"])) == ("CANCEL", "CANCELLED")
    assert after["sequence"] > before["sequence"]


def test_a_ticket_is_nobody_elses(client: FlaskClient) -> None:
    order = bought(hall())
    run_all()
    answer = client.get(f"/tickets/{ticket_of(order)}.ics", headers=bearer(BRUNO))
    assert answer.status_code == 404


def test_a_link_to_an_event_shows_its_poster(client: FlaskClient) -> None:
    event = hall(title='Clásico: "Alianza" </script>')
    page = client.get(f"/events/{event.id}").text
    address = re.search(r'og:image" content="[a-z]+://[^/]+(/[^"]+)"', page)
    assert address
    answer = client.get(address[1])
    assert answer.mimetype == "image/png"
    assert Image.open(io.BytesIO(answer.data)).size == (1200, 630)
    told = re.search(r'<script type="application/ld\+json">(.*?)</script>', page)
    assert told
    said = json.loads(told[1])
    assert (said["@type"], said["name"]) == ("Event", 'Clásico: "Alianza" </script>')
    assert said["startDate"].endswith("-05:00")
    assert said["offers"][0]["price"] == "80.00"
    assert said["offers"][0]["availability"].endswith("/InStock")
    assert client.get("/events/999999/picture.png").status_code == 404
