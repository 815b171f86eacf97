"""Of a process's copies one is elected: its connection holds a lock, and another's takes over."""

from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from pipeline.connections import dedicated
from sql import read


class Candidate:
    """One copy with its own connection, which holds the lock as long as it lives."""

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._connection: psycopg.Connection[Any] | None = None
        self._elected = False

    def elected(self) -> "psycopg.Connection[Any] | None":
        """The connection that holds the lock, None while another's does: ask before each pass.

        Raises OperationalError when it has died; from then on this is a candidate like any other.
        """
        if self._connection is None or self._connection.closed:
            self._connection, self._elected = dedicated("pipeline"), False
        if self._elected:
            # Only who uses a connection learns that the server has ended it, and the lock with it.
            ConnectionPool.check_connection(self._connection)
        else:
            self._elected = read(self._connection, "outbox.elected", lock=self._lock)[0].mine
        return self._connection if self._elected else None

    def close(self) -> None:
        """Let another be elected."""
        if self._connection is not None:
            self._connection.close()
