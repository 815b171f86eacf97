"""A backup into another database of the same server, and what is refused with a sentence."""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from pipeline.settings import settings
from tests.halls import hall, owner
from tests.stations import bought, forget_everything, run_all

pytestmark = pytest.mark.usefixtures("clean")

OTHER = "ticketbuster_restored"
COUNTED = "SELECT (SELECT count(*) FROM orders.tickets), (SELECT count(*) FROM catalog.seats), (SELECT count(*) FROM orders.history)"


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.backup", *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def empty() -> Iterator[str]:
    """The address of a database of one's own, whose user has another name than ours."""
    parts = urlsplit(settings().database_url)
    with owner() as connection:
        connection.execute("CREATE ROLE somebody LOGIN SUPERUSER PASSWORD 'somebody'")
        connection.execute(f"CREATE DATABASE {OTHER} OWNER somebody".encode())
        yield f"postgresql://somebody:somebody@{parts.hostname}:{parts.port}/{OTHER}"
        connection.execute(f"DROP DATABASE {OTHER} WITH (FORCE)".encode())
        connection.execute("DROP ROLE somebody")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file: Path = tmp_path_factory.mktemp("saved") / "backup.tar"
    forget_everything()
    bought(hall())
    run_all()
    with owner() as connection:
        counted = connection.execute(COUNTED.encode()).fetchone()
    (file.parent / "counted").write_text(repr(counted))
    code, said = run("save", str(file))
    assert code == 0, said
    assert "keep it as you keep the keys" in said
    return file


def test_a_database_of_ones_own_has_everything_again(
    saved: Path, empty: str, tmp_path: Path
) -> None:
    code, said = run("load", str(saved), DATA_DIR=str(tmp_path / "new"), DATABASE_URL=empty)
    assert code == 0, said
    with psycopg.connect(empty) as after:
        counted = after.execute(COUNTED.encode()).fetchone()
        assert repr(counted) == (saved.parent / "counted").read_text()
        assert counted
        assert counted[::2] == (1, 3)
        code_kept = after.execute(
            "SELECT count(*) FROM orders.tickets WHERE code IS NOT NULL"
        ).fetchone()
        assert code_kept != (0,)
        # Who may do what came along, for tables to come, too.
        after.execute("CREATE TABLE orders.later (id bigint)")
        may = "SELECT has_table_privilege('pipeline', %s, 'DELETE')"
        for table in ("orders.later", "orders.outbox"):
            assert after.execute(may, [table]).fetchone() == (True,)
        after.execute("SET ROLE web")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            after.execute("DELETE FROM orders.tickets")
    keys = settings().data_dir / "ticket-keys.json"
    assert (tmp_path / "new/ticket-keys.json").read_bytes() == keys.read_bytes()
    assert (tmp_path / "new/run.env").stat().st_mode & 0o077 == 0


def test_nobody_else_may_read_it(saved: Path) -> None:
    assert saved.stat().st_mode & 0o077 == 0


def test_what_is_there_already_is_not_overwritten(saved: Path, tmp_path: Path, empty: str) -> None:
    here = tmp_path / "here"
    code, said = run("load", str(saved), DATA_DIR=str(here), DATABASE_URL=settings().database_url)
    assert (code, "The database is not empty" in said) == (1, True)
    assert [one.name for one in here.iterdir()] == ["run.lock"], "the next try finds it as it was"
    (here / "ticket-keys.json").write_text("mine")
    code, said = run("load", str(saved), DATA_DIR=str(here), DATABASE_URL=empty)
    assert (code, (here / "ticket-keys.json").read_text()) == (1, "mine")
    (tmp_path / "used/postgres").mkdir(parents=True)
    code, said = run("load", str(saved), DATA_DIR=str(tmp_path / "used"))
    assert (code, "is not empty" in said) == (1, True)


def test_what_is_no_backup_is_refused(tmp_path: Path, saved: Path, empty: str) -> None:
    (tmp_path / "text").write_text("no tar")
    (tmp_path / "half").write_bytes(saved.read_bytes()[:5000])
    with tarfile.open(tmp_path / "other", "w") as tar:
        tar.add(tmp_path / "text", "text")
    for number, name in enumerate(("nowhere", "text", "half", "other")):
        folder = tmp_path / f"data-{number}"
        code, said = run("load", str(tmp_path / name), DATA_DIR=str(folder), DATABASE_URL=empty)
        assert code == 1
        assert "backup" in said
        assert "Traceback" not in said
    assert run("save", str(tmp_path / "x"), DATA_DIR=str(tmp_path / "none"))[0] == 1
    assert "Say what to do" in run("burn")[1]
