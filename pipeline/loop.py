"""The one loop of all processes: a bounded batch, a pause when there was nothing, until SIGTERM."""

import logging
from collections.abc import Callable

import redis
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from pipeline import logs
from pipeline.signals import stopping

log = logging.getLogger(__name__)

FAILURE_PAUSE_S = 0.5
FAILURE_PAUSE_S_MAX = 4.0
SAY_EVERY = 5

AWAY = (OperationalError, PoolTimeout, redis.ConnectionError, redis.TimeoutError, OSError)
"""What says that a server is away: it comes back by itself, so one line is enough."""


def run(run_once: Callable[[], int], idle_s: float) -> None:
    """Call `run_once` for ever; it gives how much it did, and 0 is followed by a pause.

    A failure is logged and retried after a pause that grows to FAILURE_PAUSE_S_MAX; nothing but a
    signal ends the loop.
    """
    logs.configure()
    stop = stopping()
    failures = 0
    while not stop.is_set():
        try:
            done = run_once()
            failures = 0
        except AWAY as error:
            failures += 1
            # At a start everything comes up at once, so the first few mean nothing.
            if failures % SAY_EVERY == 0:
                log.warning("waiting for a server: %s", str(error).partition("\n")[0])
        except Exception:
            failures += 1
            log.exception("a pass failed (%d in a row)", failures)
        if failures:
            stop.wait(min(FAILURE_PAUSE_S * failures, FAILURE_PAUSE_S_MAX))
        elif not done:
            stop.wait(idle_s)
