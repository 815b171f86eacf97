"""Process: embedded Postgres and Redis where no address is configured; idle when both are."""

import logging
import signal
import subprocess
import sys
from collections import deque
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
from pipeline.settings import Settings, settings
from pipeline.signals import stopping

WATCH_S = 0.2
ENDS_MAX, ENDS_WINDOW_S = 5, 60.0
"""A server that ends so often does not stay up: its keeper waits before it tries again."""

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
class _Kept:
    """A server that is started again when it ended by itself."""

    name: str
    run: Callable[[Settings], AbstractContextManager["subprocess.Popen[bytes]"]]
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=ENDS_MAX))

    def __post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._running = ExitStack()
        self._process = self._running.enter_context(self.run(settings()))

    def look(self) -> None:
        """Start it again where it ended. Raises LocalServiceError where that happens too often."""
        if self._process.poll() is None:
            return
        self._running.close()
        self.ends.append(monotonic())
        if len(self.ends) == ENDS_MAX and self.ends[0] > self.ends[-1] - ENDS_WINDOW_S:
            raise LocalServiceError(
                f"{self.name} ended {ENDS_MAX} times in a minute: its log in DATA_DIR says why."
            )
        log.warning("%s ended by itself; it is started again", self.name)
        self._start()

    def stop(self) -> None:
        self._running.close()


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
                servers.append(_Kept(name, run))
                stack.callback(servers[-1].stop)
        while not stop_asked.wait(WATCH_S):
            for server in servers:
                server.look()


if __name__ == "__main__":
    try:
        main()
    except LocalServiceError as error:
        sys.exit(str(error))
