"""A minute of a live map of 10,000 seats while 50 seats a second change: its bytes, both ways.

Each page sends and hears what Chromium and web/static/app.js would, upgrade included. Every
frame counts as a packet that is acknowledged by another, so headers are told rather too high: frames
can share a packet, and an answer acknowledges its question.
"""

import asyncio
import os
import re
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from random import sample, uniform
from statistics import median
from time import perf_counter
from typing import Any

import requests

from tests.bench.wire import Connection, Socket, Traffic, bearer
from tests.journey.system import System

SECONDS = int(os.environ.get("BENCH_SECONDS", "60"))
SEATS_A_SECOND, SEATS_A_CALL = 50, 2
CALLERS = 80
HELD_AT_ONCE = 40
"""So many holds live before the oldest is given back: three seconds each."""
PAGES, POLLING = 20, 4
POLL_S = 5.0
HEADER, STAMPED_HEADER, TLS_RECORD = 40, 52, 22
"""Bytes of IP and TCP headers, the same with TCP's timestamps, and what TLS 1.3 adds to a message."""
MUST_BYTES = 20_000
HEAD = (
    "| bytes a minute | pages | not told | packets | content, median / max |"
    " all headers, median / max | with timestamps and TLS, max |"
)
CHROMIUM = (
    "User-Agent: Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/156.0.0.0 Mobile Safari/537.36\r\n"
    "Accept-Language: es-PE,es;q=0.9\r\nAccept-Encoding: gzip, deflate, br\r\n"
)
UPGRADE = (
    f"Pragma: no-cache\r\nCache-Control: no-cache\r\n{CHROMIUM}"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
)
FETCH = (
    f'Connection: keep-alive\r\nsec-ch-ua-platform: "Android"\r\n{CHROMIUM}'
    'sec-ch-ua: "Not:A-Brand";v="8", "Chromium";v="156"\r\nsec-ch-ua-mobile: ?1\r\nAccept: */*\r\n'
    "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"
)


@dataclass
class Changes:
    """Buyers who hold two seats and give them back, at a steady rate."""

    event: int
    free: list[list[int]]
    callers: deque[Connection]
    held: deque[tuple[Connection, list[int]]] = field(default_factory=deque)
    seats: int = 0
    """So many have changed."""
    wrong: list[str] = field(default_factory=list)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def go_on(self) -> None:
        """One call after the other by the clock, whether or not earlier ones are done."""
        begun, pause, number = perf_counter(), SEATS_A_CALL / SEATS_A_SECOND, 0
        while True:
            number += 1
            await asyncio.sleep(max(0.0, begun + number * pause - perf_counter()))
            late = len(self.held) >= HELD_AT_ONCE
            task = asyncio.create_task(self._give_back() if late else self._hold())
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)

    async def end(self) -> None:
        """Give everything back."""
        await asyncio.gather(*self.under_way)
        while self.held:
            await self._give_back()
        for caller in self.callers:
            caller.close()

    async def _hold(self) -> None:
        caller = self.callers.popleft()
        pair = self.free.pop()
        if await self._call(caller, "lock-seat", pair):
            self.held.append((caller, pair))

    async def _give_back(self) -> None:
        caller, pair = self.held.popleft()
        if await self._call(caller, "unlock-seat", pair):
            self.free.insert(0, pair)
            self.callers.append(caller)

    async def _call(self, caller: Connection, what: str, pair: list[int]) -> bool:
        status, answer = await caller.post(f"/api/events/{self.event}/{what}", {"seat_ids": pair})
        if status == 200:
            self.seats += len(answer.get("seats") or answer["seat_ids"])
        else:
            self.wrong.append(f"{what} {status} {answer}")
        return status == 200


@dataclass
class Page:
    """An open page: what it shows, how it hears of changes, and its bytes."""

    shows: str
    traffic: Traffic
    stay: Callable[[], Coroutine[Any, Any, None]]
    texts: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """How often it was not told what had changed: an error, or that it must fetch its map."""
        return sum(not text.startswith("S ") for text in self.texts)


async def listening(port: int, head: str, event: int, shows: str, version: str) -> Page:
    """A page with a socket, which has said what it shows."""
    socket = await Socket.open(port, UPGRADE + head, f"/ws?event={event}")
    socket.say(f"{shows} {version}")

    async def stay() -> None:
        while True:
            page.texts.append(await socket.text())

    page = Page("overview" if shows == "-" else "section", socket.traffic, stay)
    return page


def polling(port: int, head: str, event: int, shows: str, version: str) -> Page:
    """A page without one, which asks every few seconds, from a moment of its own on."""
    connection = Connection(port, FETCH + head)
    only = "" if shows == "-" else f"?section={shows}"

    async def stay() -> None:
        now = version
        await asyncio.sleep(uniform(0, POLL_S))
        while True:
            path = f"/events/{event}/updates?section={shows}&v={now}"
            status, answer = await connection.get(path)
            page.texts += answer.split("\n") if status == 200 else [f"{status}"]
            if answer == "R":
                _, answer = await connection.get(f"/events/{event}{only}", "HX-Request: true\r\n")
                now = version_of(answer)
            elif status == 200:
                now = page.texts[-1].split(" ")[1]
            await asyncio.sleep(POLL_S)

    kind = "overview" if shows == "-" else "section"
    page = Page(f"{kind}, polling", connection.traffic, stay)
    return page


async def minute(
    system: System, event: int, tokens: Iterable[str], seats: list[int], sections: Sequence[int]
) -> tuple[list[Page], float, Changes]:
    """Open the pages while seats change, and let them stay; gives them and seats a second."""
    port = int(system.address.rpartition(":")[2])
    mixed = sample(seats, len(seats) // 2 * 2)
    pairs = [mixed[at : at + SEATS_A_CALL] for at in range(0, len(mixed), SEATS_A_CALL)]
    callers = deque(Connection(port, bearer(token)) for token in tokens)
    changes = Changes(event, pairs, callers)
    changing = asyncio.create_task(changes.go_on())
    await asyncio.sleep(HELD_AT_ONCE * SEATS_A_CALL / SEATS_A_SECOND * 2)
    cookie, version = await asyncio.to_thread(visitor, system, event)
    head = f"Origin: {system.address}\r\n{cookie}"
    asking = f"Referer: {system.address}/events/{event}\r\n{cookie}"
    before, begun = changes.seats, perf_counter()
    pages = [await listening(port, head, event, one, version) for one in shown(sections, PAGES)] + [
        polling(port, asking, event, one, version) for one in shown(sections, POLLING)
    ]
    staying = [asyncio.create_task(page.stay()) for page in pages]
    ended, _ = await asyncio.wait([*staying, changing], timeout=SECONDS)
    rate = (changes.seats - before) / (perf_counter() - begun)
    for task in [*staying, changing]:
        task.cancel()
    for task in ended:
        task.result()
    await changes.end()
    return pages, rate, changes


def shown(sections: Sequence[int], pages: int) -> list[str]:
    """Half of the pages show the overview, the others a section each."""
    return [
        "-" if number % 2 else str(sections[number // 2 % len(sections)]) for number in range(pages)
    ]


def visitor(system: System, event: int) -> tuple[str, str]:
    """A visitor's cookie as a header line, and the version of the map as the page has it."""
    address = f"{system.address}/api/events/{event}/lock-seat"
    answer = requests.post(address, json={"seat_ids": [1]}, timeout=10)
    cookie = f"Cookie: session={answer.cookies['session']}\r\n"
    page = requests.get(f"{system.address}/events/{event}", timeout=10).text
    return cookie, version_of(page)


def version_of(page: str) -> str:
    """Up to which change a map was drawn."""
    found = re.search(r'data-v="([^"]+)"', page)
    assert found, "the page has no version"
    return found[1]


def report(name: str, pages: Iterable[Page], rate: float, changes: Changes) -> str:
    """A table's rows for one way in which seats change."""
    scale = 60 / SECONDS
    failed = f"{len(changes.wrong)} calls failed {changes.wrong[:2] or ''}"
    lines = [f"### {name}: {rate:.1f} seats changed a second, {failed}", "", HEAD, "|---" * 7 + "|"]
    kinds: dict[str, list[Page]] = {}
    for page in pages:
        kinds.setdefault(page.shows, []).append(page)
    for kind, alike in sorted(kinds.items()):
        traffics = [page.traffic for page in alike]
        packets = median(one.packets for one in traffics) * scale
        bare = [one.content * scale for one in traffics]
        whole = [one.with_headers(HEADER) * scale for one in traffics]
        most = max(one.with_headers(STAMPED_HEADER) + TLS_RECORD * one.packets for one in traffics)
        lines.append(
            f"| {kind} | {len(alike)} | {sum(page.lost for page in alike)} | {packets:.0f} |"
            f" {median(bare):,.0f} / {max(bare):,.0f} |"
            f" {median(whole):,.0f} / **{max(whole):,.0f}** | {most * scale:,.0f} |"
        )
    return "\n".join([*lines, "", ""])


def measure(system: System) -> None:
    """A minute with changes all over the hall, another with all of them in one section."""
    event = system.rows(
        "SELECT event_id FROM catalog.seats GROUP BY event_id ORDER BY abs(count(*) - 10000) LIMIT 1"
    )[0][0]
    free: dict[int, list[int]] = dict(
        system.rows(
            "SELECT section_number, array_agg(id) FROM catalog.seats"
            " WHERE event_id = %s AND status = 'AVAILABLE' GROUP BY section_number",
            event,
        )
    )
    total = system.rows("SELECT count(*) FROM catalog.seats WHERE event_id = %s", event)[0][0]
    tokens = system.provider("tokens", str(CALLERS))
    sys.stdout.write(
        f"## A live map of {total:,} seats in {len(free)} sections, {SECONDS} s\n\n"
        f"Must: at most {MUST_BYTES:,} bytes a minute and buyer with all headers: {HEADER} of IP and"
        f" TCP a packet and {HEADER} for its acknowledgement.\n\n"
    )
    everywhere = [seat for ids in free.values() for seat in ids]
    for name, seats, sections in (
        ("All over the hall", everywhere, sorted(free)),
        ("All in one section", free[max(free)], [max(free)]),
    ):
        pages, rate, changes = asyncio.run(minute(system, event, tokens, seats, sections))
        sys.stdout.write(report(name, pages, rate, changes))
        sys.stdout.flush()
