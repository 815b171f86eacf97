"""Process: embedded Postgres and Redis where no address is configured; idle when both are."""

import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from time import monotonic

from pipeline import logs
from pipeline.embedded import (
    LocalServiceError,
    make_cluster,
    make_database,
    start_postgres,
    start_valkey,
    stop,
    wait_for_postgres,
    wait_for_redis,
)
from pipeline.ends import Ends
from pipeline.settings import Settings, settings
from pipeline.signals import stopping

WATCH_S = 0.2
PAUSE_S = 1.0
"""From one try to the next; the first comes at once."""
ENDS_MAX, ENDS_WINDOW_S = 20, 60.0
"""A server that ends so often does not stay up: the keeper starts both anew."""

log = logging.getLogger(__name__)


@contextmanager
def postgres(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    """The embedded Postgres, answering, with its database; stopped at the end."""
    make_cluster(settings)
    process = start_postgres(settings)
    try:
        server = settings.database_url.rpartition("/")[0] + "/postgres"
        wait_for_postgres(server, process)
        make_database(settings)
        yield process
    finally:
        stop(process, signal.SIGINT)


@contextmanager
def valkey(settings: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    """The embedded Redis-compatible server, answering; stopped at the end."""
    process = start_valkey(settings)
    try:
        wait_for_redis(settings.redis_url, process)
        yield process
    finally:
        stop(process, signal.SIGTERM)


@dataclass
class Kept:
    """A server that is started again, alone, when it ended by itself."""

    name: str
    run: Callable[[Settings], AbstractContextManager["subprocess.Popen[bytes]"]]
    _running: ExitStack = field(default_factory=ExitStack)
    _process: "subprocess.Popen[bytes] | None" = None
    _ends: Ends = field(default_factory=lambda: Ends(ENDS_WINDOW_S))
    _again_at: float = 0.0

    def start(self) -> None:
        """Start it. Raises LocalServiceError."""
        self._process = self._running.enter_context(self.run(settings()))

    def stop(self) -> None:
        """Stop it, if it runs."""
        self._process = None
        self._running.close()

    def look(self) -> None:
        """Start it again where it ended. Raises LocalServiceError where it does not stay up.

        It may not be able to start at once: its child still uses its memory, or a disk is full.
        """
        if self._process is not None:
            if self._process.poll() is None:
                return
            self.stop()
            log.warning("%s ended by itself; it is started again", self.name)
        elif monotonic() < self._again_at:
            return
        self._again_at = monotonic() + PAUSE_S
        if self._ends.note() >= ENDS_MAX:
            raise LocalServiceError(f"{self.name} does not stay up: its log in DATA_DIR says why.")
        try:
            self.start()
        except LocalServiceError as error:
            log.warning("%s", error)


def main() -> None:
    """Run what is embedded until SIGTERM; end with an error when a server does not stay up."""
    logs.configure()
    stop_asked = stopping()
    with ExitStack() as stack:
        servers = []
        for name, embedded, run in (
            ("Postgres", settings().embedded_postgres, postgres),
            ("Redis", settings().embedded_redis, valkey),
        ):
            if embedded:
                servers.append(Kept(name, run))
                stack.callback(servers[-1].stop)
                servers[-1].start()
        while not stop_asked.wait(WATCH_S):
            for server in servers:
                server.look()


if __name__ == "__main__":
    try:
        main()
    except LocalServiceError as error:
        sys.exit(str(error))
