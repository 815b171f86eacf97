"""The small cache: one reads for many, and what was read last outlives an absent Postgres."""

from collections.abc import Iterator

import psycopg
import pytest

from web.recent import Recent, forget


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    forget()
    yield
    forget()


def test_what_was_read_last_is_shown_while_postgres_is_away() -> None:
    recent: Recent[str] = Recent(0, 2)
    away = psycopg.OperationalError("the connection was refused")

    def fails() -> str:
        raise away

    assert recent.get("list", lambda: "yesterday").value == "yesterday"
    kept = recent.get("list", fails)
    assert (kept.value, kept.stale) == ("yesterday", True)
    assert recent.fresh("list", lambda: "never asked").stale is True
    with pytest.raises(psycopg.OperationalError, match="did not answer"):
        recent.get("another", fails)


def test_the_same_is_read_once_for_as_long_as_it_is_recent() -> None:
    recent: Recent[int] = Recent(60, 2)
    readings = iter(range(9))

    assert [recent.get("a", lambda: next(readings)).value for _ in range(3)] == [0, 0, 0]
    assert recent.fresh("a", lambda: next(readings)).value == 1
    assert recent.get("a", lambda: next(readings)).value == 1


def test_no_more_is_kept_than_the_limit() -> None:
    recent: Recent[str] = Recent(60, 2)
    for key in ("a", "b", "c"):
        recent.get(key, lambda: "first")

    assert recent.get("a", lambda: "again").value == "again"
    assert recent.get("c", lambda: "again").value == "first"
