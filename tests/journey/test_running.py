"""`make run` as people use it: started twice, started beside another, interrupted, killed, misconfigured."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from pipeline import embedded
from pipeline.doors import is_free
from pipeline.local_services import postgres
from pipeline.prepare import ROOT, free_ports, write_run_env
from pipeline.settings import file_values, load
from tests.journey.system import is_ready, running, stop, wait_for

ENDED_S_MAX = 15


def leftovers(folder: Path) -> list[str]:
    """Processes that belong to this DATA_DIR."""
    found = []
    for process in psutil.process_iter(["environ", "cmdline"]):
        environment = process.info["environ"] or {}
        command = " ".join(process.info["cmdline"] or [])
        if process.pid != os.getpid() and (
            environment.get("DATA_DIR") == str(folder) or str(folder) in command
        ):
            found.append(command)
    return found


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`make run` that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline.prepare", "run"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_killed_launcher_leaves_nothing_that_the_next_start_cannot_clear(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        keyring = file_values(tmp_path / "run.env")["SECRET_KEY"]
        first.launcher.kill()
        first.launcher.wait()
        begun = monotonic()
        # At once, while everything of the first still runs.
        with running(tmp_path) as second:
            assert monotonic() - begun < 60
            assert is_ready(second.address)
            log = tmp_path / "run.log"
            wait_for(lambda: f"serves {second.address}" in log.read_text(), 15, "no line")
            said = log.read_text()
            assert said.count("loaded, with dates that count from today") == 1
            assert file_values(tmp_path / "run.env")["SECRET_KEY"] == keyring
            busy = run(tmp_path)
            assert busy.returncode != 0
            assert "already runs from" in busy.stderr
    assert leftovers(tmp_path) == []


def test_a_half_finished_first_start_is_repaired_by_the_next(tmp_path: Path) -> None:
    """Killed while the database is made, and again while the demo season is loaded."""
    for moment in ("embedded Postgres", "demo season"):
        with (tmp_path / "cut.log").open("wb") as log:
            cut = subprocess.Popen(
                [sys.executable, "-m", "pipeline.prepare"],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)},
                stdout=log,
            )
        wait_for(lambda moment=moment: moment in (tmp_path / "cut.log").read_text(), 60, moment)  # type: ignore[misc]
        sleep(0.2)
        cut.kill()
        cut.wait()
    with running(tmp_path) as system:
        assert system.rows("SELECT count(*) >= 60 FROM catalog.events")[0][0]
        assert system.get("/api/events").json()["events"]


def test_a_port_in_use_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path, PORT=str(port))
    assert done.returncode == 1
    assert done.stderr == f"Port {port} is in use: give another, as in `PORT=8001 make run`.\n"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"PORT": "x"}, "PORT=x makes no sense"),
        ({"PORT": "70000"}, "PORT=70000 makes no sense"),
        ({"HOLD_SECONDS": "-1"}, "HOLD_SECONDS=-1 makes no sense"),
        ({"WORKERS_MIN": "5", "WORKERS_MAX": "2"}, "WORKERS_MAX=2 makes no sense"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL=mysql://x makes no sense"),
        ({"SEATLOCK_URL": "nonsense"}, "SEATLOCK_URL=nonsense makes no sense"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is too short"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT=xml makes no sense"),
        ({"FAILPOINT": "x"}, "FAILPOINT=x makes no sense"),
        ({"PUBLIC_URL": "localhost"}, "PUBLIC_URL=localhost makes no sense"),
        ({"RATE_LIMITS": "off", "PUBLIC_URL": "https://t.example"}, "RATE_LIMITS=off is for local"),
        ({"OIDC_ISSUER": "https://id.example"}, "BANK_URL is not set"),
    ],
)
def test_a_setting_that_makes_no_sense_is_said_in_a_sentence(
    tmp_path: Path, environment: dict[str, str], sentence: str
) -> None:
    done = run(tmp_path, **environment)
    assert done.returncode == os.EX_CONFIG
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1


def test_a_database_that_is_not_there_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X", "1")
    port = free_ports(1)[0]
    done = run(
        tmp_path, DATABASE_URL=f"postgresql://x@127.0.0.1:{port}/x", PORT=str(free_ports(1)[0])
    )
    assert done.returncode == 1
    assert "Postgres does not answer: start it, or mend DATABASE_URL." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_python_is_said_in_a_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python-old"
    old.write_text(
        "#!/bin/sh\n"
        f'exec {sys.executable} -c "import sys; sys.version_info = (3, 9, 1); exec(sys.argv.pop(1))" "$2"\n'
    )
    old.chmod(0o755)
    makefile = ROOT / "Makefile"
    done = subprocess.run(
        ["make", "-f", str(makefile), f"PYTHON={old}", "setup"],
        cwd=_bare_checkout(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "needs Python 3.11 or newer, and this is 3.9" in done.stderr


def _bare_checkout(folder: Path) -> Path:
    checkout = folder / "checkout"
    checkout.mkdir()
    (checkout / "requirements.txt").write_text("")
    return checkout


def test_two_run_side_by_side_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "one") as one, running(tmp_path / "two") as two:
        assert one.address != two.address
        assert is_ready(one.address)
        assert is_ready(two.address)
        begun = monotonic()
        stop(one.launcher)
        assert monotonic() - begun < ENDED_S_MAX
        assert leftovers(tmp_path / "one") == []
        assert is_ready(two.address)
    assert leftovers(tmp_path / "two") == []


def test_postgres_runs_as_nobody_where_root_gets_no_user_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses root. An ordinary user needs no such way round."""
    embedded._unprivileged.cache_clear()  # noqa: SLF001
    monkeypatch.setattr("pipeline.embedded.shutil.which", lambda _: None)
    try:
        write_run_env(tmp_path)
        now = load({"DATA_DIR": str(tmp_path)})
        with postgres(now) as server:
            user = psutil.Process(server.pid).uids().real
            assert user == (pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid())
        shutil.rmtree(embedded._postgres_folder(now))  # noqa: SLF001  it may lie outside DATA_DIR
    finally:
        embedded._unprivileged.cache_clear()  # noqa: SLF001


def test_a_port_that_was_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    write_run_env(tmp_path)
    first = file_values(tmp_path / "run.env")
    with socket.create_server(("127.0.0.1", int(first["REDIS_PORT"]))):
        write_run_env(tmp_path)
    second = file_values(tmp_path / "run.env")
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"REDIS_PORT"}
    assert is_free(int(second["REDIS_PORT"]))
    assert (tmp_path / "run.env").stat().st_mode & 0o077 == 0
