"""The bank's ledger: SQLite; each change is one guarded transaction, on the disk when answered."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from threading import Lock
from time import time
from typing import Any

from pipeline.bank import cards

METHOD_S = 86_400
BUSY_S = 2.0

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS payments (
    key text PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 100),
    state text NOT NULL CHECK (state IN ('authorised', 'declined', 'insufficient_funds', 'pending',
                                         'captured', 'voided', 'refunded')),
    amount text NOT NULL,
    currency text NOT NULL,
    card text NOT NULL,
    captured text NOT NULL DEFAULT '0',
    refunded text NOT NULL DEFAULT '0',
    failures integer NOT NULL DEFAULT 0,
    confirmed_at real,
    CHECK ((state IN ('captured', 'refunded')) = (captured = amount AND captured <> '0')),
    CHECK (refunded IN ('0', captured)),
    CHECK ((state = 'refunded') = (refunded <> '0'))
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    id integer PRIMARY KEY, at real NOT NULL, key text NOT NULL, what text NOT NULL,
    amount text NOT NULL, currency text NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS methods (
    id text PRIMARY KEY, card text NOT NULL, kept_at real NOT NULL, spent_by text
) STRICT, WITHOUT ROWID;
"""


class InvalidCardError(Exception):
    """No card, or a payment method that is unknown, old or spent."""


class RefundFailedError(Exception):
    """This card's refund does not work just now."""


class Ledger:
    """All payments that this bank ever saw, by key."""

    def __init__(self, path: Path, late_s: float = cards.LATE_S) -> None:
        self._late_s = late_s
        self._lock = Lock()
        self._db = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=BUSY_S
        )
        self._db.row_factory = sqlite3.Row
        self._db.executescript(SCHEMA)
        self._db.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def authorise(
        self, key: str, amount: Decimal, currency: str, card: str, method: str
    ) -> tuple[str, str, bool]:
        """(state, card, whether this call made it); the same key gives the first outcome."""
        with self._change() as db:
            known = self._find(db, key)
            if known is not None:
                return known["state"], known["card"], False
            if method:
                card = self._card_of(db, method)
            state, confirmed_at = cards.REFUSED.get(card, "authorised"), None
            if card == cards.LATE:
                state, confirmed_at = "pending", time() + self._late_s
            db.execute(
                "INSERT INTO payments (key, state, amount, currency, card, confirmed_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (key, state, str(amount), currency, card, confirmed_at),
            )
            if method and state in ("authorised", "pending"):
                db.execute("UPDATE methods SET spent_by = ? WHERE id = ?", (key, method))
            self._enter(db, key, state, str(amount), currency)
            return state, card, True

    def capture(self, key: str) -> str:
        """Take the money of an authorised payment; else say what it is."""
        with self._change() as db:
            row = self._find(db, key)
            if row is None or row["state"] != "authorised":
                return row["state"] if row else "unknown"
            if row["card"] == cards.CAPTURE_REFUSED:
                return "declined"
            db.execute(
                "UPDATE payments SET state = 'captured', captured = amount WHERE key = ?", (key,)
            )
            self._enter(db, key, "captured", row["amount"], row["currency"])
            return "captured"

    def void(self, key: str) -> str:
        """Let go of a reservation; of an unknown key it is remembered and refuses a later one."""
        with self._change() as db:
            row = self._find(db, key)
            if row is not None and row["state"] not in ("authorised", "pending"):
                return str(row["state"])
            db.execute(
                "INSERT INTO payments (key, state, amount, currency, card)"
                " VALUES (?, 'voided', '0', '', '')"
                " ON CONFLICT (key) DO UPDATE SET state = 'voided'",
                (key,),
            )
            self._enter(db, key, "voided", "0", "")
            return "voided"

    def refund(self, key: str) -> str:
        """Give back what was captured, once. Raises RefundFailedError."""
        with self._change() as db:
            row = self._find(db, key)
            if row is None or row["state"] != "captured":
                return row["state"] if row else "unknown"
            fails = (
                row["card"] == cards.REFUND_FAILS_TWICE and row["failures"] < cards.REFUND_FAILURES
            )
            if fails:
                db.execute("UPDATE payments SET failures = failures + 1 WHERE key = ?", (key,))
            else:
                db.execute(
                    "UPDATE payments SET state = 'refunded', refunded = captured WHERE key = ?",
                    (key,),
                )
                self._enter(db, key, "refunded", row["amount"], row["currency"])
        if fails:
            raise RefundFailedError
        return "refunded"

    def look_up(self, key: str) -> str:
        """The state of a key; `unknown` for one that was never seen."""
        with self._change() as db:
            row = self._find(db, key)
        return str(row["state"]) if row else "unknown"

    def keep_method(self, card: str) -> str:
        """A token that pays once within a day."""
        token = f"pm_{secrets.token_urlsafe(18)}"
        with self._change() as db:
            db.execute(
                "INSERT INTO methods (id, card, kept_at) VALUES (?, ?, ?)", (token, card, time())
            )
        return token

    def payments(self) -> list[dict[str, Any]]:
        """Every payment without its card, for proofs that compare the ledger with tickets."""
        with self._lock:
            rows = self._db.execute(
                "SELECT key, state, amount, currency, captured, refunded FROM payments ORDER BY key"
            ).fetchall()
        return [dict(row) for row in rows]

    @staticmethod
    def _find(db: sqlite3.Connection, key: str) -> Any:
        """The payment; one that was to be confirmed by now is."""
        db.execute(
            "UPDATE payments SET state = 'authorised' WHERE key = ? AND state = 'pending'"
            " AND confirmed_at <= ?",
            (key, time()),
        )
        return db.execute("SELECT * FROM payments WHERE key = ?", (key,)).fetchone()

    @staticmethod
    def _card_of(db: sqlite3.Connection, method: str) -> str:
        row = db.execute(
            "SELECT card FROM methods WHERE id = ? AND spent_by IS NULL AND kept_at > ?",
            (method, time() - METHOD_S),
        ).fetchone()
        if row is None:
            raise InvalidCardError
        return str(row["card"])

    @staticmethod
    def _enter(db: sqlite3.Connection, key: str, what: str, amount: str, currency: str) -> None:
        db.execute(
            "INSERT INTO entries (at, key, what, amount, currency) VALUES (?, ?, ?, ?, ?)",
            (time(), key, what, amount, currency),
        )
