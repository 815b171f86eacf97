"""Events made to measure: any column can be said, and sections as (name, rows, seats, price)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from pipeline.settings import settings

Section = tuple[str, int, int, str]


@dataclass(frozen=True)
class Hall:
    """An event with the ids of its seats, in order of section and position."""

    id: int
    seats: list[int]


def owner() -> psycopg.Connection[Any]:
    """A connection that may write everywhere: for tests alone."""
    return psycopg.connect(settings().database_url, autocommit=True)


def hall(sections: Sequence[Section] = (("Platea", 2, 5, "80.00"),), **columns: Any) -> Hall:
    """Make a published event in a week, with rows lettered and seats numbered from 1."""
    return hall_in(settings().database_url, sections, **columns)


def hall_in(database_url: str, sections: Sequence[Section], **columns: Any) -> Hall:
    """The same in the database of a system that runs."""
    starts_at = columns.pop("starts_at", datetime.now(UTC) + timedelta(days=7))
    event = {
        "organiser": "00000000-0000-4000-8000-000000000004",
        "title": "Susurros del Ande",
        "description": "Música andina de cámara.",
        "category": "CONCERT",
        "venue": "Teatro Segura",
        "time_zone": "America/Lima",
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(hours=2),
        "sales_end_at": None,
        "status": "PUBLISHED",
        "currency": "PEN",
        **columns,
    }
    with psycopg.connect(database_url, autocommit=True) as connection, connection.transaction():
        names = ", ".join(event)
        values = ", ".join(f"%({name})s" for name in event)
        row = connection.execute(
            f"INSERT INTO catalog.events ({names}) VALUES ({values}) RETURNING id".encode(), event
        ).fetchone()
        assert row
        for number, (name, rows, seats, price) in enumerate(sections, 1):
            connection.execute(
                "INSERT INTO catalog.sections (event_id, number, name, price)"
                " VALUES (%s, %s, %s, %s)",
                [row[0], number, name, price],
            )
            connection.execute(
                "INSERT INTO catalog.seats"
                " (event_id, section_number, row_label, number, position, rank, price)"
                " SELECT %s, %s, chr(64 + r), n, (r - 1) * %s + n - 1, (r - 1) * %s + n, %s"
                " FROM generate_series(1, %s) r, generate_series(1, %s) n ORDER BY r, n",
                [row[0], number, seats, seats, price, rows, seats],
            )
        ids = connection.execute(
            "SELECT id FROM catalog.seats WHERE event_id = %s ORDER BY section_number, position",
            [row[0]],
        ).fetchall()
    return Hall(row[0], [seat_id for (seat_id,) in ids])


def change(seat_ids: Sequence[int], **columns: object) -> None:
    """Put seats into a state that no page could, such as held back or held until a minute ago."""
    said = ", ".join(f"{name} = %({name})s" for name in columns)
    with owner() as connection:
        connection.execute(
            f"UPDATE catalog.seats SET {said} WHERE id = ANY (%(ids)s)".encode(),
            {**columns, "ids": list(seat_ids)},
        )
