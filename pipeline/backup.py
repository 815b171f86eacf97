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
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pipeline.bank.ledger import Ledger, RefundFailedError
from pipeline.embedded import (
    LocalServiceError,
    client_program,
    embedded_lives,
    wait_for_postgres,
)
from pipeline.local_services import postgres
from pipeline.prepare import PrepareError, take_lock, write_run_env
from pipeline.settings import SettingError, Settings, file_values, settings
from sql import read, write
from sql.__main__ import applied, default_privileges, migrations

DUMP, LEDGER, ABOUT = "database.dump", "bank.sqlite3", "about.json"
FILES = ("run.env", "ticket-keys.json", "provider-key.pem")
"""What DATA_DIR has beside the two servers: secrets and keys. The ledger is copied page by page."""
FORMAT = 1
REFUND_TRIES = 3
TAKEN = ("authorised", "pending", "captured")
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
    if not Path(now.ticket_keys).exists():
        raise BackupError(f"The ticket keys are not at {now.ticket_keys}: mend TICKET_KEYS.")
    with tempfile.TemporaryDirectory(dir=file.absolute().parent) as name:
        room = Path(name)
        # The database first: whatever the ledger knows beyond it is asked for and found.
        with _running(now):
            _say("saving the database …")
            _program("pg_dump", now.database_url, "--format=custom", f"--file={room / DUMP}")
            with psycopg.connect(now.database_url, connect_timeout=3) as connection:
                known = applied(connection)
        _say("saving keys, secrets and the bank's ledger …")
        for one, place in _files(now).items():
            if place.exists():
                shutil.copy2(place, room / one)
        if (now.data_dir / LEDGER).exists():
            _copy_ledger(now.data_dir / LEDGER, room / LEDGER)
        about = {"format": FORMAT, "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
                 "migrations": known}  # fmt: skip
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
    take_lock(now.data_dir)
    own = [*_files(now).values(), now.data_dir / LEDGER, now.data_dir / "postgres"]
    if any(one.exists() for one in own):
        raise BackupError(f"{now.data_dir} is not empty: give a new DATA_DIR, or move it away.")
    with tempfile.TemporaryDirectory(dir=now.data_dir) as name:
        room = Path(name)
        about = _unpack(file, room)
        if not now.embedded_postgres:
            _must_be_empty(now.database_url)
        _say(f"a backup of {about['made_at']}: keys, secrets and the bank's ledger …")
        try:
            _put(now, room)
            # Its ports may be somebody else's here; its secrets stay.
            write_run_env(now.data_dir)
            settings.cache_clear()
            with _running(settings()):
                _fill(settings().database_url, room)
                undone = _reconcile(settings())
        except BaseException:
            # Half of it would look like the whole to the next start.
            for one in own:
                shutil.rmtree(one) if one.is_dir() else one.unlink(missing_ok=True)
            raise
    told = f" {undone} payments were younger than it, and are given back." if undone else ""
    return f"Restored.{told} Start it as ever: what was under way goes on by itself."


def _files(now: Settings) -> dict[str, Path]:
    """Where each file is; the ticket keys may lie elsewhere."""
    places = {one: now.data_dir / one for one in FILES}
    return {**places, "ticket-keys.json": Path(now.ticket_keys)}


def _put(now: Settings, room: Path) -> None:
    for one, place in {**_files(now), LEDGER: now.data_dir / LEDGER}.items():
        if (room / one).exists():
            shutil.copy2(room / one, place)


def _must_be_empty(database_url: str) -> None:
    wait_for_postgres(database_url, seconds=15)
    with psycopg.connect(database_url, connect_timeout=3) as connection:
        if applied(connection):
            raise BackupError("The database is not empty: give the address of a new one.")


def _fill(database_url: str, room: Path) -> None:
    with psycopg.connect(database_url, autocommit=True, connect_timeout=3) as connection:
        connection.execute(ROLES)
    _say("filling the database …")
    dump, contents = str(room / DUMP), room / "contents"
    # What a role may do with tables to come is said for the role that made the backup, which may
    # have another name here; our own schema says it again.
    listed = _program("pg_restore", "", "--list", dump).splitlines()
    contents.write_text("\n".join(one for one in listed if " DEFAULT ACL " not in one))
    _program(
        "pg_restore", database_url, "--exit-on-error", "--single-transaction", "--no-owner",
        f"--use-list={contents}", dump,
    )  # fmt: skip
    with psycopg.connect(database_url, autocommit=True, connect_timeout=3) as connection:
        for statement in default_privileges():
            connection.execute(statement)


def _reconcile(now: Settings) -> int:
    """Bring together rows and a ledger that is a little younger; gives how much had to be mended.

    What it took for purchases that the rows do not know goes back; what it gave back since is
    called off. (A bank that is not ours has to be told by its own means.)
    """
    if not (now.data_dir / LEDGER).exists():
        return 0
    ledger = Ledger(now.data_dir / LEDGER)
    payments = {payment["key"]: payment["state"] for payment in ledger.payments()}
    with psycopg.connect(now.database_url, connect_timeout=3) as connection:
        known = {str(key) for (key,) in read(connection, "purchases.known")}
        unknown = [key for key in payments if key not in known and payments[key] in TAKEN]
        for key in unknown:
            if ledger.void(key) == "captured":
                _refund(ledger, key)
        back = [key for key, state in payments.items() if state == "refunded"]
        return len(unknown) + len(write(connection, "orders.call_off", order_uuids=back))


def _refund(ledger: Ledger, key: str) -> None:
    for _ in range(REFUND_TRIES):
        with suppress(RefundFailedError):
            ledger.refund(key)
            return


def _unpack(file: Path, room: Path) -> dict[str, Any]:
    try:
        with tarfile.open(file) as tar:
            known = [DUMP, LEDGER, ABOUT, *FILES]
            tar.extractall(room, [one for one in tar if one.name in known], filter="data")
        about: dict[str, Any] = json.loads((room / ABOUT).read_text())
    except FileNotFoundError as error:
        raise BackupError(f"There is no backup at {file}.") from error
    except (tarfile.TarError, OSError, ValueError) as error:
        raise BackupError(f"{file} is no backup, or not a whole one.") from error
    newer = set(about.get("migrations", ())) - migrations()
    if about.get("format") != FORMAT or newer or not (room / DUMP).exists():
        raise BackupError(f"{file} is no backup that this release can read.")
    return about


def _copy_ledger(source: Path, target: Path) -> None:
    """While the bank writes into it: SQLite's own copy is one moment of it."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@contextmanager
def _running(now: Settings) -> Iterator[None]:
    """The database answers: yours, the embedded one that runs, or that one for a moment."""
    if now.embedded_postgres and not _answers(now.database_url) and not embedded_lives(now):
        with postgres(now):
            yield
        return
    # One that has just been started, or is busy, is waited for and not started a second time.
    wait_for_postgres(now.database_url, seconds=15)
    yield


def _answers(database_url: str) -> bool:
    try:
        psycopg.connect(database_url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def _program(name: str, database_url: str, *arguments: str) -> str:
    """Run it; gives what it printed. Raises BackupError."""
    address = {part: str(one) for part, one in conninfo_to_dict(database_url).items()}
    # Anybody on the machine can read a command's words; its environment is ours alone.
    password = address.pop("password", "")
    where = [f"--dbname={make_conninfo('', **address)}"] if address else []
    done = subprocess.run(
        [client_program(name), *where, *arguments],
        env={**os.environ, "PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise BackupError(f"{name} did not succeed: {said[-1]}")
    return done.stdout


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> str:
    """What is printed at the end.

    Raises BackupError, PrepareError, LocalServiceError, SettingError.
    """
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
    except (BackupError, PrepareError, LocalServiceError, SettingError) as error:
        sys.exit(str(error))
