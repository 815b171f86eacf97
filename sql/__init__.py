"""Named queries: `read(connection, "events.page", ...)` runs the query `page` of `sql/events.sql`.

The only folder that knows table names. `python -m sql` applies the schema.
"""

from functools import cache
from pathlib import Path
from typing import Any

import aiosql
from psycopg import Connection

HERE = Path(__file__).parent

Row = Any
"""A named tuple with the query's columns (`row_factory` of pipeline.connections)."""


@cache
def statement(name: str) -> bytes:
    """The text of the query `file.query`, ready for psycopg's named parameters.

    Bytes, not str: psycopg then takes it for a constant of ours, which it is.
    """
    file, _, query = name.partition(".")
    return str(getattr(_queries(file), query).sql).encode()


@cache
def _queries(file: str) -> Any:
    return aiosql.from_path(HERE / f"{file}.sql", "psycopg", mandatory_parameters=False)


def read(connection: "Connection[Row]", name: str, /, **parameters: object) -> list[Row]:
    """Rows of a query that changes nothing."""
    return _run(connection, name, parameters)


def write(connection: "Connection[Row]", name: str, /, **parameters: object) -> list[Row]:
    """Run a statement that changes rows; gives what it RETURNs, so the caller can count it."""
    return _run(connection, name, parameters)


def _run(connection: "Connection[Row]", name: str, parameters: dict[str, object]) -> list[Row]:
    cursor = connection.execute(statement(name), parameters)
    return cursor.fetchall() if cursor.description else []
