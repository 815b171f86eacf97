"""A Postgres that says nothing is away soon: nobody waits for ever, and nobody waits behind them."""

from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic, sleep

import psycopg
import pytest
from psycopg import OperationalError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pipeline import connections
from pipeline.connections import Answering
from pipeline.settings import settings
from sql import read
from tests.journey.system import wait_for
from tests.lines import Line

ANSWER_S = 0.3
SOON_S = 3.0
"""Ten times that: a busy machine must not fail the test, and waiting for ever must."""


@pytest.fixture
def line() -> Iterator[Line]:
    """A line to Postgres that can be silenced."""
    port = conninfo_to_dict(settings().database_url)["port"]
    one = Line(int(str(port)))
    yield one
    one.close()


def through(line: Line, kind: type[Answering]) -> Answering:
    address = make_conninfo(settings().database_url, host="127.0.0.1", port=line.port)
    return kind.connect(address, autocommit=True, connect_timeout=3)


def test_a_silent_server_is_away_and_its_connection_is_closed(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answering, "answer_s", ANSWER_S)
    with through(line, Answering) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        line.way = "mute"
        begun = monotonic()
        with pytest.raises(OperationalError):
            connection.execute("SELECT 2")
        assert ANSWER_S <= monotonic() - begun < SOON_S
        assert connection.closed, "a late answer would be taken for another question's"


def test_what_the_server_refuses_closes_nothing(line: Line) -> None:
    with through(line, Answering) as connection:
        connection.execute("SET statement_timeout = 50")
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(5)")
        assert not connection.closed
        assert connection.execute("SELECT 3").fetchone() == (3,)


def test_pages_wait_three_seconds_at_most_and_the_server_ends_it_before() -> None:
    soon, statement_s = connections._limits("web")  # noqa: SLF001
    assert soon.answer_s <= 3.0
    assert statement_s < soon.answer_s
    for role, kind in (("web", connections.AnsweringSoon), ("pipeline", Answering)):
        with connections.pool(role).connection() as connection:  # type: ignore[arg-type]
            assert isinstance(connection, kind)


@pytest.mark.parametrize(
    ("state", "text", "away"),
    [
        ("XX000", 'could not extend file "base/1/2": File too large', True),
        ("XX000", 'could not write to log file "0001" at offset 8192', True),
        ("25006", "cannot execute INSERT in a read-only transaction", True),
        ("XX000", "tuple concurrently updated", False),
        ("XX001", "invalid page in block 3 of relation base/1/2", False),
    ],
)
def test_only_what_is_like_an_absence_is_answered_like_one(
    monkeypatch: pytest.MonkeyPatch, state: str, text: str, away: bool
) -> None:
    raising = f"DO $$ BEGIN RAISE EXCEPTION '{text}' USING ERRCODE = '{state}'; END $$"
    monkeypatch.setattr("sql.statement", lambda _: raising.encode())
    with psycopg.connect(settings().database_url, autocommit=True) as connection:
        expected = OperationalError if away else psycopg.InternalError
        with pytest.raises(expected):
            read(connection, "orders.waiting")


def ended(ours: connections.Pool) -> None:
    """Postgres ends what the pool keeps, as when it is restarted."""
    with ExitStack() as several:
        idle = [several.enter_context(ours.connection()) for _ in range(4)]
        pids = [one.info.backend_pid for one in idle]
    ends = "SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid"
    living = "SELECT 1 FROM pg_stat_activity WHERE pid = ANY (%s)"
    with psycopg.connect(settings().database_url, autocommit=True) as owner:
        owner.execute(ends, [pids])
        wait_for(lambda: not owner.execute(living, [pids]).fetchall(), 5, "they go on")


def failures(ours: connections.Pool) -> int:
    failed = 0
    for _ in range(8):
        try:
            with ours.connection() as connection:
                connection.execute("SELECT 1")
        except OperationalError:
            failed += 1
            sleep(0.5)
    return failed


def test_after_a_restart_only_the_first_finds_a_dead_connection() -> None:
    ours = connections.pool("web")
    ended(ours)
    assert failures(ours) <= 1


def test_a_pool_that_was_idle_has_no_dead_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 0.1)
    ours = connections._pool.__wrapped__("web", 8)  # noqa: SLF001  one of its own, watched so often
    try:
        sleep(0.5)  # nobody has used it yet
        ended(ours)
        sleep(1)
        assert failures(ours) == 0
    finally:
        ours.close()
