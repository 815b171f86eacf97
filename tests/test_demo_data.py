"""The demo season: enough of everything, ahead of today, and nothing that the rules forbid."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pipeline.settings import settings
from sql.__main__ import migrate
from web.listing import CATEGORIES

SQL = Path(__file__).parent.parent / "sql"
LOADING_S_MAX = 5.0
"""Of the server's processor: what else runs on the machine does not count."""


Season = psycopg.Connection[Any]

MINE = """
    CREATE TEMPORARY TABLE mine AS
    SELECT events.*, counted.*, (starts_at AT TIME ZONE 'America/Lima') AS starts
      FROM catalog.events, LATERAL (
               SELECT count(*) AS seats, max(price) AS highest,
                      count(*) FILTER (WHERE seats.status = 'AVAILABLE') AS free
                 FROM catalog.seats WHERE seats.event_id = events.id) AS counted"""

OF_EACH_EVENT = "FROM catalog.seats JOIN mine ON mine.id = event_id GROUP BY event_id"


@pytest.fixture(scope="module")
def season() -> Iterator[Season]:
    """The demo data in a database of its own, as a first start loads it; its events: `mine`."""
    address = settings().database_url
    name = f"demo_data_{os.getpid()}"
    with psycopg.connect(address, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        try:
            own = make_conninfo(address, dbname=name)
            migrate(own)
            with psycopg.connect(own, autocommit=True) as connection:
                server_process = psutil.Process(connection.info.backend_pid)
                with connection.transaction():
                    connection.execute((SQL / "demo_data.sql").read_bytes())
                spent = server_process.cpu_times()
                assert 0 < spent.user + spent.system < LOADING_S_MAX
                connection.execute(MINE)
                yield connection
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def count(season: Season, of: str) -> int:
    """How many rows there are of something."""
    row = season.execute(f"SELECT count(*) FROM {of}".encode()).fetchone()
    assert row
    return int(row[0])


def test_the_season_has_over_sixty_events_of_all_categories(season: Season) -> None:
    assert count(season, "mine") == count(season, "mine WHERE id <= 67") == 67
    for category in CATEGORIES:
        assert count(season, f"mine WHERE category = '{category}'") >= 8


def test_all_but_the_one_that_is_past_are_ahead_of_today(season: Season) -> None:
    tomorrow = "(now() AT TIME ZONE 'America/Lima')::date + 1"
    assert count(season, f"mine WHERE starts < {tomorrow}") == 1
    assert count(season, "mine WHERE ends_at < now()") == 1
    assert count(season, "mine WHERE extract(hour FROM starts) < 6") == 0


def test_halls_hold_60_to_10000_seats_in_sections_of_at_most_500(season: Season) -> None:
    assert season.execute("SELECT min(seats), max(seats) FROM mine").fetchone() == (60, 10_000)
    large = f"(SELECT {OF_EACH_EVENT}, section_number HAVING count(*) > 500) AS large"
    assert count(season, large) == 0
    dear = f"(SELECT {OF_EACH_EVENT} HAVING count(DISTINCT price) > 1) AS priced_apart"
    assert count(season, dear) >= 50


def test_each_special_case_is_there_to_be_looked_at(season: Season) -> None:
    assert count(season, "mine WHERE free = 0") == 1
    assert count(season, "mine WHERE free > 0 AND free < seats * 0.05") >= 3
    assert count(season, "mine WHERE highest = 0") == 1
    assert count(season, "mine WHERE sales_end_at < now() AND starts_at > now()") == 1
    assert count(season, "mine WHERE sales_end_at > starts_at") == 1


def test_rank_and_position_count_every_seat_once(season: Season) -> None:
    ranks = "count(DISTINCT rank) <> count(*) OR min(rank) <> 1 OR max(rank) <> count(*)"
    assert count(season, f"(SELECT {OF_EACH_EVENT} HAVING {ranks}) AS wrong") == 0
    positions = "min(position) <> 0 OR max(position) <> count(*) - 1"
    assert (
        count(season, f"(SELECT {OF_EACH_EVENT}, section_number HAVING {positions}) AS wrong") == 0
    )


def test_wheelchairs_have_a_place_in_every_hall(season: Season) -> None:
    assert count(season, f"(SELECT {OF_EACH_EVENT} HAVING bool_or(accessible)) AS open") == count(
        season, "mine"
    )


@pytest.mark.parametrize("weeks", [2, 9, 30])
def test_a_season_that_is_over_begins_anew_but_for_what_was_bought(
    season: Season, weeks: int
) -> None:
    """Weeks later, at the next start: the same weekdays and hours, ahead of today again."""
    local = "to_char(starts_at AT TIME ZONE 'America/Lima', 'ID HH24:MI')"
    listed = (
        f"SELECT title, {local}, ends_at > now(), sales_end_at < now(), ends_at - starts_at"
        " FROM catalog.events ORDER BY id"
    )
    fields = ("starts_at", "ends_at", "sales_end_at")
    earlier = ", ".join(
        f"{field} = {field} - interval '{24 * 7 * weeks} hours'" for field in fields
    )
    renew = (SQL / "demo_dates.sql").read_bytes()
    with season.transaction(force_rollback=True):
        before = season.execute(listed.encode()).fetchall()
        season.execute(f"UPDATE catalog.events SET {earlier}".encode())
        season.execute(
            b"INSERT INTO orders.orders (order_uuid, buyer, event_id, total_amount, currency)"
            b" SELECT gen_random_uuid(), 'ana', id, 1, 'PEN' FROM catalog.events"
            b" WHERE title = 'Susurros del Ande'"
        )
        assert season.execute(renew).fetchall()
        after = season.execute(listed.encode()).fetchall()
        for then, now in zip(before, after, strict=True):
            if then[0] == "Susurros del Ande":
                assert now[2] is False
            elif then[0].startswith("Observación de aves"):
                assert (now[2:], now[1][2:]) == (then[2:], then[1][2:])
            else:
                assert now == then
        assert season.execute(renew).fetchall() == []
