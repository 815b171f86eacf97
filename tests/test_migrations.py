"""Migrations: once, in order, whole or not at all, and safe when two start together."""

import os
import re
from collections.abc import Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pipeline import prepare
from pipeline.settings import settings
from sql import read
from sql.__main__ import MigrationError, load_demo, migrate

EXPANDS_FROM = "012"
"""The first that must. Those before were applied while nobody had two releases side by side."""
TAKES_AWAY = re.compile(
    r"\b(DROP\s|RENAME\b|SET\s+NOT\s+NULL|ALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b|REVOKE\b|DELETE\b"
    r"|ADD\s+CONSTRAINT\b|CREATE\s+UNIQUE\s+INDEX\b|ADD\s+(COLUMN\s+)?\w+\s[^,;]*NOT\s+NULL(?![^,;]*DEFAULT)"
    r")",
    re.IGNORECASE,
)
AFTER = re.compile(r"^-- contracts: (\d{3})$", re.MULTILINE)
"""Says which earlier migration of a release before made this possible."""


@pytest.fixture
def database() -> Iterator[str]:
    """An empty database of this test's own."""
    name = f"migrations_{os.getpid()}"
    with psycopg.connect(settings().database_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        yield make_conninfo(settings().database_url, dbname=name)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_each_is_applied_once_and_in_order(database: str, tmp_path: Path) -> None:
    (tmp_path / "002_b.sql").write_text("INSERT INTO a VALUES (2)")
    (tmp_path / "001_a.sql").write_text("CREATE TABLE a (n int)")
    assert migrate(database, tmp_path) == ["001_a.sql", "002_b.sql"]
    assert migrate(database, tmp_path) == []


def test_two_that_start_together_apply_each_once(database: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(lambda _: migrate(database), range(4)))
    assert sum(map(len, applied)) == len(max(applied, key=len)) >= 5


def test_one_that_fails_leaves_nothing_and_the_next_start_goes_on(
    database: str, tmp_path: Path
) -> None:
    (tmp_path / "001_a.sql").write_text("CREATE TABLE a (n int)")
    (tmp_path / "002_b.sql").write_text("CREATE TABLE b (n int); SELECT 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(database, tmp_path)
    (tmp_path / "002_b.sql").write_text("CREATE TABLE b (n int)")
    assert migrate(database, tmp_path) == ["002_b.sql"]


def test_an_applied_file_is_never_edited(database: str, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text("CREATE TABLE a (n int)")
    migrate(database, tmp_path)
    (tmp_path / "001_a.sql").write_text("CREATE TABLE a (n bigint)")
    with pytest.raises(MigrationError, match=r"001_a\.sql was changed"):
        migrate(database, tmp_path)


def test_the_demo_season_is_loaded_once(database: str) -> None:
    migrate(database)
    assert load_demo(database)
    assert not load_demo(database)


def test_a_later_start_brings_a_season_that_is_over_back(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate(database)
    prepare._bring_demo(database)  # noqa: SLF001  the step of a start
    assert "loaded" in capsys.readouterr().out
    with psycopg.connect(database) as connection:
        connection.execute(
            "UPDATE catalog.events SET starts_at = starts_at - interval '1000 days',"
            " ends_at = ends_at - interval '1000 days', sales_end_at = NULL"
        )
    prepare._bring_demo(database)  # noqa: SLF001
    assert "66 events that were over are ahead of today again" in capsys.readouterr().out


def unfit(name: str, text: str, known: Container[str]) -> str:
    """What the release before could not live with, unless the file says that it need not."""
    said = AFTER.search(text)
    contracts = said is not None and said[1] in known and said[1] < name[:3]
    found = TAKES_AWAY.search(text)
    return "" if found is None or contracts else found[0]


def test_the_release_before_can_live_with_each() -> None:
    """First expand, and take away in a later release: old and new run side by side meanwhile."""
    files = {path.name: path.read_text() for path in Path("sql/schema").glob("*.sql")}
    assert {
        name: unfit(name, text, {other[:3] for other in files})
        for name, text in files.items()
        if name >= EXPANDS_FROM and unfit(name, text, {other[:3] for other in files})
    } == {}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("ALTER TABLE a ADD COLUMN b text;", True),
        ("ALTER TABLE a ADD COLUMN b text NOT NULL DEFAULT '';", True),
        ("ALTER TABLE a ADD COLUMN b text NOT NULL;", False),
        ("ALTER TABLE a DROP COLUMN b;", False),
        ("-- contracts: 012\nALTER TABLE a DROP COLUMN b;", True),
        ("-- contracts: 014\nALTER TABLE a DROP COLUMN b;", False),
        ("-- contracts: 011\nALTER TABLE a DROP COLUMN b;", False),
        ("ALTER TABLE a DROP b;", False),
        ("ALTER TABLE a ADD b text NOT NULL;", False),
        ("ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0);", False),
        ("CREATE UNIQUE INDEX c ON a (b);", False),
        ("CREATE INDEX c ON a (b);", True),
        ("DELETE FROM a;", False),
        ("ALTER TABLE a RENAME COLUMN b TO c;", False),
        ("ALTER TABLE a ALTER COLUMN b SET NOT NULL;", False),
        ("ALTER TABLE a ALTER COLUMN b TYPE bigint;", False),
    ],
)
def test_what_it_could_not_live_with_is_found(text: str, fits: bool) -> None:
    assert (unfit("014_x.sql", text, {"012", "013"}) == "") is fits


def test_statements_that_are_in_use_go_on_over_a_new_column(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sql.statement", lambda _: b"SELECT * FROM a")
    with psycopg.connect(database, autocommit=True, prepare_threshold=1) as connection:
        connection.execute("CREATE TABLE a AS SELECT 1 AS n")
        for _ in range(3):
            assert read(connection, "x") == [(1,)]
        with psycopg.connect(database, autocommit=True) as another:
            another.execute("ALTER TABLE a ADD COLUMN m int DEFAULT 2")
        for _ in range(3):
            assert read(connection, "x") == [(1, 2)]
