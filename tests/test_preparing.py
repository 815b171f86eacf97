"""What `make run` and `make setup` cannot go on with is said in one sentence, never a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pipeline import embedded, signing
from pipeline.embedded import LocalServiceError, wait_for_postgres, wait_for_redis
from pipeline.prepare import ROOT
from pipeline.settings import SettingError, load, settings
from pipeline.signing import TicketKeysError

KEY = {"id": 1, "private_key": "A" * 43 + "=", "not_before": "2020-01-01T00:00:00+00:00"}
LATER, OVER = "2090-01-01T00:00:00+00:00", "2021-01-01T00:00:00+00:00"


def said(folder: Path | str, environment: dict[str, str] | None = None, code: int = 1) -> str:
    """The one line with which `make setup` ends."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.prepare"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(folder), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    [line] = done.stderr.splitlines()
    assert done.returncode == code
    return line


@pytest.mark.parametrize("folder", ["/proc", "/proc/nowhere", "/" + "x" * 300])
def test_a_folder_that_nobody_can_write_to(folder: str) -> None:
    line = said(folder)
    assert line.startswith(f"DATA_DIR={folder} cannot be used (")
    assert line.endswith("): give a folder that you may write to.")


def test_a_folder_that_is_a_file() -> None:
    assert said("/etc/passwd") == (
        "DATA_DIR=/etc/passwd cannot be used (it is no folder): give a folder that you may write to."
    )


def test_a_file_of_settings_that_nobody_can_read(tmp_path: Path) -> None:
    (tmp_path / "run.env").write_bytes(b"SECRET_KEY=\xff\n")
    assert said(tmp_path, code=os.EX_CONFIG) == (
        f"{tmp_path}/run.env cannot be read (it is no text in UTF-8):"
        " mend it or its owner, or move it away."
    )


@pytest.mark.parametrize(
    "given",
    ["nonsense", "127.0.0.1", "localhost:0", "localhost:99999", "http://localhost:7000", "unix:", "::1:7000"],
)  # fmt: skip
def test_a_seatlock_that_grpc_could_not_listen_at(given: str) -> None:
    with pytest.raises(SettingError) as refused:
        load({"SEATLOCK_URL": given})
    assert str(refused.value) == (
        f"SEATLOCK_URL={given} makes no sense: give host:port, as in 127.0.0.1:7000, or unix:path."
    )


@pytest.mark.parametrize(
    "given",
    [
        "127.0.0.1:7000",
        "seatlock.prod.svc:7000",
        "dns:///seatlock:7000",
        "[::1]:7000",
        "unix:/run/s.sock",
    ],
)
def test_a_seatlock_that_it_could(given: str) -> None:
    assert load({"SEATLOCK_URL": given}).seatlock_url == given


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("DATABASE_URL", "postgresql://[::1/x"),
        ("REDIS_URL", "redis://localhost:99999/0"),
        ("BANK_URL", "http://localhost:x"),
        ("CORS_ORIGINS", "http://[::1"),
    ],
)
def test_an_address_that_is_cut_off(name: str, given: str) -> None:
    with pytest.raises(SettingError, match=f"^{name}=.* makes no sense: give (a whole|origins)"):
        load({name: given})


def test_several_hosts_of_postgres_are_an_address() -> None:
    assert load({"DATABASE_URL": "postgresql://a:1,b:2/x"}).database_url.endswith("a:1,b:2/x")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("REDIS_URL", "redis://default:hunter2"),
        ("BANK_URL", "http://ana:hunter2:x"),
        ("DATABASE_URL", "mysql://ana:hunter2@localhost/x"),
    ],
)
def test_no_password_of_a_refused_address_is_shown(name: str, given: str) -> None:
    with pytest.raises(SettingError, match=f"^{name}=.* makes no sense") as refused:
        load({name: given})
    assert "hunter2" not in str(refused.value)


def test_an_address_that_postgres_does_not_understand(tmp_path: Path) -> None:
    given = "postgresql://ana:hunter2@127.0.0.1:1/x"
    assert said(tmp_path, {"DATABASE_URL": f"{given}?schema=public"}) == (
        'DATABASE_URL makes no sense to Postgres (invalid URI query parameter: "schema"):'
        " give postgresql://user:password@host:port/database."
    )
    assert said(tmp_path, {"DATABASE_URL_WEB": f"{given}?schema=public"}).startswith(
        'DATABASE_URL_WEB makes no sense to Postgres (invalid URI query parameter: "schema"): give '
    )
    with pytest.raises(LocalServiceError) as refused:
        wait_for_postgres(given.replace("2@", "%zz@"))
    assert "hunter" not in str(refused.value)


def test_an_address_that_redis_does_not_understand() -> None:
    for given, sentence in (
        (f"{settings().redis_url}?nobody=1", "REDIS_URL makes no sense: give redis://"),
        (settings().redis_url.replace("/0", "/12345"), "Redis does not answer: start it, or mend"),
    ):
        with pytest.raises(LocalServiceError, match=f"^{sentence}"):
            wait_for_redis(given, seconds=0)


def test_a_postgres_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "POSTGRES_MIN", 99)
    with pytest.raises(LocalServiceError) as refused:
        wait_for_postgres(settings().database_url)
    assert str(refused.value) == (
        "The Postgres of DATABASE_URL is release 18: give the address of one of release 99 or newer."
    )


@pytest.fixture
def modest() -> Iterator[str]:
    """The address of a database of its own, for a login that may make no roles."""
    name = f"modest_{os.getpid()}"
    with psycopg.connect(settings().database_url, autocommit=True) as server:
        server.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'modest'".encode())
        server.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
        host = f"127.0.0.1:{settings().postgres_port}"
        yield f"postgresql://{name}:modest@{host}/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        server.execute(f"DROP ROLE {name}".encode())


@pytest.fixture
def empty(modest: str) -> str:
    """The same database for a login that may do everything."""
    return settings().database_url.rpartition("/")[0] + "/" + modest.rpartition("/")[2]


def test_a_login_that_may_not_make_roles(tmp_path: Path, modest: str) -> None:
    where = {"DATABASE_URL": modest, "REDIS_URL": settings().redis_url}
    assert said(tmp_path, where) == (
        "The database cannot be brought up to date (permission denied to create role): make the"
        " database its login's own, and give that CREATEROLE or, where the roles are there already,"
        " grant it web, pipeline and seatlock."
    )


def test_a_database_that_holds_something_else(tmp_path: Path, empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA orders")
    line = said(tmp_path, {"DATABASE_URL": empty, "REDIS_URL": settings().redis_url})
    assert line.endswith("already exists): give an empty database of our own.")


def test_keys_in_a_folder_that_is_not_there() -> None:
    with pytest.raises(TicketKeysError) as refused:
        signing.ensure(Path("/no/such/folder/k.json"))
    assert str(refused.value) == (
        "TICKET_KEYS=/no/such/folder/k.json cannot be used (No such file or directory):"
        " give a file in a folder that is there and yours."
    )


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"keys": []}',
        json.dumps({"keys": [{**KEY, "not_after": LATER, "private_key": "x"}]}),
        json.dumps({"keys": [{**KEY, "not_after": LATER[:19]}]}),
        json.dumps({"keys": [{**KEY, "not_after": LATER, "id": 256}]}),
        json.dumps({"keys": [{**KEY, "not_after": OVER}]}),
    ],
)
def test_keys_that_could_sign_nothing(tmp_path: Path, text: str) -> None:
    """Else every paid order would end as a dead letter."""
    path = tmp_path / "k.json"
    path.write_text(text)
    with pytest.raises(TicketKeysError, match=f"^TICKET_KEYS={path} holds no key that is in force"):
        signing.ensure(path)
    assert path.read_text() == text


def test_keys_of_ones_own_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    path.write_text(json.dumps({"keys": [{**KEY, "not_after": LATER}]}))
    signing.ensure(path)


def test_a_start_says_which_file_of_keys_is_broken(tmp_path: Path, empty: str) -> None:
    keys = tmp_path / "k.json"
    keys.write_text("{")
    where = {"DATABASE_URL": empty, "REDIS_URL": settings().redis_url}
    assert said(tmp_path, {**where, "TICKET_KEYS": str(keys)}) == (
        f"TICKET_KEYS={keys} holds no key that is in force:"
        " put the file back from a backup, or give another."
    )
