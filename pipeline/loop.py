"""The one loop of all processes: a bounded batch, a pause when there was nothing, until SIGTERM."""

import logging
from collections.abc import Callable
from functools import wraps
from time import sleep

import redis
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from pipeline import logs
from pipeline.connections import pool
from pipeline.signals import stopping

log = logging.getLogger(__name__)

FAILURE_PAUSE_S = 0.5
FAILURE_PAUSE_S_MAX = 4.0
SAY_EVERY = 5

AWAY = (OperationalError, PoolTimeout, redis.ConnectionError, redis.TimeoutError, OSError)
"""What says that a server is away: it comes back by itself, so one line is enough."""


SERVER_AWAY = ("08", "53", "57P")
"""SQLSTATEs of a Postgres that is away, or has no room; other errors are about one statement."""


def is_away(error: Exception) -> bool:
    """Whether this says that a server is away: not a deadlock, or a statement's time limit."""
    if not isinstance(error, AWAY):
        return False
    state = error.sqlstate if isinstance(error, OperationalError) else None
    return state is None or state.startswith(SERVER_AWAY)


JOB_PAUSES_S = (0.2, 1.0, 3.0)


def persistent(job: Callable[[list[str]], None]) -> Callable[[list[str]], None]:
    """A job that may be done twice is done again when a server was away, a few times, soon.

    After a restart of Postgres each connection that a pool kept is found dead by its first user, so
    they are all looked at; an order whose job ended there would wait for the sweeper.
    """

    @wraps(job)
    def again(order_uuids: list[str]) -> None:
        for pause in JOB_PAUSES_S:
            try:
                return job(order_uuids)
            except AWAY as error:
                log.warning("%s is done again: %s", job.__name__, str(error).partition("\n")[0])
                sleep(pause)
                pool("pipeline").check()
        return job(order_uuids)

    return again


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
