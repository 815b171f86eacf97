"""`make backup` and `make restore`: everything that cannot be made again, in one file.

`python -m pipeline.backup save FILE` works while everything runs; `… load FILE` fills an empty
DATA_DIR, or an empty database at DATABASE_URL, before the first start. Redis is not in it: it is
filled again from Postgres.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pipeline.embedded import LocalServiceError, client_program, wait_for_postgres
from pipeline.local_services import postgres
from pipeline.prepare import PrepareError, take_lock, write_run_env
from pipeline.settings import Settings, file_values, settings
from sql.__main__ import applied

DUMP, LEDGER, ABOUT = "database.dump", "bank.sqlite3", "about.json"
FILES = ("run.env", "ticket-keys.json", "provider-key.pem")
"""What DATA_DIR has beside the two servers: secrets and keys. The ledger is copied page by page."""
FORMAT = 1
ROLES = """
DO $$
DECLARE role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['seatlock', 'pipeline', 'web'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
        IF NOT pg_has_role(current_user, role_name, 'SET') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', role_name);
        END IF;
    END LOOP;
END
$$"""
"""Roles belong to the server, not to the database, so no dump of a database has them."""
USAGE = "Say what to do: save FILE, or load FILE."


class BackupError(Exception):
    """It cannot be done; the text is one sentence that says why and what to do."""


def save(file: Path) -> str:
    """Write the backup; gives a sentence. Nothing appears at FILE before it is whole."""
    now = settings()
    if not (now.data_dir / FILES[0]).exists():
        raise BackupError(f"There is nothing to save in {now.data_dir}: give another DATA_DIR.")
    with tempfile.TemporaryDirectory(dir=file.absolute().parent) as name:
        room = Path(name)
        # The database first: whatever the ledger knows beyond it is asked for and found.
        with _running(now):
            _say("saving the database …")
            _program("pg_dump", now.database_url, "--format=custom", f"--file={room / DUMP}")
            with psycopg.connect(now.database_url, connect_timeout=3) as connection:
                migrations = applied(connection)
        _say("saving keys, secrets and the bank's ledger …")
        for one in FILES:
            if (now.data_dir / one).exists():
                shutil.copy2(now.data_dir / one, room / one)
        if (now.data_dir / LEDGER).exists():
            _copy_ledger(now.data_dir / LEDGER, room / LEDGER)
        about = {"format": FORMAT, "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
                 "migrations": migrations}  # fmt: skip
        (room / ABOUT).write_text(json.dumps(about))
        making = room / "whole"
        with tarfile.open(making, "w") as tar:
            for path in sorted(room.iterdir()):
                if path != making:
                    tar.add(path, path.name)
        # Secrets and keys are in it.
        making.chmod(0o600)
        making.rename(file)
    return f"Saved to {file}. It holds every secret: keep it as you keep the keys."


def load(file: Path) -> str:
    """Fill an empty DATA_DIR and an empty database from a backup; gives a sentence."""
    now = settings()
    now.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    take_lock(now.data_dir)
    if (now.data_dir / LEDGER).exists() or (now.data_dir / "postgres").exists():
        raise BackupError(f"{now.data_dir} is not empty: give a new DATA_DIR, or move it away.")
    with tempfile.TemporaryDirectory(dir=now.data_dir) as name:
        room = Path(name)
        about = _unpack(file, room)
        _say(f"a backup of {about['made_at']}: keys, secrets and the bank's ledger …")
        for one in (*FILES, LEDGER):
            if (room / one).exists():
                (room / one).rename(now.data_dir / one)
        # Its ports may be somebody else's here; its secrets stay.
        write_run_env(now.data_dir)
        settings.cache_clear()
        now = settings()
        with _running(now):
            _fill(now.database_url, room / DUMP)
    return "Restored. Start it as ever: what was under way goes on by itself."


def _fill(database_url: str, dump: Path) -> None:
    with psycopg.connect(database_url, autocommit=True, connect_timeout=3) as connection:
        if applied(connection):
            raise BackupError("The database is not empty: give the address of a new one.")
        connection.execute(ROLES)
    _say("filling the database …")
    _program(
        "pg_restore", database_url,
        "--exit-on-error", "--single-transaction", "--no-owner", str(dump),
    )  # fmt: skip


def _unpack(file: Path, room: Path) -> dict[str, object]:
    try:
        with tarfile.open(file) as tar:
            known = [DUMP, LEDGER, ABOUT, *FILES]
            tar.extractall(room, [one for one in tar if one.name in known], filter="data")
        about: dict[str, object] = json.loads((room / ABOUT).read_text())
    except FileNotFoundError as error:
        raise BackupError(f"There is no backup at {file}.") from error
    except (tarfile.TarError, OSError, ValueError) as error:
        raise BackupError(f"{file} is no backup, or not a whole one.") from error
    if about.get("format") != FORMAT or not (room / DUMP).exists():
        raise BackupError(f"{file} is no backup that this release can read.")
    return about


def _copy_ledger(source: Path, target: Path) -> None:
    """While the bank writes into it: SQLite's own copy is one moment of it."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@contextmanager
def _running(now: Settings) -> Iterator[None]:
    """The database answers: yours, the embedded one that runs, or that one for a moment."""
    if now.embedded_postgres and not _answers(now.database_url):
        with postgres(now):
            yield
        return
    wait_for_postgres(now.database_url, seconds=15)
    yield


def _answers(database_url: str) -> bool:
    try:
        psycopg.connect(database_url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def _program(name: str, database_url: str, *arguments: str) -> None:
    address = {name: str(one) for name, one in conninfo_to_dict(database_url).items()}
    # Anybody on the machine can read a command's words; its environment is ours alone.
    password = address.pop("password", "")
    done = subprocess.run(
        [client_program(name), f"--dbname={make_conninfo('', **address)}", *arguments],
        env={**os.environ, "PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise BackupError(f"{name} did not succeed: {said[-1]}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> str:
    """What is printed at the end. Raises BackupError, PrepareError, LocalServiceError."""
    os.environ.update({**file_values(Path(".env")), **os.environ})
    deeds: dict[str, Callable[[Path], str]] = {"save": save, "load": load}
    match arguments:
        case [deed, file] if deed in deeds:
            return deeds[deed](Path(file))
        case _:
            raise BackupError(USAGE)


if __name__ == "__main__":
    try:
        _say(main(sys.argv[1:]))
    except (BackupError, PrepareError, LocalServiceError) as error:
        sys.exit(str(error))
