"""How things are said to people: money, times at the venue, seats, states, refusals."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Flask, current_app, request
from flask_babel import gettext
from markupsafe import Markup

from web.languages import language
from web.sayings import CATEGORIES, OUR_FAULT, REASONS, REFUSALS, STATUSES

ZONE_COOKIE = "zone"
NO_BREAK = "\N{NO-BREAK SPACE}"
EN_DASH = "\N{EN DASH}"
RANGE = f"{EN_DASH}\N{WORD JOINER}"
"""A dash that no line ends behind."""

SIGNS = {
    "PEN": "S/",
    "USD": "US$",
    "EUR": "€",
    "MXN": "MX$",
    "CLP": "CLP$",
    "COP": "COP$",
    "ARS": "AR$",
    "BOB": "Bs",
}
DECIMALS = {"CLP": 0, "PYG": 0, "JPY": 0, "KRW": 0}
"""Currencies with other decimals than two."""

WEEKDAYS = {
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
WEEKDAY_LETTERS = 3
MONTHS = {
    "es": ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "set", "oct", "nov", "dic"),
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}


def said(text: str) -> str:
    """A text of web/sayings.py in the reader's language; Spanish where nobody reads yet."""
    return str(gettext(text)) if current_app else text


def status(code: str) -> str:
    """An order's state, in a word."""
    return said(STATUSES[code])


def reason(code: str) -> str:
    """Why an order failed, in a sentence."""
    return said(REASONS.get(code, OUR_FAULT))


def money(amount: Decimal | str | None, currency: str, *, short: bool = False) -> str:
    """An amount with its currency's sign and decimals, `S/ 1,556.20`; `short` drops empty ones."""
    if amount is None:
        return ""
    places = DECIMALS.get(currency, 2)
    rounded = Decimal(amount).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    text = f"{rounded:,f}"
    if short and places and rounded == rounded.to_integral_value():
        text = text[: -places - 1]
    return f"{SIGNS.get(currency, currency)}{NO_BREAK}{text}"


def when(moment: datetime, time_zone: str) -> str:
    """Day and time at the venue: `sáb 14 mar · 20:30`, with the year unless it is this one."""
    return f"{day(moment, time_zone)} · {clock(moment, time_zone)}"


def begins(event: Any) -> Markup:
    """When it begins, as an element; a reader in another zone is told whose time it is."""
    text = when(event.starts_at, event.time_zone) + elsewhere(event.starts_at, event.time_zone)
    return Markup('<time datetime="{}">{}</time>').format(rfc3339(event.starts_at), text)


def zone(time_zone: str) -> str:
    """Whose time it is: `hora de Lima`."""
    place = time_zone.rpartition("/")[2].replace("_", " ")
    return str(gettext("hora de %(place)s", place=place)) if current_app else place


def elsewhere(moment: datetime, time_zone: str) -> str:
    """`, hora de Lima` where the reader's zone, which the script keeps in a cookie, has another."""
    reader = request.cookies.get(ZONE_COOKIE, "") if request else ""
    try:
        theirs = moment.astimezone(ZoneInfo(reader))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return ""
    there = moment.astimezone(ZoneInfo(time_zone))
    return f", {zone(time_zone)}" if theirs.utcoffset() != there.utcoffset() else ""


def day(moment: datetime, time_zone: str) -> str:
    """The day at the venue: `sáb 14 mar`, with the year unless it is this one."""
    there = moment.astimezone(ZoneInfo(time_zone))
    tongue = language()
    weekday = WEEKDAYS[tongue][there.weekday()][:WEEKDAY_LETTERS]
    text = f"{weekday} {there.day} {MONTHS[tongue][there.month - 1]}"
    this_year = datetime.now(UTC).astimezone(ZoneInfo(time_zone)).year
    return (text if there.year == this_year else f"{text} {there.year}").replace(" ", NO_BREAK)


def clock(moment: datetime, time_zone: str, *, seconds: bool = False) -> str:
    """The time of day at the venue: `20:30`."""
    return moment.astimezone(ZoneInfo(time_zone)).strftime("%H:%M:%S" if seconds else "%H:%M")


def left(time: timedelta) -> str:
    """How long something still lasts, as the pages' script says it: `9:53`."""
    seconds = max(0, ceil(time.total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02}"


def there(moment: datetime, time_zone: str) -> dict[str, str]:
    """Parts of a venue's date for a page that sets them in different sizes."""
    local = moment.astimezone(ZoneInfo(time_zone))
    return {
        "day": str(local.day),
        "month": MONTHS[language()][local.month - 1],
        "weekday": WEEKDAYS[language()][local.weekday()],
    }


def rfc3339(moment: datetime) -> str:
    """A time for machines, in UTC: `2027-03-15T01:30:00Z`."""
    text = moment.astimezone(UTC).isoformat(
        timespec="milliseconds" if moment.microsecond else "seconds"
    )
    return text.replace("+00:00", "Z")


def local_time(moment: datetime, time_zone: str) -> str:
    """A time for machines in the venue's zone: `2027-03-15T20:30:00-05:00`."""
    return moment.astimezone(ZoneInfo(time_zone)).isoformat(timespec="seconds")


def whole(number: int) -> str:
    """A count with its thousands set apart."""
    return f"{number:,}"


def headline(text: str) -> str:
    """A title for a headline: a dash stays with the word before it."""
    return text.replace(f" {EN_DASH} ", f"{NO_BREAK}{EN_DASH} ")


def seat_ranges(seats: Iterable[Any]) -> str:
    """Seats by section and row, neighbours as a range. Takes rows and JSON objects alike."""
    ordered = sorted(map(_named, seats), key=lambda seat: seat[:2])
    parts = []
    for (_, section), of_section in groupby(ordered, key=lambda seat: (seat[0], seat[2])):
        rows = [
            f"{row}{NO_BREAK}{_numbers(list(of_row))}"
            for row, of_row in groupby(of_section, key=lambda seat: seat[3])
        ]
        parts.append(f"{section} · {' · '.join(rows)}")
    return "; ".join(parts)


def seat_stub(seats: Sequence[Any]) -> tuple[str, str]:
    """The seats of one row as a stub prints them: row, then numbers; else how many there are."""
    named = sorted(map(_named, seats), key=lambda seat: seat[:2])
    if len({(section, row) for section, _, _, row, _ in named}) == 1:
        return named[0][3], _numbers(named)
    return str(len(named)), ""


def seat_name(seat: Any) -> str:
    """A seat's short name, row and number: `F 9`."""
    _, _, _, row, number = _named(seat)
    return f"{row}{NO_BREAK}{number}"


def refusal(problem: Any) -> tuple[str, str]:
    """Title and sentence for a refusal, by its code; an unknown code says what the status means."""
    fallback = (
        "internal_error"
        if problem.status >= 500
        else "not_found"
        if problem.status == 404
        else "bad_request"
    )
    title, sentence = REFUSALS.get(problem.error, REFUSALS[fallback])
    return said(title), said(sentence)


def register(app: Flask) -> None:
    """Give the templates these filters and tables."""
    words = (
        money,
        when,
        begins,
        zone,
        elsewhere,
        day,
        clock,
        left,
        there,
        rfc3339,
        whole,
        headline,
        seat_ranges,
        seat_stub,
        seat_name,
        refusal,
        said,
        status,
        reason,
    )
    app.jinja_env.filters.update({word.__name__: word for word in words})
    app.jinja_env.globals["categories"] = CATEGORIES


def _named(seat: Any) -> tuple[int, int, str, str, str]:
    """A seat as (section's number, position, section, row, number)."""
    if isinstance(seat, Mapping):
        return (
            seat["section_number"],
            seat["position"],
            seat["section"],
            seat["row"],
            str(seat["number"]),
        )
    return seat.section_number, seat.position, seat.section, seat.row_label, str(seat.number)


def _numbers(row: list[tuple[int, int, str, str, str]]) -> str:
    """Numbers of one row's seats; neighbours by position stand as a range."""
    runs: list[list[tuple[int, str]]] = []
    for _, position, _, _, number in row:
        if runs and runs[-1][-1][0] == position - 1:
            runs[-1].append((position, number))
        else:
            runs.append([(position, number)])
    return ", ".join(
        run[0][1] if len(run) == 1 else f"{run[0][1]}{RANGE}{run[-1][1]}" for run in runs
    ).replace(" ", NO_BREAK)
