"""Process: embedded Postgres and Redis where no address is configured; idle when both are."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

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

Server = "subprocess.Popen[bytes]"


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


def main() -> None:
    """Run what is embedded until SIGTERM; end with an error when a server dies, to be restarted."""
    logs.configure()
    stop_asked = stopping()
    with ExitStack() as stack:
        servers = []
        if settings().embedded_postgres:
            servers.append(stack.enter_context(postgres(settings())))
        if settings().embedded_redis:
            servers.append(stack.enter_context(valkey(settings())))
        while not stop_asked.wait(WATCH_S):
            if any(server.poll() is not None for server in servers):
                sys.exit("A local server ended by itself; both are started again.")


if __name__ == "__main__":
    try:
        main()
    except LocalServiceError as error:
        sys.exit(str(error))
