"""`make setup` and `make run`: everything that must be true before the Procfile's processes start.

`python -m pipeline.prepare` prepares; with `run` it prepares, then becomes honcho.
Each step can be repeated, so a first start that was cut off is finished by the next.
"""

import fcntl
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from time import monotonic, sleep

import psutil
import psycopg

from pipeline import signing
from pipeline.doors import in_use, is_free
from pipeline.embedded import (
    LocalServiceError,
    must_be_understood,
    wait_for_postgres,
    wait_for_redis,
)
from pipeline.local_services import postgres
from pipeline.settings import SettingError, file_values, settings
from sql.__main__ import MigrationError, load_demo, migrate, renew_demo

ROOT = Path(__file__).parent.parent
PORTS = ("WEB_PORT", "UPDATES_PORT", "SEATLOCK_PORT", "BANK_PORT", "POSTGRES_PORT", "REDIS_PORT")
PORTS_FROM, PORTS_TO, PORT_TRIES = 15_000, 32_000, 1_000
"""Below what Linux and others hand out for outgoing connections, above what browsers refuse."""
ALREADY_THERE = "42P0", "42710", "42723"
"""SQLSTATEs of a schema, a table or a function that somebody else made."""
SECRETS = ("SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD")
LEFTOVERS_S_MAX = 20.0
OUTSIDE_S_MAX = 15.0


class PrepareError(Exception):
    """The start cannot go on; the text is one sentence that says what to do."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses just now, nor will by accident.

    Those that the system hands out itself are also the near ends of everybody's connections: one of
    them may be taken in the moment in which a process is started anew. Raises OSError.
    """
    with ExitStack() as stack:
        found: list[int] = []
        for _ in range(PORT_TRIES):
            if len(found) == count:
                return found
            port = PORTS_FROM + secrets.randbelow(PORTS_TO - PORTS_FROM)
            one = stack.enter_context(socket.socket())
            with suppress(OSError):
                one.bind(("127.0.0.1", port))
                found.append(port)
    raise OSError("there are not enough free ports")


def write_run_env(data_dir: Path) -> None:
    """Write `run.env`: secrets once, and a free port for each process of ours.

    A port that somebody else took since the last time is replaced. The file appears whole.
    """
    path = data_dir / "run.env"
    known = file_values(path)
    values = {name: known.get(name) or secrets.token_urlsafe(32) for name in SECRETS}
    for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True):
        kept = known.get(name, "")
        values[name] = kept if kept.isdigit() and is_free(int(kept)) else str(port)
    making = path.with_name("run.env.new")
    making.touch(mode=0o600)
    making.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    making.rename(path)


def take_lock(data_dir: Path) -> int:
    """Be the only start in this DATA_DIR; gives the lock's file, which lives as long as honcho.

    Makes the folder where there is none; raises PrepareError where that cannot be, too. What a
    killed launcher left behind ends by itself within seconds, and is waited for.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(data_dir / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        why = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
        raise PrepareError(
            f"DATA_DIR={data_dir} cannot be used ({why}): give a folder that you may write to."
        ) from error
    deadline = monotonic() + LEFTOVERS_S_MAX
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(lock, 20, 0).decode() or "0"
            if psutil.pid_exists(int(owner)) or monotonic() > deadline:
                raise PrepareError(
                    f"TicketBuster already runs from {data_dir} (process {owner}):"
                    " stop it, or give another DATA_DIR."
                ) from None
            _say("  waiting for what an earlier start left behind …")
            sleep(1)
        else:
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            return lock


def step(number: int, text: str) -> None:
    """Tell what is done now and how far it is."""
    _say(f"[{number}/6] {text}")


def prepare(data_dir: Path) -> None:
    """Ports and secrets, database, schema, demo data, keys and demo accounts."""
    step(1, f"ports and secrets in {data_dir}")
    write_run_env(data_dir)
    settings.cache_clear()
    now = settings()
    if now.embedded_postgres:
        first = "" if (data_dir / "postgres").exists() else ", made for the first time"
        step(2, f"embedded Postgres{first}")
    else:
        step(2, "your Postgres (DATABASE_URL) and Redis")
    try:
        for role, url in now.database_urls.items():
            must_be_understood(f"DATABASE_URL_{role.upper()}", url)
        with postgres(now) if now.embedded_postgres else nullcontext():
            if not now.embedded_postgres:
                wait_for_postgres(now.database_url, seconds=OUTSIDE_S_MAX)
            if not now.embedded_redis:
                wait_for_redis(now.redis_url, seconds=OUTSIDE_S_MAX)
            step(3, "schema")
            _bring_up_to_date(now.database_url)
            if now.local_mode:
                step(4, "demo season and demo accounts")
                _bring_demo(now.database_url)
                _run("web.provider", "prepare")
            step(5, "keys that sign the tickets")
            signing.ensure(Path(now.ticket_keys))
        step(6, "service worker (the first time gets its packages, half a minute)")
        _run("web.offline_build")
    except (LocalServiceError, MigrationError, signing.TicketKeysError) as error:
        raise PrepareError(str(error)) from error


def _bring_up_to_date(database_url: str) -> None:
    """Raises PrepareError, MigrationError."""
    with _told():
        for name in migrate(database_url):
            _say(f"  applied {name}")


def _bring_demo(database_url: str) -> None:
    """Raises PrepareError."""
    with _told():
        if load_demo(database_url):
            _say("  loaded, with dates that count from today")
        elif again := renew_demo(database_url):
            _say(f"  {again} events that were over are ahead of today again")


@contextmanager
def _told() -> Iterator[None]:
    """What Postgres refuses as one sentence. Raises PrepareError."""
    try:
        yield
    except psycopg.Error as error:
        do = "mend that and start again"
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            do = (
                "make the database its login's own, and give that CREATEROLE or, where the roles"
                " are there already, grant it web, pipeline and seatlock"
            )
        if str(error.sqlstate).startswith(ALREADY_THERE):
            do = "give an empty database of our own"
        why = error.diag.message_primary or str(error).strip()
        raise PrepareError(f"The database cannot be brought up to date ({why}): {do}.") from error


def _run(module: str, *arguments: str) -> None:
    """A step that is web's: nothing here may import it."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, check=False)
    if done.returncode:
        raise PrepareError(f"`python -m {module}` did not succeed; its lines above say why.")


def start(port: int) -> None:
    """Become honcho, which starts the Procfile's processes."""
    step_line = f"starting the processes of the Procfile; first page in a moment on port {port}"
    _say(step_line)
    sys.stdout.flush()
    os.chdir(ROOT)
    binaries = Path(sys.executable).parent
    os.environ["PATH"] = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    os.environ["PYTHONUNBUFFERED"] = "1"
    os.environ.pop("PORT", None)
    # `-e /dev/null`: honcho lets `.env` win over the caller's environment; ours wins the other way.
    honcho = str(binaries / "honcho")
    os.execv(honcho, [honcho, "start", "-e", "/dev/null", "-p", str(port)])  # noqa: S606  no shell wanted


def main(arguments: list[str]) -> None:
    """Raises PrepareError, SettingError."""
    os.environ.update({**file_values(ROOT / ".env"), **os.environ})
    now = settings()
    running = arguments == ["run"]
    os.environ["DATA_DIR"] = str(now.data_dir)
    lock = take_lock(now.data_dir)
    if running and not is_free(now.port, both=True):
        raise PrepareError(in_use(now.port))
    prepare(now.data_dir)
    if running:
        os.set_inheritable(lock, True)
        start(now.port)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PrepareError as error:
        sys.exit(str(error))
    except SettingError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(os.EX_CONFIG)
