"""Process: turns entries of the stream `orders` into RQ jobs, acknowledged in the same MULTI."""

import json
import logging
import os
import socket
from collections.abc import Iterator
from hashlib import sha256
from time import monotonic, sleep, time
from typing import Any

import redis
from rq import Queue

from pipeline import loop
from pipeline.connections import queue_client, redis_client
from pipeline.failpoint import fail_here
from pipeline.jobs import (
    FAILURE_TTL_S,
    JOB_ORDERS_MAX,
    JOB_TIMEOUT_S,
    JOBS_WAITING_MAX,
    RESULT_TTL_S,
    ticket_queue,
)
from pipeline.messages import (
    DEAD_LETTERS_LENGTH_MAX,
    DEAD_LETTERS_STREAM,
    ORDERS_GROUP,
    ORDERS_STREAM,
    OrderMessage,
    PoisonedMessageError,
)

ENTRIES_MAX = 250
BLOCK_MS = 1_000
FULL_PAUSE_S = 0.1
CLAIM_EVERY_S = 5.0
ABANDONED_MS = 10_000
"""An entry that another dispatcher took so long ago without acknowledging is taken over."""
POISON_LETTERS_MAX = 4_000
JOBS = {"make": "pipeline.tickets.make_tickets", "settle": "pipeline.refunds.settle"}
"""Named by string: the dispatcher needs no Pillow."""

Entry = tuple[str, dict[str, str]]


def batches(messages: list[OrderMessage]) -> Iterator[tuple[str, list[str]]]:
    """Jobs: up to JOB_ORDERS_MAX orders of one kind each, or one order that is alone.

    What was sent twice is one job: RQ refuses two of the same id.
    """
    for kind in JOBS:
        wanted = [message for message in messages if message.kind == kind]
        alone = dict.fromkeys(message.order_uuid for message in wanted if message.alone)
        together = dict.fromkeys(message.order_uuid for message in wanted)
        order_uuids = [order_uuid for order_uuid in together if order_uuid not in alone]
        for order_uuid in alone:
            yield kind, [order_uuid]
        for start in range(0, len(order_uuids), JOB_ORDERS_MAX):
            yield kind, order_uuids[start : start + JOB_ORDERS_MAX]


class Dispatcher:
    """One consumer of the group, under a name of its own."""

    def __init__(self, block_ms: int = BLOCK_MS) -> None:
        self._block_ms = block_ms
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._claim_at = 0.0

    def run_once(self) -> int:
        """Hand one batch of entries to RQ; gives how many entries.

        While workers are behind, entries stay in the stream: there they gather into fuller jobs.
        """
        if ticket_queue().count >= JOBS_WAITING_MAX:
            sleep(FULL_PAUSE_S)
            return 0
        try:
            entries = self._read()
        except redis.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            # Redis came back empty, or this is the first start. What was lost is sent again from
            # Postgres by the sweeper.
            self._make_group()
            entries = self._read()
        if entries:
            fail_here("taken")
            _enqueue(entries)
        return len(entries)

    def _read(self) -> list[Entry]:
        client: Any = redis_client()
        if monotonic() >= self._claim_at:
            self._claim_at = monotonic() + CLAIM_EVERY_S
            claimed = client.xautoclaim(
                ORDERS_STREAM, ORDERS_GROUP, self._name, ABANDONED_MS, count=ENTRIES_MAX
            )[1]
            if claimed:
                return [(entry, fields or {}) for entry, fields in claimed]
        read = client.xreadgroup(
            ORDERS_GROUP, self._name, {ORDERS_STREAM: ">"}, count=ENTRIES_MAX, block=self._block_ms
        )
        return read[0][1] if read else []

    @staticmethod
    def _make_group() -> None:
        try:
            redis_client().xgroup_create(ORDERS_STREAM, ORDERS_GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise


def _enqueue(entries: list[Entry]) -> None:
    """Jobs, acknowledgements and dead letters in one MULTI: all of it happens, or none."""
    messages: list[OrderMessage] = []
    poisoned: list[dict[str, str]] = []
    for entry, fields in entries:
        try:
            messages.append(OrderMessage.parse(fields))
        except PoisonedMessageError as error:
            logging.getLogger(__name__).warning("poisoned entry %s set aside", entry)
            content = json.dumps(fields)[:POISON_LETTERS_MAX]
            poisoned.append({"entry": entry, "reason": str(error), "fields": content})
    ids = [entry for entry, _ in entries]
    multi = queue_client().pipeline(transaction=True)
    ticket_queue().enqueue_many(
        [
            Queue.prepare_data(
                JOBS[kind],
                args=[order_uuids],
                job_id=_job_id(ids, kind, order_uuids),
                timeout=JOB_TIMEOUT_S,
                result_ttl=RESULT_TTL_S,
                failure_ttl=FAILURE_TTL_S,
                description=f"{kind} {len(order_uuids)}",
            )
            for kind, order_uuids in batches(messages)
        ],
        pipeline=multi,
    )
    for said in poisoned:
        letter = {**said, "at": str(int(time()))}
        multi.xadd(DEAD_LETTERS_STREAM, letter, maxlen=DEAD_LETTERS_LENGTH_MAX, approximate=True)  # type: ignore[arg-type]
    multi.xack(ORDERS_STREAM, ORDERS_GROUP, *ids)
    multi.xdel(ORDERS_STREAM, *ids)
    multi.execute()


def _job_id(entries: list[str], kind: str, order_uuids: list[str]) -> str:
    """Derived from the stream's entries, so a batch that is enqueued twice is one job."""
    return sha256("|".join([*entries, kind, *order_uuids]).encode()).hexdigest()[:32]


if __name__ == "__main__":
    loop.run(Dispatcher().run_once, 0)
