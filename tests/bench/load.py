"""The load generator, a process of its own: buyers who hold, pay and wait for their ticket's push.

`python -m tests.bench.load PLAN` reads a plan (JSON) and prints what it measured (JSON).
"""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

from tests.bench.wire import Connection, Socket, bearer

CARD = "4242424242424242"
DRAIN_S_MAX = 60.0
COMPLETED = re.compile(r'data-status="COMPLETED"')
ORDER = re.compile(r'href="/orders/([0-9a-f-]{36})/cancel"')


@dataclass
class Measured:
    """Seconds of every hold, order and push, and what went wrong."""

    hold: list[float] = field(default_factory=list)
    order: list[float] = field(default_factory=list)
    push: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    begun: float = 0.0
    ended: float = 0.0


@dataclass
class Buyer:
    """An account with a connection and a socket of its own."""

    connection: Connection
    socket: Socket


class Load:
    """One run: buyers, the seats that they want, what was measured."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._seats: Iterator[tuple[int, int]] = iter([tuple(seat) for seat in plan["seats"]])
        self._paid_at: dict[tuple[int, str], float] = {}
        self._early: dict[tuple[int, str], float] = {}
        self._all_pushed = asyncio.Event()
        self._buying = True
        self.measured = Measured()

    async def run(self) -> Measured:
        """Connect, buy as the plan says, wait for the last ticket."""
        port, tokens = self._plan["port"], self._plan["tokens"]
        buyers = [
            Buyer(Connection(port, bearer(token)), await Socket.open(port, bearer(token)))
            for token in tokens
        ]
        listeners = [asyncio.create_task(self._listen(buyer)) for buyer in buyers]
        self.measured.begun = perf_counter()
        await (self._at_rate(buyers) if self._plan["rate"] else self._at_full_speed(buyers))
        self._buying = False
        self._check_drained()
        try:
            await asyncio.wait_for(self._all_pushed.wait(), DRAIN_S_MAX)
        except TimeoutError:
            self.measured.wrong.append(f"{len(self._paid_at)} tickets never came")
        for listener in listeners:
            listener.cancel()
        for buyer in buyers:
            buyer.connection.close()
            buyer.socket.close()
        return self.measured

    async def _at_rate(self, buyers: list[Buyer]) -> None:
        """Arrivals by the clock, whether or not earlier ones are done."""
        free: asyncio.Queue[Buyer] = asyncio.Queue()
        for buyer in buyers:
            free.put_nowait(buyer)
        pause, running = 60.0 / self._plan["rate"], set()

        async def one(buyer: Buyer) -> None:
            await self._buy(buyer, *next(self._seats))
            free.put_nowait(buyer)

        for number in range(int(self._plan["seconds"] / pause)):
            await asyncio.sleep(max(0, self.measured.begun + number * pause - perf_counter()))
            task = asyncio.create_task(one(await free.get()))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)

    async def _at_full_speed(self, buyers: list[Buyer]) -> None:
        """Each buyer begins anew as soon as the order is accepted, while there are seats."""
        until = self.measured.begun + self._plan["seconds"]

        async def again(buyer: Buyer) -> None:
            while perf_counter() < until and (seat := next(self._seats, None)):
                await self._buy(buyer, *seat)

        await asyncio.gather(*(again(buyer) for buyer in buyers))

    async def _buy(self, buyer: Buyer, event_id: int, seat: int) -> None:
        begun = perf_counter()
        held, body = await buyer.connection.post(
            f"/api/events/{event_id}/lock-seat", {"seat_ids": [seat]}
        )
        self.measured.hold.append(perf_counter() - begun)
        if held != 200:
            self.measured.wrong.append(f"hold {held} {body}")
            return
        begun = perf_counter()
        placed, body = await buyer.connection.post(
            "/api/orders",
            {"event_id": event_id, "seat_ids": [seat], "payment": {"card_number": CARD}},
            str(uuid4()),
        )
        now = perf_counter()
        self.measured.order.append(now - begun)
        if placed != 201:
            self.measured.wrong.append(f"order {placed} {body}")
            return
        order = (id(buyer), body["order_uuid"])
        if order in self._early:
            self._pushed(self._early.pop(order) - now)
        else:
            self._paid_at[order] = now

    async def _listen(self, buyer: Buyer) -> None:
        """An order counts when its own buyer's socket has the ticket."""
        while True:
            text = await buyer.socket.text()
            found = ORDER.search(text)
            if not found or not COMPLETED.search(text):
                continue
            order, now = (id(buyer), found[1]), perf_counter()
            paid_at = self._paid_at.pop(order, None)
            if paid_at is None:
                self._early[order] = now
            else:
                self._pushed(now - paid_at)

    def _pushed(self, seconds: float) -> None:
        self.measured.push.append(max(0.0, seconds))
        self.measured.ended = perf_counter()
        self._check_drained()

    def _check_drained(self) -> None:
        if not self._buying and not self._paid_at:
            self._all_pushed.set()


if __name__ == "__main__":
    plan = json.loads(Path(sys.argv[1]).read_text())
    json.dump(vars(asyncio.run(Load(plan).run())), sys.stdout)
