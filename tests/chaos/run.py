"""Runs seeds on stages, waits until all is quiet, and gathers what was seen and what was wrong."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import psycopg

from tests.chaos import checker
from tests.chaos.buyers import History
from tests.chaos.checker import HOLD_S, check, met_a_fault, near, purchases, rules
from tests.chaos.crowd import API_BUYERS, PAGE_BUYERS, drive
from tests.chaos.faults import CLOCK, EARLY_S, KINDS, Faults
from tests.chaos.mutants import Change
from tests.chaos.pages import visitor
from tests.chaos.stage import Stage, staged
from tests.halls import Hall, hall_in
from tests.journey.system import System, wait_for

PIECE = 20
"""So many seeds a stage: tokens live an hour, and what comes before and after them takes a minute."""
SECTIONS = [("Platea", 8, 20, "80.00"), ("Mezzanine", 8, 20, "35.50")]
RECOVERED_S, CALM_S = 12.0, 10.0
QUIET_S_MAX = 120.0
"""A payment confirmed 30 s late, waited for up to 60 s, and what comes after it."""
HITS_MIN, MET_MIN, COMPLETED_MIN = 20, 0.3, 50
ACCEPTED_MIN = 56
"""So that COMPLETED_MIN are completed although the bank refuses to capture a few."""
LATE_PURCHASES = """
    SELECT (SELECT count(*) FROM orders.purchases WHERE step NOT IN ('PLACED', 'REFUSED'))
         + (SELECT count(*) FROM orders.orders WHERE status IN ('PENDING', 'PROCESSING'))
         + (SELECT count(*) FROM orders.orders WHERE status IN ('FAILED', 'CANCELLED') AND settled_at IS NULL)
         + (SELECT count(*) FROM orders.outbox) + (SELECT count(*) FROM catalog.seat_changes)
         + (SELECT count(*) FROM catalog.seats WHERE status = 'SOLD' AND NOT EXISTS
              (SELECT FROM orders.tickets WHERE seat_id = seats.id AND voided_at IS NULL)
              AND EXISTS (SELECT FROM orders.purchases WHERE purchases.order_uuid = seats.order_uuid))"""


@dataclass(frozen=True)
class Plan:
    """Which seeds, how long each, of which code, with which faults."""

    seeds: Sequence[int]
    seconds: float
    changes: tuple[Change, ...] = ()
    kinds: Sequence[str] = KINDS
    calm_s: float = CALM_S
    """So long at the end nothing is broken and everything must be quick."""
    enough: int = 0
    """So many orders must be accepted before a seed is over; it may take longer than others."""


@dataclass
class Report:
    """What all seeds had: faults by kind, purchases, orders, and what was wrong by seed."""

    hits: Counter[str] = field(default_factory=Counter)
    purchases: int = 0
    met: int = 0
    completed: list[int] = field(default_factory=list)
    settled_s: list[float] = field(default_factory=list)
    wrong: dict[int, list[str]] = field(default_factory=dict)

    def thin(self) -> list[str]:
        """Why so little was tried that a clean verdict would say nothing."""
        said = []
        scarce = [kind for kind in KINDS if self.hits[kind] < HITS_MIN]
        if scarce:
            said.append(f"hit fewer than {HITS_MIN} times: {', '.join(scarce)}")
        if self.met < MET_MIN * self.purchases:
            said.append(f"{self.met} of {self.purchases} purchases met a fault")
        few = [count for count in self.completed if count < COMPLETED_MIN]
        if few:
            said.append(f"{len(few)} seeds completed fewer than {COMPLETED_MIN} orders")
        return said

    def tables(self) -> str:
        """The faults that hit, what was bought meanwhile, and what was too little; wrong was told at once."""
        rows = "".join(f"| {kind} | {self.hits[kind]} |\n" for kind in KINDS)
        thin = "".join(f"thin: {sentence}\n" for sentence in self.thin())
        return (
            f"\n| fault | hits |\n|---|---|\n{rows}| all | {sum(self.hits.values())} |\n\n"
            f"{self.purchases} purchases, {self.met} met a fault; orders completed a seed:"
            f" {min(self.completed, default=0)} to {max(self.completed, default=0)};"
            f" quiet again after {max(self.settled_s, default=0):.0f} s at most\n{thin}"
        )


def run(folder: Path, plan: Plan, report: Report) -> None:
    """All seeds, PIECE of them a stage; a line a seed says how far it is."""
    for start in range(0, len(plan.seeds), PIECE):
        piece = folder / f"from-{plan.seeds[start]}"
        with staged(piece, plan.changes, WORKERS_MAX="3", HOLD_SECONDS=str(HOLD_S)) as stage:
            _piece(stage, replace(plan, seeds=plan.seeds[start : start + PIECE]), report, piece)


def _piece(stage: Stage, plan: Plan, report: Report, folder: Path) -> None:
    system, faults, histories = stage.system, Faults(stage, plan.kinds), []
    seeds, seconds = plan.seeds, plan.seconds
    tokens = system.provider("tokens", str(API_BUYERS * (len(seeds) + 1)))
    tokens_at = monotonic()
    visitors = [visitor(system.address) for _ in range(PAGE_BUYERS * (len(seeds) + 1))]
    if CLOCK in plan.kinds:
        # A host that is early must not find that they were made in the future.
        sleep(max(0.0, tokens_at + EARLY_S - monotonic()))
    for number, seed in enumerate(seeds):
        event = _hall(system)
        mine = tokens[number * API_BUYERS : (number + 1) * API_BUYERS]
        history = History(seed, event.id, monotonic(), monotonic() + seconds, plan.enough)
        breaking = Thread(target=faults.run, args=(seed, history.over))
        breaking.start()
        who = visitors[number * PAGE_BUYERS : (number + 1) * PAGE_BUYERS]
        drive(history, event.seats, mine, who, stage.addresses)
        breaking.join()
        histories.append(history)
        (folder / f"history-{seed}.jsonl").write_text(history.lines())
    # One more is left alone: after all that, everything is as quick as ever.
    event = _hall(system)
    sleep(RECOVERED_S)
    calm = History(0, event.id, monotonic(), monotonic() + plan.calm_s)
    drive(calm, event.seats, tokens[-API_BUYERS:], visitors[-PAGE_BUYERS:], stage.addresses)
    begun = monotonic()
    quiet = _quiet(system)
    report.settled_s.append(monotonic() - begun)
    (folder / "faults.jsonl").write_text(
        "".join(json.dumps(asdict(one)) + "\n" for one in faults.injected)
    )
    report.hits.update(one.kind for one in faults.injected)
    for history in histories:
        _count(system, history, faults, report)
    broken = [
        *rules(system),
        *check(system, calm, faults.injected, monotonic()),
        *checker.calm(calm),
        *([] if quiet else [f"something is still under way after {QUIET_S_MAX:.0f} s"]),
    ]
    if broken:
        sys.stdout.write("".join(f"  after them: {sentence}\n" for sentence in broken))
        report.wrong.setdefault(0, []).extend(broken)


def _hall(system: System) -> Hall:
    """A hall for one seed; Postgres may still be starting after the last fault of the one before."""

    def made() -> Hall | None:
        with suppress(psycopg.OperationalError):
            return hall_in(system.settings.database_url, SECTIONS)
        return None

    hall = wait_for(made, QUIET_S_MAX, "no hall can be made")
    assert hall
    return hall


def _count(system: System, history: History, faults: Faults, report: Report) -> None:
    tried = purchases(history)
    report.purchases += len(tried)
    report.met += sum(met_a_fault(calls, faults.injected) for calls in tried)
    completed = system.rows(
        "SELECT count(*) FROM orders.history JOIN orders.orders USING (order_uuid)"
        " WHERE event_id = %s AND new_status = 'COMPLETED'", history.event_id)[0][0]  # fmt: skip
    report.completed.append(completed)
    wrong = check(system, history, faults.injected, monotonic())
    if wrong:
        report.wrong[history.seed] = wrong
    sys.stdout.write(
        f"seed {history.seed}: {len(tried)} purchases, {completed} orders completed,"
        f" {sum(near(history.began, history.ended, [one]) for one in faults.injected)} faults near,"
        f" {'WRONG' if wrong else 'right'}\n" + "".join(f"  {sentence}\n" for sentence in wrong)
    )
    sys.stdout.flush()


def _quiet(system: System) -> bool:
    """Until nothing is under way, or for as long as that may take; False: something is."""
    deadline = monotonic() + QUIET_S_MAX
    while monotonic() < deadline:
        try:
            if system.rows(LATE_PURCHASES)[0][0] == 0:
                return True
        except psycopg.OperationalError:
            pass  # it is being restarted
        sleep(0.5)
    return False
