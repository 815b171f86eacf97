"""Process: decides how many workers run, and starts and ends those beyond the Procfile's first."""

import logging
import signal
import subprocess
import sys
from math import ceil
from time import monotonic
from typing import Any

import redis

from pipeline import loop
from pipeline.connections import redis_client
from pipeline.election import Candidate
from pipeline.jobs import JOB_ORDERS_MAX, ticket_queue
from pipeline.messages import ORDERS_GROUP, ORDERS_STREAM
from pipeline.settings import settings
from pipeline.signals import die_with_parent

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
JOBS_PER_WORKER = 4
"""So many waiting jobs, of up to 25 orders, keep one worker busy for about a second."""
STOP_S_MAX = 3.0
CALM_S = 15.0
"""So long the backlog must want fewer workers before one is let go."""
ELECTED = 0x7B_0003


def workers_wanted(orders_waiting: int, jobs_waiting: int, least: int, most: int) -> int:
    """How many workers this backlog wants, within the limits."""
    jobs = jobs_waiting + ceil(orders_waiting / JOB_ORDERS_MAX)
    return max(least, min(most, ceil(jobs / JOBS_PER_WORKER)))


class Autoscaler:
    """One copy; the elected one owns the worker processes that it started."""

    def __init__(self) -> None:
        self._candidate = Candidate(ELECTED)
        self._children: list[subprocess.Popen[bytes]] = []
        self._leaving: list[subprocess.Popen[bytes]] = []
        self._calm_since: float | None = None
        self._wanted = 0

    def run_once(self) -> int:
        """Look once and act at most once; gives 0, so that the loop pauses."""
        self._children = [child for child in self._children if child.poll() is None]
        self._leaving = [child for child in self._leaving if child.poll() is None]
        if self._candidate.elected() is None:
            # Another starts as many as the backlog wants, and counts only its own.
            while self._children:
                self._end_one()
            return 0
        wanted = workers_wanted(
            *backlog(), least=settings().workers_min, most=settings().workers_max
        )
        # The Procfile's own worker is kept by its keeper; the others are ours to replace.
        now = 1 + len(self._children)
        if wanted > now:
            self._calm_since = None
            # Twice in a row: a burst that one worker clears within a second starts nobody.
            for _ in range(min(wanted, self._wanted) - now):
                self._start()
        elif wanted < now:
            self._let_go()
        else:
            self._calm_since = None
        self._wanted = wanted
        return 0

    def stop(self) -> None:
        """End all workers of ours; each finishes its job, if it can in time."""
        while self._children:
            self._end_one()
        deadline = monotonic() + STOP_S_MAX
        for child in self._leaving:
            try:
                child.wait(max(0.0, deadline - monotonic()))
            except subprocess.TimeoutExpired:
                # RQ does not hear us while it waits for a Redis that is away. Its order is sent
                # again by the sweeper.
                child.kill()
                child.wait()
        self._candidate.close()

    def _start(self) -> None:
        child = subprocess.Popen(
            [sys.executable, "-m", "pipeline.worker"],
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),  # noqa: PLW1509  see embedded.py
        )
        self._children.append(child)
        log.info("a worker more: %d", 1 + len(self._children))

    def _let_go(self) -> None:
        """Down one by one, and only after a calm while."""
        if self._calm_since is None:
            self._calm_since = monotonic()
        elif monotonic() - self._calm_since >= CALM_S:
            self._calm_since = monotonic()
            self._end_one()

    def _end_one(self) -> None:
        """It is told once: told twice, RQ would not finish the job."""
        child = self._children.pop()
        child.terminate()
        self._leaving.append(child)
        log.info("a worker less: %d", 1 + len(self._children))


def backlog() -> tuple[int, int]:
    """(orders in the stream, jobs in the queue) that wait."""
    try:
        groups: Any = redis_client().xinfo_groups(ORDERS_STREAM)
    except redis.ResponseError:
        return 0, ticket_queue().count
    lag = sum(
        (group["lag"] or 0) + group["pending"] for group in groups if group["name"] == ORDERS_GROUP
    )
    return lag, ticket_queue().count


def main() -> None:
    """Look every second until SIGTERM."""
    autoscaler = Autoscaler()
    try:
        loop.run(autoscaler.run_once, LOOK_EVERY_S)
    finally:
        autoscaler.stop()


if __name__ == "__main__":
    main()
