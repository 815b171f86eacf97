"""Process: moves outbox rows to the stream `orders` and seat changes to the stream `updates`.

One relay is elected by an advisory lock, so that seat changes keep their order; another one waits
and takes over when the lock's connection is gone.
"""

from typing import Any

import psycopg

from pipeline import loop
from pipeline.connections import redis_client
from pipeline.election import Candidate
from pipeline.failpoint import fail_here
from pipeline.messages import ORDERS_STREAM, OrderMessage, SeatsChanged
from pipeline.updates import announce
from sql import read, write

BATCH_MAX = 500
POLL_S = 0.2
"""Also the window in which orders gather into one job: longer is cheaper and later."""
ELECTED = 0x7B_0002


class Relay:
    """One copy; the elected one sends."""

    def __init__(self) -> None:
        self._candidate = Candidate(ELECTED)

    def run_once(self) -> int:
        """Send one batch of each kind; gives how many, 0 when another relay is elected."""
        connection = self._candidate.elected()
        if connection is None:
            return 0
        return self._send_orders(connection) + self._send_seats(connection)

    def close(self) -> None:
        """Let another be elected."""
        self._candidate.close()

    @staticmethod
    def _send_orders(connection: "psycopg.Connection[Any]") -> int:
        """At least once: a crash before the deletion sends twice, and jobs may run twice."""
        rows = read(connection, "outbox.waiting", most=BATCH_MAX)
        if not rows:
            return 0
        pipeline = redis_client().pipeline(transaction=False)
        for row in rows:
            message = OrderMessage(str(row.order_uuid), row.kind, row.alone)
            # Never trimmed: BACKLOG_MAX bounds what may be waiting here.
            pipeline.xadd(ORDERS_STREAM, message.fields())  # type: ignore[arg-type]
        pipeline.execute()
        fail_here("relayed")
        write(connection, "outbox.sent", ids=[row.id for row in rows])
        return len(rows)

    @staticmethod
    def _send_seats(connection: "psycopg.Connection[Any]") -> int:
        rows = read(connection, "outbox.seat_changes", most=BATCH_MAX)
        if not rows:
            return 0
        announce(
            SeatsChanged(
                row.number, row.event_id, row.section_number, tuple(row.positions), row.state
            )
            for row in rows
        )
        fail_here("announced")
        write(connection, "outbox.seat_changes_sent", numbers=[row.number for row in rows])
        return len(rows)


def main() -> None:
    """Send until SIGTERM."""
    relay = Relay()
    # A full batch is followed by the next at once; less waits for the window, so that jobs gather.
    loop.run(lambda: relay.run_once() // BATCH_MAX, POLL_S)


if __name__ == "__main__":
    main()
