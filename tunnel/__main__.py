"""`make tunnel`: TicketBuster on a public address, through Cloudflare's tunnel.

cloudflared starts first, because links, cookies and sign-in go by PUBLIC_URL, and the address of a
quick tunnel is known only then. It reaches `front` by a socket file that nobody else may open, so
whom `front` hears there is surely the edge, and the visitor's address that it tells is believed.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from urllib.parse import urlsplit

from pipeline.doors import in_use, is_free
from pipeline.prepare import ROOT
from pipeline.settings import LOOPBACK, SettingError, Settings, file_values, load
from pipeline.signals import die_with_parent, stopping

RULES = Path(__file__).with_name("config.yml")
SOCKET_IN_RULES = "unix:.data/front.sock"
ADDRESS = re.compile(r"\|\s+(https://[\w.-]+)\s+\|")
"""As cloudflared prints it, in a box: when it fails it names another, its service's."""
CONNECTED = re.compile(r"(Registered tunnel connection)")
ANY_QUICK_TUNNEL = "https://quick.trycloudflare.com"
OPEN_S_MAX = 30.0
RUN_STOP_S_MAX = 20.0
TUNNEL_STOP_S_MAX = 5.0
LAST_WORDS_S_MAX = 1.0
LOOK_S = 0.2
LINES_KEPT = 20
SECRETS = ("TUNNEL_TOKEN", "TUNNEL_TOKEN_FILE")
FOR_CLOUDFLARED = re.compile(r"TUNNEL_.+|PATH|HOME|LANG|TMPDIR|SSL_CERT_\w+|(?i:\w+_PROXY)")
"""What it may see of our environment: no secret of ours but its own."""
HOW_TO_GET_IT = (
    "cloudflared is not installed: get it with `brew install cloudflared`, or from"
    " https://github.com/cloudflare/cloudflared/releases, and call `make tunnel` again."
)


class TunnelError(Exception):
    """There is no tunnel, or no more; the text is one sentence that says what to do."""


class Cloudflared:
    """The tunnel's process. What it prints is read, and only its last lines are remembered."""

    def __init__(
        self, arguments: list[str], environment: Mapping[str, str], sign: re.Pattern[str]
    ) -> None:
        """Start it; the sign is what it prints when all is well. Raises TunnelError."""
        found = shutil.which("cloudflared", path=environment.get("PATH"))
        if found is None:
            raise TunnelError(HOW_TO_GET_IT)
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._sign, self._found, self._seen = sign, "", Event()
        self._process = subprocess.Popen(
            [found, "tunnel", "--no-autoupdate", *arguments],
            env={
                # Its sockets end with our processes; nothing is left to be waited for.
                "TUNNEL_GRACE_PERIOD": "1s",
                **{name: text for name, text in environment.items() if _may_see(name)},
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # Ctrl-C is for us: first our processes end, then the tunnel.
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),  # noqa: PLW1509  one call, no locks
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self, seconds: float, stop: Event) -> str:
        """What the sign's group found; empty when asked to stop. Raises TunnelError."""
        deadline = monotonic() + seconds
        while not self._seen.wait(LOOK_S):
            if stop.is_set():
                return ""
            self.check()
            if monotonic() > deadline:
                raise TunnelError(
                    f"cloudflared has opened no tunnel within {seconds:.0f} seconds{self._last()}."
                )
        return self._found

    def check(self) -> None:
        """Raises TunnelError when it has ended."""
        if self._process.poll() is not None:
            self._reader.join(LAST_WORDS_S_MAX)
            raise TunnelError(f"cloudflared has ended{self._last()}: call `make tunnel` again.")

    def end(self) -> None:
        """End it, whatever it does."""
        _end(self._process, TUNNEL_STOP_S_MAX)
        self._reader.join(LAST_WORDS_S_MAX)

    def _read(self) -> None:
        assert self._process.stderr, "a pipe, see above"
        with self._process.stderr as lines:
            for line in lines:
                text = line.decode(errors="replace").strip()
                self._lines.append(text)
                found = None if self._seen.is_set() else self._sign.search(text)
                if found:
                    self._found = found[1]
                    self._seen.set()

    def _last(self) -> str:
        lines = [line for line in self._lines if line]
        return f" (it said last: {lines[-1]})" if lines else ""


def _may_see(name: str) -> bool:
    return FOR_CLOUDFLARED.fullmatch(name) is not None


def checked(environment: Mapping[str, str]) -> Settings:
    """The settings of a run that everybody can reach. Raises TunnelError, SettingError."""
    named = is_named(environment)
    given = environment.get("PUBLIC_URL", "")
    if named and (not given.startswith("https://") or urlsplit(given).hostname in LOOPBACK):
        raise TunnelError(
            "A named tunnel needs PUBLIC_URL: give the https address that leads to it,"
            " as in `TUNNEL=shop PUBLIC_URL=https://tickets.example.org make tunnel`."
        )
    now = load({**environment, "PUBLIC_URL": given if named else ANY_QUICK_TUNNEL})
    if not is_free(now.port, both=True):
        raise TunnelError(in_use(now.port, target="tunnel"))
    if now.front_socket is None:
        raise TunnelError(
            f"DATA_DIR={now.data_dir} is too long a path for a socket file: give a shorter one."
        )
    return now


def is_named(environment: Mapping[str, str]) -> bool:
    """Whether the tunnel is one of the user's own, which has its address already."""
    return any(environment.get(name) for name in ("TUNNEL", *SECRETS))


def arguments_for(environment: Mapping[str, str], now: Settings) -> list[str]:
    """How cloudflared is called; writes the rules for it.

    Named always, or it would take the rules of another tunnel of this user.
    """
    now.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    rules = now.data_dir / "tunnel.yml"
    rules.write_text(RULES.read_text().replace(SOCKET_IN_RULES, f"unix:{now.front_socket}"))
    arguments = ["--config", str(rules)]
    if not is_named(environment):
        # That makes it a quick tunnel; where it leads is said by the rules.
        return [*arguments, "--url", f"http://localhost:{now.port}"]
    name = environment.get("TUNNEL")
    return [*arguments, "run", *([name] if name else [])]


def serve(environment: Mapping[str, str], stop: Event) -> int:
    """Tunnel and system until Ctrl-C or until one of them ends; gives the exit code."""
    now = checked(environment)
    named = is_named(environment)
    tunnel = Cloudflared(
        arguments_for(environment, now), environment, CONNECTED if named else ADDRESS
    )
    try:
        _say("opening the tunnel …")
        found = tunnel.wait(OPEN_S_MAX, stop)
        if not found:
            return 0
        address = now.public_url if named else found
        _say(f"The public address is {address} and answers in a moment; Ctrl-C ends it.")
        return _run(tunnel, stop, {
            **{name: text for name, text in environment.items() if name not in SECRETS},
            "PUBLIC_URL": address,
            "DATA_DIR": str(now.data_dir),
        })  # fmt: skip
    finally:
        tunnel.end()


def _run(tunnel: Cloudflared, stop: Event, environment: Mapping[str, str]) -> int:
    """`make run` behind the tunnel."""
    run = subprocess.Popen(
        [sys.executable, "-m", "pipeline.prepare", "run"],
        cwd=ROOT,
        env=dict(environment),
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(signal.SIGTERM),  # noqa: PLW1509  one call, no locks
    )
    try:
        while run.poll() is None and not stop.wait(LOOK_S):
            tunnel.check()
        return 0 if stop.is_set() else run.returncode or 1
    finally:
        _end(run, RUN_STOP_S_MAX)


def _end(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """With all that it started in its session: a step of the preparations, for one."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Gives the exit code; a sentence says why it is not 0."""
    try:
        return serve({**file_values(ROOT / ".env"), **os.environ}, stopping())
    except (TunnelError, SettingError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
