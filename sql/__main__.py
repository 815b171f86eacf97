"""`python -m sql` applies the numbered migrations of `sql/schema/`, each once, in order."""

import hashlib
import re
import sys
from pathlib import Path
from typing import Any

import psycopg

HERE = Path(__file__).parent
MIGRATING = 0x7B_0001
"""The advisory lock that makes two first starts wait for each other."""


class MigrationError(Exception):
    """A migration cannot be applied; the text says which and why."""


def migrate(database_url: str, folder: Path = HERE / "schema") -> list[str]:
    """Apply what is missing and give the names of what was applied.

    Each file is one transaction together with the row that remembers it, so a start that was cut
    off goes on where it stopped. Raises MigrationError when an applied file has been edited since.
    """
    done: list[str] = []
    with psycopg.connect(database_url, autocommit=True, connect_timeout=10) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS public.migrations (name text PRIMARY KEY,"
            " digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        rows = connection.execute("SELECT name, digest FROM public.migrations").fetchall()
        known: dict[str, str] = dict(rows)
        for path in sorted(folder.glob("*.sql")):
            text = path.read_bytes()
            digest = hashlib.sha256(text).hexdigest()
            if path.name not in known:
                with connection.transaction():
                    connection.execute(text)
                    connection.execute(
                        "INSERT INTO public.migrations (name, digest) VALUES (%s, %s)",
                        [path.name, digest],
                    )
                done.append(path.name)
            elif known[path.name] != digest:
                sentence = (
                    f"{path.name} was changed after it was applied; write a new migration instead."
                )
                raise MigrationError(sentence)
    return done


def migrations(folder: Path = HERE / "schema") -> set[str]:
    """The names of those that this release has."""
    return {path.name for path in folder.glob("*.sql")}


def default_privileges(folder: Path = HERE / "schema") -> list[bytes]:
    """What they say of tables to come, statement by statement, for whoever runs them."""
    said = re.compile(rb"^ALTER DEFAULT PRIVILEGES [^;]*;", re.MULTILINE)
    return [
        found for path in sorted(folder.glob("*.sql")) for found in said.findall(path.read_bytes())
    ]


def applied(connection: psycopg.Connection[Any]) -> list[str]:
    """The names of the migrations that this database has; none in one that is not ours."""
    known = connection.execute("SELECT to_regclass('public.migrations') IS NOT NULL").fetchone()
    if not known or not known[0]:
        return []
    rows = connection.execute("SELECT name FROM public.migrations ORDER BY name").fetchall()
    return [name for (name,) in rows]


def load_demo(database_url: str, script: Path = HERE / "demo_data.sql") -> bool:
    """Load the demo season into an empty catalogue, whole or not at all; True when it did."""
    with psycopg.connect(database_url, connect_timeout=10) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATING])
        if connection.execute("SELECT 1 FROM catalog.events LIMIT 1").fetchone():
            return False
        connection.execute(script.read_bytes())
    return True


def renew_demo(database_url: str, script: Path = HERE / "demo_dates.sql") -> int:
    """Move what is over of the demo season ahead of today; gives how many events that were."""
    with psycopg.connect(database_url, connect_timeout=10) as connection:
        return len(connection.execute(script.read_bytes()).fetchall())


if __name__ == "__main__":
    # Here and not above: sql itself needs nothing of ours, only its command line does.
    from pipeline.settings import settings

    try:
        for name in migrate(settings().database_url):
            sys.stdout.write(f"applied {name}\n")
    except MigrationError as error:
        sys.exit(str(error))
