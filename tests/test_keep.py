"""The keeper: an orderly end is no crash, however often; a door stays open while there is nobody."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import sleep

import psutil
import pytest

from pipeline import doors
from pipeline.doors import FAMILIES, LOOPBACK_4, LOOPBACK_6, PortInUseError, is_free, opened
from pipeline.keep import CRASHES_MAX
from pipeline.prepare import ROOT, free_ports
from tests.journey.system import wait_for

ENDS_WELL = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); time.sleep(60)"


def keeper(code: str, *options: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.keep", *options, sys.executable, "-c", code],
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def child(keeping: "subprocess.Popen[str]", not_pid: int = 0) -> psutil.Process:
    def one() -> psutil.Process | None:
        found = psutil.Process(keeping.pid).children()
        return found[0] if found and found[0].pid != not_pid else None

    kept = wait_for(one, 10, "nothing is kept alive")
    assert kept
    return kept


def test_what_is_ended_well_starts_again_each_time() -> None:
    with keeper(ENDS_WELL) as keeping:
        last = 0
        for _ in range(CRASHES_MAX + 1):
            now = child(keeping, last)
            sleep(1.2)
            now.terminate()
            last = now.pid
        assert child(keeping, last).is_running()
        assert keeping.poll() is None
        keeping.terminate()
        assert keeping.wait(10) == 0


ANSWERS_ONCE = """
import os, socket
from pipeline.doors import inherited
[door] = inherited()
caller, _ = socket.socket(fileno=door).accept()
caller.sendall(str(os.getpid()).encode())
caller.close()
os._exit(1)
"""


def at_the_door(port: int) -> "subprocess.Popen[str]":
    return keeper(ANSWERS_ONCE, "--door", "WEB_PORT", WEB_PORT=str(port))


def test_who_comes_while_a_process_starts_anew_waits_at_its_door() -> None:
    [port] = free_ports(1)
    with at_the_door(port) as keeping:
        wait_for(lambda: not is_free(port), 10, "no door")
        answered = []
        for _ in range(3):  # each answers one and dies; nobody is refused meanwhile
            with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
                answered.append(caller.recv(20))
        assert len(set(answered)) == 3
        assert b"" not in answered
        keeping.terminate()
        assert keeping.wait(10) == 0
    assert is_free(port)


def test_a_door_that_is_somebody_elses_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with at_the_door(port) as keeping:
            _, said = keeping.communicate(timeout=20)
    assert keeping.returncode == 1
    assert said == f"Port {port} is in use: call `make setup`, which finds another WEB_PORT.\n"


def test_a_door_that_a_killed_start_still_holds_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        keeping = at_the_door(port)
        sleep(1)
    try:
        wait_for(lambda: not is_free(port), 10, "no door")
        with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
            assert caller.recv(20)
    finally:
        keeping.terminate()
        keeping.communicate(timeout=10)


def test_where_a_real_bank_is_asked_nobody_opens_the_door_of_ours() -> None:
    [port] = free_ports(1)
    where = {"BANK_PORT": str(port), "BANK_URL": "http://127.0.0.1:1"}
    with keeper(ENDS_WELL, "--door", "BANK_PORT", **where) as keeping:
        child(keeping)
        assert is_free(port)
        keeping.terminate()


@pytest.mark.parametrize("options", [[], ["--door", "WEB_PORT"]])
def test_the_port_that_honcho_counted_up_for_a_later_line_is_not_judged(options: list[str]) -> None:
    """It adds 100 a line: with PORT=65000 that of the eleventh is 66000."""
    [port] = free_ports(1)
    where = {"PORT": "66000", "WEB_PORT": str(port)}
    read = "import os; from pipeline.settings import settings; settings(); os.write(2, b'read\\n')"
    with keeper(f"{read}; {ENDS_WELL}", *options, **where) as keeping:
        kept = child(keeping)
        assert keeping.stderr is not None
        assert keeping.stderr.readline().strip() == "read"
        assert kept.is_running()
        assert "PORT" not in kept.environ()
        assert keeping.poll() is None
        keeping.terminate()
        assert keeping.wait(10) == 0


def test_an_answer_in_two_pieces_leaves_a_door_at_once() -> None:
    """Without TCP_NODELAY, which who is let in has from the door, the second waits 40 ms."""
    [port] = free_ports(1)
    [door] = opened(port)
    with (
        door,
        socket.create_connection(("127.0.0.1", port), timeout=10),
        door.accept()[0] as guest,
    ):
        assert guest.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_machine_without_the_newer_protocol_has_one_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, LOOPBACK_6, 9_999)
    [port] = free_ports(1)
    [door] = opened(port, both=True)
    with door:
        assert door.getsockname() == (LOOPBACK_4, port)


def test_a_machine_whose_newer_protocol_is_turned_off_has_one_door(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The socket can be made there; the address cannot be had."""
    nowhere = "2001:db8::1"
    monkeypatch.setattr(doors, "LOOPBACK_6", nowhere)
    monkeypatch.setitem(FAMILIES, nowhere, socket.AF_INET6)
    [port] = free_ports(1)
    [door] = opened(port, both=True)
    with door:
        assert door.getsockname() == (LOOPBACK_4, port)


WITH_SECOND = """
import runpy, socket
from pipeline import doors
doors.LOOPBACK_6, doors.FAMILIES[{0!r}] = {0!r}, socket.AddressFamily({1})
runpy.run_module({2!r}, run_name="__main__")
"""


@dataclass(frozen=True)
class Taken:
    """A port that somebody has on a machine's second address alone, and which address that is."""

    port: int
    address: str

    def command(self, module: str, *arguments: str) -> list[str]:
        """`python -m module arguments` on that machine."""
        code = WITH_SECOND.format(self.address, int(FAMILIES[self.address]), module)
        return [sys.executable, "-c", code, *arguments]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Taken]:
    """On ::1, or where there is none on another address that stands in for it."""
    [port] = free_ports(1)
    try:
        other = socket.create_server((LOOPBACK_6, port), family=socket.AF_INET6)
    except OSError:
        other = socket.create_server(("127.0.0.2", port))
    with other:
        address = other.getsockname()[0]
        monkeypatch.setattr(doors, "LOOPBACK_6", address)
        monkeypatch.setitem(FAMILIES, address, other.family)
        yield Taken(port, address)


def test_a_port_that_is_taken_on_the_newer_address_alone_is_in_use(taken: Taken) -> None:
    """A browser tries ::1 first and would meet somebody else there."""
    with pytest.raises(PortInUseError):
        opened(taken.port, both=True)
    assert not is_free(taken.port, both=True)
    assert is_free(taken.port)
    keeping = subprocess.run(
        taken.command("pipeline.keep", "--door", "PORT", sys.executable, "-c", ENDS_WELL),
        env={**os.environ, "PORT": str(taken.port)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert keeping.stderr.startswith(f"Port {taken.port} is in use: give another")


def test_a_start_tells_of_a_port_that_is_taken_on_the_newer_address(
    tmp_path: Path, taken: Taken
) -> None:
    done = subprocess.run(
        taken.command("pipeline.prepare", "run"),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "PORT": str(taken.port)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stderr == f"Port {taken.port} is in use: give another, as in `PORT=8001 make run`.\n"
    )
    assert not (tmp_path / "run.env").exists()
