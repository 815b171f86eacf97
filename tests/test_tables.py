"""What the tables refuse whatever the code believes, and what each role may do."""

import psycopg
import pytest

from tests.halls import hall, owner
from tests.stations import bought

pytestmark = pytest.mark.usefixtures("clean")


IMPOSSIBLE = [
    "UPDATE orders.orders SET status = 'COMPLETED'",
    "UPDATE orders.orders SET status = 'FAILED'",
    "UPDATE orders.orders SET status = 'LOST'",
    "UPDATE orders.orders SET settled_at = now()",
    "UPDATE orders.orders SET total_amount = -1",
    "UPDATE orders.tickets SET code = 'x'",
    "UPDATE orders.tickets SET admitted_at = now()",
    "UPDATE orders.purchases SET answer = NULL",
    "UPDATE orders.purchases SET fences = '{}'",
    "UPDATE catalog.seats SET order_uuid = NULL WHERE status = 'SOLD'",
    "UPDATE catalog.seats SET status = 'LOCKED', held_until = NULL, order_uuid = NULL WHERE status = 'SOLD'",
    "UPDATE catalog.seats SET holder = 'root' WHERE status = 'SOLD'",
    "UPDATE catalog.events SET ends_at = starts_at",
    "UPDATE catalog.events SET currency = 'soles'",
]


@pytest.mark.parametrize("statement", IMPOSSIBLE)
def test_impossible_rows_are_refused_by_the_table(statement: str) -> None:
    bought(hall())
    with owner() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(statement.encode())


FORBIDDEN = [
    ("web", "UPDATE catalog.seats SET status = 'AVAILABLE'"),
    ("web", "UPDATE orders.orders SET status = 'PENDING'"),
    ("web", "INSERT INTO orders.outbox (order_uuid, kind) VALUES (gen_random_uuid(), 'make')"),
    ("pipeline", "UPDATE catalog.seats SET status = 'AVAILABLE'"),
    (
        "pipeline",
        "INSERT INTO catalog.seat_changes (event_id, section_number, positions, state) VALUES (1, 1, '{0}', 'f')",
    ),
    ("pipeline", "SELECT 1 FROM accounts.sessions"),
    ("seatlock", "SELECT 1 FROM orders.orders"),
    ("seatlock", "SELECT 1 FROM accounts.users"),
    ("seatlock", "CREATE TABLE catalog.more (id int)"),
]


@pytest.mark.parametrize(("role", "statement"), FORBIDDEN)
def test_each_role_may_do_its_own_work_and_no_other(role: str, statement: str) -> None:
    """Rule 6."""
    with owner() as connection:
        connection.execute(f"SET ROLE {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())
