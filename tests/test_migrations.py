"""Migrations: once, in order, whole or not at all, and safe when two start together."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pipeline.settings import settings
from sql.__main__ import MigrationError, load_demo, migrate


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
