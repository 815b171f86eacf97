"""`make kills`: each process killed in turn at 1,000 orders a minute; a line a process of what buyers noticed."""

import shutil
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from time import monotonic, sleep
from uuid import uuid4

import psutil
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
        hall = hall_in(system.settings.database_url, SECTIONS)
        self._event, self._seats = hall.id, iter(hall.seats)
        self._tokens = system.provider("tokens", str(TOKENS))
        self._crowd = ThreadPoolExecutor(BUYERS)

    def during(self, seconds: float) -> list["Future[Bought]"]:
        """Begin purchases for so long."""
        begun, running = monotonic(), []
        for number in range(int(seconds * RATE)):
            sleep(max(0.0, begun + number / RATE - monotonic()))
            running.append(self._crowd.submit(self._buy, next(self._seats), number))
        return running

    def _buy(self, seat: int, number: int) -> Bought:
        key, began, first, tries = str(uuid4()), monotonic(), 0.0, 0
        while True:
            tries += 1
            try:
                answer = self._system.order(
                    self._event, [seat], self._tokens[number % TOKENS], key, PAYS
                )
                status = answer.status_code
                error = "" if status == 201 or status in AWAY else answer.json().get("error", "")
            except requests.RequestException:
                status, error = 0, ""
            first = first or monotonic() - began
            if status == 201:
                return Bought(began, first, tries, answer.json()["order_uuid"])
            assert status in AWAY or error == "in_progress", (status, error)
            assert monotonic() < began + VERDICT_S_MAX, "no verdict"
            sleep(0.5)


def p95(bought: list[Bought]) -> float:
    """Milliseconds until the first answer."""
    return 1000 * quantiles([one.first_s for one in bought], n=20)[18]


def kill(system: System, whom: str) -> None:
    """Kill -9 a module's processes, or a server's."""
    if whom not in SERVERS:
        system.kill(whom)
        return
    [keeper] = system.processes(SERVERS_KEEPER)
    for one in keeper.children(recursive=True):
        if one.name() == whom:
            one.kill()


def line(system: System, load: Load, whom: str) -> str:
    """Calm, the kill, and what came after it, as a row of the table."""
    calm = load.during(CALM_S)
    killed = monotonic()
    kill(system, whom)
    after = load.during(AFTER_S)
    ended = monotonic()
    bought = [one.result() for one in (*calm, *after)]
    wait_for(lambda: backlog(system) == 0, BACKLOG_S_MAX, f"{whom}: the backlog does not go")
    gone = max(0.0, monotonic() - ended)
    orders = [one.order_uuid for one in bought]
    done, seats = system.rows(
        "SELECT count(DISTINCT order_uuid) FILTER (WHERE status = 'COMPLETED'), count(DISTINCT seat_id)"
        " FROM orders.orders JOIN orders.tickets USING (order_uuid) WHERE order_uuid = ANY (%s::uuid[])",
        orders,
    )[0]
    captured = sum(system.ledger()[order]["state"] == "captured" for order in orders)
    right = done == seats == captured == len(orders)
    fault = [one for one in bought if killed - 1 < one.began < killed + BACK_S]
    later = [one for one in bought if one.began >= killed + BACK_S]
    return (
        f"| {whom} | {len(orders)} | {done} | {len(orders) - done} | {sum(one.tries > 1 for one in bought)}"
        f" | {p95([one.result() for one in calm]):.0f} | {p95(fault):.0f} | {p95(later):.0f} | {gone:.1f}"
        f" | {'right' if right else 'WRONG'} |\n"
    )


def backlog(system: System) -> int:
    """Orders that are not finished."""
    unfinished = "SELECT count(*) FROM orders.orders WHERE status IN ('PENDING', 'PROCESSING')"
    return int(system.rows(unfinished)[0][0])


def main() -> int:
    """All of them, one after the other, on one system; gives the exit code."""
    folder, rows = Path(tempfile.mkdtemp(prefix="ticketbuster-kills-")), list[str]()
    sys.stdout.write(
        f"# Each process killed at {RATE * 60:.0f} orders/min, {psutil.cpu_count()} cores\n\n"
        "| killed | accepted | completed | failed | asked again | p95 ms before | within 10 s | later"
        " | backlog gone after s | verdict |\n|---|---|---|---|---|---|---|---|---|---|\n"
    )
    with running(folder, WORKERS_MAX="2") as system:
        load = Load(system)
        [one.result() for one in load.during(CALM_S)]
        for whom in (*MODULES, *SERVERS):
            rows.append(line(system, load, whom))
            sys.stdout.write(rows[-1])
            sys.stdout.flush()
    shutil.rmtree(folder)
    return int(any("WRONG" in row for row in rows))


if __name__ == "__main__":
    sys.exit(main())
