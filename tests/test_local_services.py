"""The embedded servers: one that dies is started again, alone, and not without an end."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import psutil
import psycopg
import pytest
import redis

from pipeline.local_services import ENDS_MAX
from pipeline.prepare import write_run_env
from pipeline.settings import Settings, load
from tests.journey.system import wait_for

START_S_MAX = 60
SEEN_S = 0.5
"""Until whoever started it has seen that it answers, too."""


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
        wait_for(lambda: answers(where), START_S_MAX, "they do not start")
        yield process, where
    finally:
        process.terminate()
        process.communicate(timeout=30)


def answers(where: Settings) -> bool:
    """Whether both answer."""
    try:
        with redis.Redis.from_url(where.redis_url, socket_timeout=2) as client:
            client.ping()
        psycopg.connect(where.database_url, connect_timeout=2).close()
    except (redis.RedisError, psycopg.OperationalError):
        return False
    return True


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
    wait_for(lambda: answers(where), START_S_MAX, f"{victim} is not back")
    assert server(process, victim) not in (None, died)
    assert server(process, other) == stayed


def test_one_that_does_not_stay_up_ends_with_a_sentence(
    local: tuple["subprocess.Popen[str]", Settings],
) -> None:
    process, where = local
    last = 0
    for _ in range(ENDS_MAX):

        def another(last: int = last) -> psutil.Process | None:
            found = server(process, "valkey-server")
            return found if found and found.pid != last and answers(where) else None

        now = wait_for(another, 20, "it is not started again")
        assert now
        sleep(SEEN_S)
        now.kill()
        last = now.pid
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"Redis ended {ENDS_MAX} times in a minute: its log in DATA_DIR says why." in said
