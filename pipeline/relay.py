"""Process: moves outbox rows to the stream `orders` and seat changes to the stream `updates`.

One relay is elected by an advisory lock, so that seat changes keep their order; another one waits
and takes over when the lock's connection is gone.
"""

from typing import Any

import psycopg

from pipeline import loop
from pipeline.connections import dedicated, redis_client
from pipeline.failpoint import fail_here
from pipeline.messages import ORDERS_STREAM, OrderMessage, SeatsChanged
from pipeline.updates import announce
from sql import read, write

BATCH_MAX = 500
POLL_S = 0.2
"""Also the window in which orders gather into one job: longer is cheaper and later."""
ELECTED = 0x7B_0002


class Relay:
    """One candidate with its own connection, which holds the lock as long as it lives."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self._elected = False

    def run_once(self) -> int:
        """Send one batch of each kind; gives how many, 0 when another relay is elected."""
        if self._connection is None or self._connection.closed:
            self._connection, self._elected = dedicated("pipeline"), False
        if not self._elected:
            self._elected = read(self._connection, "outbox.elected", lock=ELECTED)[0].mine
        if not self._elected:
            return 0
        return self._send_orders(self._connection) + self._send_seats(self._connection)

    def close(self) -> None:
        """Let another be elected."""
        if self._connection is not None:
            self._connection.close()

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
