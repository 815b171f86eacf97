"""Redis is emptied in the middle of a rush, and what nobody can read lies in every queue."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic
from uuid import uuid4

import psycopg
import redis
import requests

from tests.journey.buyers import event_with
from tests.journey.system import System, wait_for

ORDERS = 200
COMPLETED_S = 60.0
NEXT_S = 5.0
"""A second on a machine with nothing else to do."""


def test_redis_is_emptied_in_the_middle_of_a_rush(system: System) -> None:
    event = event_with(system, ORDERS)
    seats, half = system.free_seats(event, ORDERS), Event()
    tokens = system.provider("tokens", "20")
    cookies = requests.post(
        f"{system.address}/api/events/{event}/lock-seat", json={"seat_ids": [seats[0]]}, timeout=10
    ).cookies

    def order(number: int) -> str:
        if number == ORDERS // 2:
            half.set()
        answer = system.order(event, [seats[number]], tokens[number % len(tokens)])
        return str(answer.json()["order_uuid"])

    with ThreadPoolExecutor(9) as crowd:
        emptied = crowd.submit(lambda: half.wait(60) and empty(system))
        bought = list(crowd.map(order, range(1, ORDERS)))
        assert emptied.result()
    begun = monotonic()
    system.completed(bought, COMPLETED_S)
    assert monotonic() - begun < COMPLETED_S
    [(tickets, once)] = system.rows(
        "SELECT count(*), count(DISTINCT seat_id) FROM orders.tickets WHERE voided_at IS NULL"
        " AND order_uuid = ANY (%s::uuid[])", bought)  # fmt: skip
    assert (tickets, once) == (len(bought), len(bought))
    ledger = system.ledger()
    assert {ledger[order]["state"] for order in bought} == {"captured"}
    again = requests.post(
        f"{system.address}/api/events/{event}/lock-seat",
        json={"seat_ids": [seats[0]]}, cookies=cookies, timeout=10,
    )  # fmt: skip
    assert again.status_code == 200, "the visitor's session is a row, and still holds the seat"


def empty(system: System) -> bool:
    with redis.Redis.from_url(system.settings.redis_url) as client:
        return bool(client.flushall())


def test_what_is_poisoned_holds_nobody_up(system: System) -> None:
    """In the stream, among the jobs, and in the outbox; the next order is finished all the same."""
    event = event_with(system, 5)
    now = system.settings
    with psycopg.connect(now.database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO orders.outbox (order_uuid, kind) VALUES (%s, 'make'), (%s, 'settle')",
            [uuid4(), uuid4()],
        )
    with redis.Redis.from_url(now.redis_url) as client:
        client.xadd("orders", {"order": "nonsense", "kind": "make"})
        client.hset("rq:job:poison", mapping={"data": b"no job at all", "status": "queued"})
        client.lpush("rq:queue:tickets", "poison")
        begun = monotonic()
        answer = system.order(event, system.free_seats(event, 1))
        system.completed([answer.json()["order_uuid"]], NEXT_S)
        assert monotonic() - begun < NEXT_S
        wait_for(
            lambda: not client.lrange("rq:queue:tickets", 0, -1), 10, "the poison is still there"
        )
        assert b"nonsense" in repr(client.xrange("dead-letters")).encode()
    assert not system.rows("SELECT 1 FROM orders.outbox")
