"""Named queries: `read(connection, "events.page", ...)` runs the query `page` of `sql/events.sql`.

The only folder that knows table names. `python -m sql` applies the schema.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import aiosql
from psycopg import Connection, InternalError, OperationalError
from psycopg.errors import FeatureNotSupported

HERE = Path(__file__).parent

Row = Any
"""A named tuple with the query's columns (`row_factory` of pipeline.connections)."""
OLD_PLAN = "cached plan must not change result type"
READ_ONLY = "25006"
NO_FILE = re.compile("could not (access|close|create|extend|fsync|open|read|truncate|write)")
"""What Postgres says of files, where the system's reason has no SQLSTATE of its own."""


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
    """Rows of a query that changes nothing. Raises OperationalError while Postgres cannot."""
    return _run(connection, name, parameters)


def write(connection: "Connection[Row]", name: str, /, **parameters: object) -> list[Row]:
    """Run a statement that changes rows; gives what it RETURNs, so the caller can count it.

    Raises OperationalError while Postgres cannot.
    """
    return _run(connection, name, parameters)


def _executed(connection: "Connection[Row]", name: str, parameters: dict[str, object]) -> Any:
    """Run it, prepared as psycopg sees fit. A plan from before a column was added is made anew.

    A release goes on while the next one's migrations expand the tables below it.
    """
    try:
        return connection.execute(statement(name), parameters)
    except FeatureNotSupported as error:
        if OLD_PLAN not in str(error) or not connection.autocommit:
            raise
        connection.execute("DEALLOCATE ALL")
        return connection.execute(statement(name), parameters)


def _run(connection: "Connection[Row]", name: str, parameters: dict[str, object]) -> list[Row]:
    try:
        cursor = _executed(connection, name, parameters)
    except InternalError as error:
        if error.sqlstate != READ_ONLY and not NO_FILE.search(str(error)):
            raise
        # It is as good as away: whoever waits or tries again for that does so for this.
        raise OperationalError(str(error)) from error
    return cursor.fetchall() if cursor.description else []
