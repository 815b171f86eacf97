"""Process: front, the reverse proxy on PORT; it tells everybody else the address."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from threading import Event

import urllib3

from pipeline import logs
from pipeline.doors import PortInUseError, in_use, inherited, opened
from pipeline.settings import Settings, settings
from pipeline.signals import die_with_parent, stopping
from web.assets import digest, lay_out

HERE = Path(__file__).parent
WATCH_S = 0.2
NOBODY = "255.255.255.255/32"
SIGTERM = 15


def caddy() -> str:
    """A Caddy found on the machine, else the pinned one beside our Python."""
    own = Path(sys.executable).with_name("caddy")
    found = shutil.which("caddy")
    return str(own if own.exists() else found)


def binding(doors: list[int], tunnel: Path | None) -> str:
    """What Caddy binds; the socket file is for our user alone, so who comes by it is the tunnel."""
    names = [f"fd/{door}" for door in doors]
    return " ".join([*names, *([f"unix/{tunnel}|0600"] if tunnel else [])])


def main() -> int:
    """Serve until SIGTERM; gives the exit code."""
    logs.configure()
    stop = stopping()
    now = settings()
    try:
        # Opened here where no keeper did, and never closed: they live as long as this process.
        doors = inherited() or [door.detach() for door in opened(now.port, both=True)]
    except PortInUseError:
        sys.stderr.write(f"{in_use(now.port)}\n")
        return os.EX_CONFIG
    making = now.data_dir / "address.new"
    making.write_text(f"http://localhost:{now.port}\n")
    making.rename(now.data_dir / "address")
    process = subprocess.Popen(
        [caddy(), "run", "--config", str(HERE / "Caddyfile"), "--adapter", "caddyfile"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(now.data_dir / "caddy"),
            # Go's scheduler spins on every wake-up; one thread of it is plenty here.
            "GOMAXPROCS": "1",
            "XDG_DATA_HOME": str(now.data_dir / "caddy"),
            "XDG_CONFIG_HOME": str(now.data_dir / "caddy"),
            "FRONT_PORT": str(now.port),
            "FRONT_BIND": binding(doors, now.front_socket),
            "FRONT_ROOT": str(lay_out(now.data_dir / "assets").parents[1]),
            "FRONT_RELEASE": digest(),
            "FRONT_HSTS": f"Strict-Transport-Security {now.hsts}" if now.hsts else "",
            "FRONT_TRUSTED": " ".join(now.trusted_proxies or (NOBODY,)),
            "WEB_PORT": str(now.web_port),
            "UPDATES_PORT": str(now.updates_port),
        },
        start_new_session=True,
        pass_fds=doors,
        preexec_fn=lambda: die_with_parent(SIGTERM),  # noqa: PLW1509  one call, no locks, before exec
    )
    _say_when_serving(now, process, stop)
    while process.poll() is None and not stop.wait(WATCH_S):
        pass
    if process.poll() is None:
        process.terminate()
        process.wait()
        return 0
    return process.returncode or 1


def _say_when_serving(now: Settings, process: "subprocess.Popen[bytes]", stop: Event) -> None:
    """The one line with the address, once a page really comes."""
    while process.poll() is None and not stop.wait(WATCH_S):
        try:
            answer = urllib3.request(
                "GET", f"http://127.0.0.1:{now.port}/ready", timeout=2.0, retries=False
            )
        except urllib3.exceptions.HTTPError:
            continue
        if answer.status == 200:
            sys.stdout.write(f"TicketBuster serves {now.public_url}\n")
            sys.stdout.flush()
            return


if __name__ == "__main__":
    sys.exit(main())
