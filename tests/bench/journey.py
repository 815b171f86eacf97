"""The journey at 1,000 orders a minute and at saturation, with CPU by process.

An order counts when its own buyer's socket has the ticket. The CPU of the load generator and of the
bank are told apart.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from contextlib import suppress
from statistics import quantiles
from time import process_time, sleep
from typing import Any
from uuid import UUID

import psutil

from pipeline.tickets import draw
from tests.bench.tap import taps
from tests.journey.system import System

BUYERS = 200
SATURATING_BUYERS = 32
STEADY_RATE = 1_000
SECONDS = int(os.environ.get("BENCH_SECONDS", "60"))
SETTLE_S = 3.0
SEATS_MAX = 30_000
SERVERS = {"postgres": "postgres", "valkey-server": "valkey"}
APART = ("bank", "load generator")
HEAD = (
    "| completed | orders/min | hold ms p50 / p95 | order ms p50 / p95 | ticket ms p50 / p95 |"
    " CPU-ms an order |"
)


def cpu(system: System) -> dict[str, float]:
    """CPU seconds so far, by the Procfile's words; the embedded servers by their own.

    With those of children that have ended, workers of the autoscaler and of Postgres.
    """
    spent: dict[str, float] = defaultdict(float)
    for line in psutil.Process(system.launcher.pid).children():
        for keeper in line.children():
            name = keeper.cmdline()[-1].rpartition(".")[2]
            for process in [keeper, *keeper.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    worker = process.cmdline()[-1:] == ["pipeline.worker"]
                    own = "worker" if worker else SERVERS.get(process.name(), name)
                    user, system_, *ended = process.cpu_times()[:4]
                    spent[own] += user + system_
                    spent["worker" if own == "autoscaler" else own] += sum(ended)
    return spent


def run(system: System, plan: dict[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """One load; gives what it measured and CPU seconds by process."""
    path = system.folder / "plan.json"
    path.write_text(json.dumps(plan))
    before = cpu(system)
    load = psutil.Popen(
        [sys.executable, "-m", "tests.bench.load", str(path)], stdout=subprocess.PIPE
    )
    said = load.stdout.read()
    _, status = load.wait(), load.returncode
    if status:
        sys.exit("the load generator failed; its lines above say why")
    measured = json.loads(said)
    after = cpu(system)
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    own = os.times()
    spent["load generator"] = own.children_user + own.children_system - run.reaped  # type: ignore[attr-defined]
    run.reaped = own.children_user + own.children_system  # type: ignore[attr-defined]
    return measured, spent


def milliseconds(seconds: list[float]) -> str:
    """p50 / p95."""
    cuts = quantiles(seconds, n=100)
    return f"{1000 * cuts[49]:.0f} / {1000 * cuts[94]:.0f}"


def report(name: str, measured: dict[str, Any], spent: dict[str, float]) -> str:
    """A table's rows for one load."""
    done = len(measured["push"])
    minutes = (measured["ended"] - measured["begun"]) / 60
    mine = sum(seconds for process, seconds in spent.items() if process not in APART)
    cells = [
        str(done),
        f"{done / minutes:,.0f}",
        *(milliseconds(measured[what]) for what in ("hold", "order", "push")),
        f"**{1000 * mine / done:.1f}**",
    ]
    lines = [
        f"### {name}",
        "",
        HEAD,
        "|---|---|---|---|---|---|",
        "| " + " | ".join(cells) + " |",
        "",
        "| CPU-ms an order | " + " | ".join(sorted(spent)) + " |",
        "|---|" + "---|" * len(spent),
        "| | "
        + " | ".join(f"{1000 * spent[process] / done:.2f}" for process in sorted(spent))
        + " |",
        "",
        f"Wrong: {len(measured['wrong'])} {measured['wrong'][:3] or ''}",
        "",
    ]
    return "\n".join(lines)


def seats(system: System) -> list[tuple[int, int]]:
    """(event, seat) that can be taken, from the largest halls."""
    return [
        (event, seat)
        for event, seat in system.rows(
            "SELECT event_id, seats.id FROM catalog.seats JOIN catalog.events ON events.id = event_id"
            " WHERE seats.status = 'AVAILABLE' AND seats.price > 0 AND events.status = 'PUBLISHED'"
            " AND coalesce(events.sales_end_at, events.starts_at) > now() + interval '1 hour'"
            " ORDER BY event_id DESC, seats.id LIMIT %s",
            SEATS_MAX,
        )
    ]


def measure(system: System) -> None:
    """Load it twice, print the tables."""
    tokens, wanted = system.provider("tokens", str(BUYERS)), seats(system)
    own = os.times()
    run.reaped = own.children_user + own.children_system  # type: ignore[attr-defined]
    port = int(system.address.rpartition(":")[2])
    seen, pushed = taps(system, wanted)
    sys.stdout.write(
        f"## The journey, {SECONDS} s a load\n\n"
        f"Tap on Pay to ticket in Chromium, ms p50 / p95: {milliseconds(seen)};"
        f" {pushed} of {len(seen)} were pushed\n\n"
    )
    used = len(seen)
    for name, rate, buyers in (
        ("Warm-up (not counted)", 600, 50),
        (f"{STEADY_RATE:,} orders a minute", STEADY_RATE, BUYERS),
        (f"Saturation, {SATURATING_BUYERS} buyers without a pause", 0, SATURATING_BUYERS),
    ):
        seconds = 5 if rate == 600 else SECONDS
        plan = {
            "port": port,
            "tokens": tokens[:buyers],
            "seats": wanted[used:],
            "rate": rate,
            "seconds": seconds,
        }
        measured, spent = run(system, plan)
        used += len(measured["hold"])
        if rate != 600:
            sys.stdout.write(report(name, measured, spent))
        sys.stdout.flush()
        sleep(SETTLE_S)
    sys.stdout.write(rules(system))


def yardstick() -> float:
    """CPU-ms of one fixed piece of work, a ticket's picture: the best of many, so that figures from
    different machines can be compared.
    """
    spent = []
    for _ in range(100):
        begun = process_time()
        draw(UUID(int=0), "TICKETBUSTER" * 11)
        spent.append(process_time() - begun)
    return 1000 * min(spent)


def rules(system: System) -> str:
    """What must be true after all of it."""
    lost = system.rows("SELECT count(*) FROM orders.orders WHERE status <> 'COMPLETED'")[0][0]
    twice = system.rows(
        "SELECT count(*) - count(DISTINCT seat_id) FROM orders.tickets WHERE voided_at IS NULL"
    )[0][0]
    return f"Orders not COMPLETED: {lost}. Seats sold twice: {twice}.\n\n"
