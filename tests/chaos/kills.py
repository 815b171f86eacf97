"""`make kills`: each process killed in turn at 1,000 orders a minute; a line a process of what buyers noticed.

With MINUTES: for so long a random one each minute, and how many requests were answered right.
"""

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import quantiles
from time import monotonic, sleep
from uuid import uuid4

import psutil
import redis
import requests

from pipeline.bank.cards import PAYS
from tests.chaos.faults import MODULES, SERVERS, SERVERS_KEEPER
from tests.halls import hall_in
from tests.journey.system import System, running, wait_for

RATE = 1_000 / 60
CALM_S, AFTER_S = 8.0, 14.0
BACK_S = 10.0
"""So long after a kill the 95th percentile shall be below twice what it was."""
BUYERS, TOKENS = 64, 40
SECTIONS = [(f"Sector {n}", 20, 25, "10.00") for n in range(1, 13)]
EMPTIED, EMPTIED_S = "Redis emptied", 22.0
"""The same for FLUSHALL, in the middle of 500 orders."""
MINUTE_S, SEED = 60.0, 1
ANSWERED_MIN = 0.999
VERDICT_S_MAX = 60.0
BACKLOG_S_MAX = 60.0
AWAY = (0, 502, 503, 504)


@dataclass(frozen=True)
class Bought:
    """One purchase: when it was begun, how long its first answer took, and how it ended."""

    began: float
    first_s: float
    tries: int
    order_uuid: str


class Load:
    """Purchases at a steady rate, each sent again under its key until there is a verdict."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._seats = self._all_seats()
        self.answers = Counter[int]()
        """How many answers there were of each status; 0: none came."""
        self._tokens = system.provider("tokens", str(TOKENS))
        self._crowd = ThreadPoolExecutor(BUYERS)

    def _all_seats(self) -> Iterator[tuple[int, int]]:
        """(event, seat), without an end: when a hall is full there is another one."""
        while True:
            hall = hall_in(self._system.settings.database_url, SECTIONS)
            yield from ((hall.id, seat) for seat in hall.seats)

    def during(self, seconds: float) -> list["Future[Bought]"]:
        """Begin purchases for so long."""
        begun, running = monotonic(), []
        for number in range(int(seconds * RATE)):
            sleep(max(0.0, begun + number / RATE - monotonic()))
            wanted = next(self._seats)
            running.append(self._crowd.submit(self._buy, *wanted, number, monotonic()))
        return running

    def _buy(self, event: int, seat: int, number: int, began: float) -> Bought:
        key, first, tries = str(uuid4()), 0.0, 0
        while True:
            tries += 1
            try:
                answer = self._system.order(event, [seat], self._tokens[number % TOKENS], key, PAYS)
                status = answer.status_code
                error = "" if status == 201 or status in AWAY else answer.json().get("error", "")
            except requests.RequestException:
                status, error = 0, ""
            first = first or monotonic() - began
            self.answers[status] += 1
            if status == 201:
                return Bought(began, first, tries, answer.json()["order_uuid"])
            assert status in AWAY or error == "in_progress", (status, error)
            assert monotonic() < began + VERDICT_S_MAX, "no verdict"
            sleep(0.5)


def p95(bought: list[Bought]) -> float:
    """Milliseconds until the first answer."""
    return 1000 * quantiles([one.first_s for one in bought], n=20)[18]


def kill(system: System, whom: str) -> None:
    """Kill -9 a module's processes and all that they started, or a server's; or empty Redis."""
    if whom == EMPTIED:
        with redis.Redis.from_url(system.settings.redis_url) as client:
            client.flushall()
        return
    eldest = system.processes(SERVERS_KEEPER if whom in SERVERS else whom)
    below = [one for process in eldest for one in process.children(recursive=True)]
    victims = [*eldest, *below]
    if whom in SERVERS:
        victims = [one for one in below if one.name() == whom]
    assert victims, whom
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()


def line(system: System, load: Load, whom: str) -> str:
    """Calm, the kill, and what came after it, as a row of the table."""
    calm = load.during(CALM_S)
    killed = monotonic()
    kill(system, whom)
    after = load.during(EMPTIED_S if whom == EMPTIED else AFTER_S)
    ended = monotonic()
    bought = [one.result() for one in (*calm, *after)]
    wait_for(lambda: backlog(system) == 0, BACKLOG_S_MAX, f"{whom}: the backlog does not go")
    gone = monotonic() - ended
    done, right = _verdict(system, bought)
    orders = len(bought)
    before = p95([one.result() for one in calm])
    fault = [one for one in bought if killed - 1 < one.began < killed + BACK_S]
    later = [one for one in bought if one.began >= killed + BACK_S]
    return (
        f"| {whom} | {orders} | {done} | {orders - done} | {sum(one.tries > 1 for one in bought)}"
        f" | {before:.0f} | {p95(fault):.0f} | {p95(later):.0f} | {gone:.1f}"
        f" | {_said(right=right, quick=p95(later) <= 2 * before)} |\n"
    )


def _said(*, right: bool, quick: bool) -> str:
    return ("right" if quick else "SLOW") if right else "WRONG"


def _verdict(system: System, bought: list[Bought]) -> tuple[int, bool]:
    """How many are COMPLETED, and whether all are, each with a seat of its own, and paid."""
    orders = [one.order_uuid for one in bought]
    done, seats = system.rows(
        "SELECT count(DISTINCT order_uuid) FILTER (WHERE status = 'COMPLETED'), count(DISTINCT seat_id)"
        " FROM orders.orders JOIN orders.tickets USING (order_uuid) WHERE order_uuid = ANY (%s::uuid[])",
        orders,
    )[0]
    ledger = system.ledger()
    captured = sum(ledger[order]["state"] == "captured" for order in orders)
    return int(done), done == seats == captured == len(orders)


def random_kills(system: System, load: Load, minutes: int) -> bool:
    """A random one killed each minute; gives whether every order was right, and enough requests were.

    To be asked to come back is an answer, and what the contract says of a server that is away.
    """
    random, bought = Random(SEED), list[Bought]()
    sys.stdout.write("| minute | killed | p95 ms | unfinished |\n|---|---|---|---|\n")
    for minute in range(1, minutes + 1):
        whom = random.choice((*MODULES, *SERVERS))
        before = load.during(random.uniform(0, MINUTE_S / 2))
        kill(system, whom)
        after = load.during(MINUTE_S - len(before) / RATE)
        lately = [one.result() for one in (*before, *after)]
        bought += lately
        sys.stdout.write(f"| {minute} | {whom} | {p95(lately):.0f} | {backlog(system)} |\n")
        sys.stdout.flush()
    wait_for(lambda: backlog(system) == 0, BACKLOG_S_MAX, "the backlog does not go")
    done, right = _verdict(system, bought)
    asked = sum(load.answers.values())
    busy = load.answers[503]
    well = sum(n for status, n in load.answers.items() if status not in AWAY)
    sys.stdout.write(
        f"\n{len(bought)} orders accepted, {done} completed; {asked} requests: {well} answered"
        f" ({100 * well / asked:.3f} %), {busy} asked to come back ({100 * busy / asked:.3f} %),"
        f" {asked - well - busy} without an answer ({100 * (asked - well - busy) / asked:.3f} %);"
        f" {'right' if right else 'WRONG'}\n"
    )
    return right and well + busy >= ANSWERED_MIN * asked


def backlog(system: System) -> int:
    """Orders that are not finished."""
    unfinished = "SELECT count(*) FROM orders.orders WHERE status IN ('PENDING', 'PROCESSING')"
    return int(system.rows(unfinished)[0][0])


def main(minutes: int) -> int:
    """All of them, one after the other, on one system, or at random; gives the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="ticketbuster-kills-"))
    sys.stdout.write(
        f"# {'A process a minute' if minutes else 'Each process'} killed at {RATE * 60:.0f} orders/min,"
        f" {psutil.cpu_count()} cores\n\n"
    )
    with running(folder, WORKERS_MAX="2") as system:
        load = Load(system)
        [one.result() for one in load.during(CALM_S)]
        right = random_kills(system, load, minutes) if minutes else in_turn(system, load)
    shutil.rmtree(folder)
    return int(not right)


def in_turn(system: System, load: Load) -> bool:
    """A line for each; gives whether every order was right."""
    sys.stdout.write(
        "| killed | accepted | completed | failed | asked again | p95 ms before | within 10 s | later"
        " | backlog gone after s | verdict |\n|---|---|---|---|---|---|---|---|---|---|\n"
    )
    rows = list[str]()
    for whom in (*MODULES, *SERVERS, EMPTIED):
        rows.append(line(system, load, whom))
        sys.stdout.write(rows[-1])
        sys.stdout.flush()
    return all(row.endswith("| right |\n") for row in rows)


if __name__ == "__main__":
    sys.exit(main(int(*sys.argv[1:2])))
