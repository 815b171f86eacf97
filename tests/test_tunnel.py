"""`python -m tunnel`: what it says when there is no tunnel, how it calls cloudflared, what gets through."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from time import monotonic, sleep

import psutil
import pytest
import yaml

import tunnel.__main__ as command
from pipeline.prepare import ROOT, free_ports
from pipeline.settings import SettingError
from tests.edge import BOX, HOST, put_on_path

ENDED_S_MAX = 15
SAYS_BOX = f"cat >&2 <<'BOX'\n{BOX}BOX\n"
REFUSED = (
    'failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": no such host'
)
TOKEN = "eyJhIjoi"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path / "data"), "PORT": f"{free_ports(1)[0]}"}  # fmt: skip


def refusal(environment: Mapping[str, str]) -> str:
    with pytest.raises((command.TunnelError, SettingError)) as refused:
        command.serve(environment, Event())
    said = str(refused.value)
    assert "\n" not in said
    return said


# no tunnel


def test_without_cloudflared_a_sentence_says_how_to_get_it(environment: dict[str, str]) -> None:
    said = refusal({**environment, "PATH": "/nowhere"})
    assert said.startswith("cloudflared is not installed: get it with ")
    assert "https://github.com/cloudflare/cloudflared/releases" in said


def test_a_tunnel_that_is_refused_is_no_address(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """What cloudflared says then has an https address in it, but not ours."""
    path = put_on_path(tmp_path / "path", f"echo '{REFUSED}' >&2; exit 1")
    said = refusal({**environment, **path})
    assert said == f"cloudflared has ended (it said last: {REFUSED}): call `make tunnel` again."


def test_a_tunnel_without_an_address_is_not_waited_for_for_ever(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "OPEN_S_MAX", 0.6)
    marker = "61.25"
    path = put_on_path(tmp_path / "path", f"echo INF waiting >&2; exec sleep {marker}")
    said = refusal({**environment, **path})
    assert re.fullmatch(r"cloudflared has opened no tunnel within \d seconds \(.*INF waiting\)\.", said)  # fmt: skip
    assert not [one for one in psutil.process_iter(["cmdline"]) if marker in (one.info["cmdline"] or [])]  # fmt: skip


@pytest.mark.parametrize("given", [
    {"TUNNEL": "shop"}, {"TUNNEL_TOKEN": TOKEN}, {"TUNNEL_TOKEN_FILE": "/nowhere"},
    {"TUNNEL": "shop", "PUBLIC_URL": "http://tickets.example"}, {"TUNNEL": "shop", "PUBLIC_URL": "https://localhost"},
], ids=str)  # fmt: skip
def test_a_named_tunnel_needs_its_address(
    environment: dict[str, str], given: dict[str, str]
) -> None:
    assert refusal({**environment, **given}).startswith("A named tunnel needs PUBLIC_URL")


def test_what_a_public_run_may_not_have_is_said_before_anything_starts(
    environment: dict[str, str],
) -> None:
    """There is no cloudflared in this PATH: it would have been asked for."""
    nowhere = {**environment, "PATH": "/nowhere"}
    assert refusal({**nowhere, "RATE_LIMITS": "off"}).startswith("RATE_LIMITS=off is for local")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert refusal({**nowhere, "PORT": port}).startswith(f"Port {port} is in use")
    assert "too long a path" in refusal({**nowhere, "DATA_DIR": "/tmp/" + "d" * 100})  # noqa: S108


# a tunnel


@pytest.mark.parametrize(
    ("given", "said", "called", "public"),
    [
        ({"PUBLIC_URL": "https://old.example"}, SAYS_BOX, "--url http://localhost:{port}", f"https://{HOST}"),
        ({"TUNNEL": "shop", "PUBLIC_URL": "https://Tickets.example/"}, "", "run shop", "https://tickets.example"),
        ({"TUNNEL_TOKEN": TOKEN, "PUBLIC_URL": "https://tickets.example"}, "", "run", "https://tickets.example"),
    ],
    ids=["quick", "by its name", "by its token"],
)  # fmt: skip
def test_how_cloudflared_is_called_and_what_the_run_is_told(  # noqa: PLR0917  a table's columns
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
    said: str,
    called: str,
    public: str,
) -> None:
    """It sees no secret of ours, and we forget its own."""
    told: dict[str, str] = {}

    def run(_: object, __: object, environment: Mapping[str, str]) -> int:
        told.update(environment)
        return 0

    monkeypatch.setattr(command, "_run", run)
    heard = tmp_path / "heard"
    connected = "INF Registered tunnel connection connIndex=0"
    path = put_on_path(
        tmp_path / "path",
        f'{{ echo "$@"; env; }} >{heard}\n{said}echo "{connected}" >&2\nexec sleep 60',
    )
    secret = "a-secret-of-ours-that-nobody-else-needs"
    assert command.serve({**environment, **path, **given, "SECRET_KEY": secret}, Event()) == 0
    arguments, *seen = heard.read_text().splitlines()
    rules = f"{environment['DATA_DIR']}/tunnel.yml"
    wanted = called.format(port=environment["PORT"])
    assert arguments == f"tunnel --no-autoupdate --config {rules} {wanted}"
    assert secret not in "".join(seen)
    assert (f"TUNNEL_TOKEN={TOKEN}" in seen) == ("TUNNEL_TOKEN" in given)
    assert told["PUBLIC_URL"] == public
    assert told["SECRET_KEY"] == secret
    assert "TUNNEL_TOKEN" not in told


def start(environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tunnel"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def left(folder: str) -> list[list[str]]:
    """Processes that belong to this DATA_DIR, as far as they are still seen."""
    return [
        one.info["cmdline"]
        for one in psutil.process_iter(["environ", "cmdline"])
        if (one.info["environ"] or {}).get("DATA_DIR") == folder and one.pid != os.getpid()
    ]


def test_when_the_tunnel_ends_everything_does(environment: dict[str, str], tmp_path: Path) -> None:
    """In the middle of the preparations, at the worst."""
    path = put_on_path(tmp_path / "path", f"{SAYS_BOX}sleep 2; exit 3")
    process = start({**environment, **path})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"The public address is https://{HOST} " in out
    assert err.startswith("cloudflared has ended (it said last: ")
    assert len(err.splitlines()) == 1
    assert left(environment["DATA_DIR"]) == []


def test_ctrl_c_ends_a_tunnel_that_is_not_there_yet(
    environment: dict[str, str], tmp_path: Path
) -> None:
    heard = tmp_path / "heard"
    path = put_on_path(tmp_path / "path", f"echo $$ >{heard}; exec sleep 60")
    process = start({**environment, **path})
    deadline = monotonic() + ENDED_S_MAX
    while not heard.exists() or not heard.read_text():
        assert monotonic() < deadline
        sleep(0.05)
    begun = monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=ENDED_S_MAX)
    assert monotonic() - begun < 5
    assert (process.returncode, err) == (0, "")
    assert not psutil.pid_exists(int(heard.read_text()))


# its rules


@pytest.mark.parametrize(
    ("path", "open_"),
    [
        ("/", True), ("/events/2", True), ("/ws", True), ("/api/orders", True), ("/static/x/app.js", True),
        ("/metrics", False), ("/metrics/", False), ("//metrics", False), ("/metrics/web", False),
    ],
)  # fmt: skip
def test_everything_gets_through_but_what_is_for_monitors(path: str, open_: bool) -> None:
    rules = yaml.safe_load(command.RULES.read_text())["ingress"]
    first = next(rule for rule in rules if re.search(rule.get("path", ""), path))
    assert first["service"] == (command.SOCKET_IN_RULES if open_ else "http_status:404")


def test_the_last_rule_takes_what_no_other_does() -> None:
    """Cloudflared refuses rules of which another than the last, or none, fits everything."""
    *others, last = yaml.safe_load(command.RULES.read_text())["ingress"]
    assert last == {"service": "http_status:404"}
    assert all(rule["path"] for rule in others)
