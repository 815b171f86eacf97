"""A ticket as a calendar file: one UID a ticket, the venue's time, cancelled when it is void."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

from pipeline.settings import settings
from web.words import seat_name


def calendar(ticket: Any) -> bytes:
    """The file for this ticket; sent again, it updates what the calendar has."""
    zone = ZoneInfo(ticket.time_zone)
    entry = Event()
    entry.add("uid", f"{ticket.ticket_uuid}@ticketbuster")
    entry.add("dtstamp", datetime.now(UTC))
    entry.add("sequence", 1 if ticket.voided_at else 0)
    entry.add("status", "CANCELLED" if ticket.voided_at else "CONFIRMED")
    entry.add("summary", ticket.title)
    entry.add("dtstart", ticket.starts_at.astimezone(zone))
    entry.add("dtend", ticket.ends_at.astimezone(zone))
    entry.add("location", ticket.venue)
    entry.add("description", f"{ticket.section} · {seat_name(ticket)}")
    entry.add("url", f"{settings().public_url}/tickets/{ticket.ticket_uuid}")
    file = Calendar()
    file.add("prodid", "-//TicketBuster//ES")
    file.add("version", "2.0")
    file.add("method", "CANCEL" if ticket.voided_at else "PUBLISH")
    file.add_component(entry)
    file.add_missing_timezones()
    return bytes(file.to_ical())
