"""`make schedules N=100 SEED=1`: a purchase on a bad network, in schedules drawn from a seed.

A schedule is a list of steps: seats held, a card typed, a tap on Pay, and between them a network
that goes, answers nothing or loses answers, pages that are loaded again and browsers that are
closed or die. After each the network is whole, and what its buyer was shown is compared with what
the database and the bank know (tests/journey/offline/told.py). A schedule that fails is run again with
ever fewer steps, and the shortest that still fails is printed.
"""

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic
from uuid import uuid4

import psutil
from playwright.sync_api import Error as PageError
from playwright.sync_api import Playwright, sync_playwright

from pipeline.prepare import free_ports
from tests.journey.buyers import CARD, event_with, fill_card
from tests.journey.devices import Device
from tests.journey.offline.told import Phone, check
from tests.journey.system import System, running
from tests.lines import Line

Step = tuple[str, int]
"""What is done, and a number that says how: milliseconds, or which one."""

MISHAPS = {
    "cut": 2,
    "refuse": 2,
    "hang": 2,
    "lose": 3,
    "restore": 4,
    "reload": 3,
    "reopen": 2,
    "kill": 1,
    "wait": 3,
    "look": 2,
    "follow": 2,
    "tap": 2,
    "withdraw": 1,
    "rival": 1,
}
"""What happens between, and how often."""
ROUNDS_MAX = 2
MISHAPS_MAX = 4
MS = (0, 30, 150, 400, 900)
CARDS = (CARD["#card"],) * 4 + ("4000000000000002", "4000000000009995")
PATIENCE_MS = 1_500
SETTLED_S_MAX = 40
SHRINKING_RUNS_MAX = 60
TRIES = 2
"""So often a shorter schedule is tried: what fails by a hair does not fail each time."""


def draw(seed: int) -> list[Step]:
    """The steps of a seed: somebody pays, mostly on a bad network, and then anything happens."""
    random = Random(seed)
    steps = []
    for _ in range(random.randint(1, ROUNDS_MAX)):
        network = random.choice(("cut", "refuse", "hang", "lose", "wait"))
        steps += random.choice((["hold", network, "type"], ["hold", "type", network]))
        steps += ["tap", *_some(random, random.randint(0, MISHAPS_MAX)), "restore"]
    # The last round ends as it happens to: the network comes back to a page, or to none.
    steps = [*steps[:-1], *_some(random, 1)]
    return [(name, random.randrange(1_000)) for name in steps]


def _some(random: Random, count: int) -> list[str]:
    return random.choices(list(MISHAPS), list(MISHAPS.values()), k=count)


def written(steps: Sequence[Step]) -> str:
    """As a person reads it, and `read` does."""
    return " ".join(f"{name}:{number}" for name, number in steps)


def read(text: str) -> list[Step]:
    """The steps that `written` wrote."""
    return [(name, int(number)) for name, _, number in (one.partition(":") for one in text.split())]


@dataclass
class Buyer:
    """Somebody new on a phone of their own, and what they do there."""

    system: System
    line: Line
    phone: Phone
    number: int = 0
    offline: bool = False
    chosen: tuple[int, int] | None = None

    def do(self, steps: Sequence[Step]) -> None:
        """One after the other; what cannot be done just now is left out, as a person would."""
        for name, number in steps:
            self.number = number
            with suppress(PageError):
                getattr(self, f"_{name}")()

    def _pause(self) -> None:
        self.phone.page.wait_for_timeout(MS[self.number % len(MS)])

    def _hold(self) -> None:
        page = self.phone.page
        event = event_with(self.system, 20)
        seats = self.system.free_seats(event, 10)
        self.chosen = event, seats[self.number % len(seats)]
        page.goto(f"/events/{event}", timeout=PATIENCE_MS, wait_until="domcontentloaded")
        place = page.locator(f'#map input[name=seat][value="{self.chosen[1]}"]')
        place.check(timeout=PATIENCE_MS)
        page.locator("#hall .act button").click(timeout=PATIENCE_MS, no_wait_after=True)
        page.wait_for_url("**/checkout", timeout=PATIENCE_MS, wait_until="domcontentloaded")

    def _type(self) -> None:
        page = self.phone.page
        if page.locator("#card").count():
            page.set_default_timeout(PATIENCE_MS)
            fill_card(page, CARDS[self.number % len(CARDS)])
            # The bank gives something for it meanwhile, if there is a network.
            self._pause()

    def _tap(self) -> None:
        page = self.phone.page
        key = page.locator("#pay [name=idempotency_key]")
        if not key.count():
            return
        self.phone.tapped(key.input_value(timeout=PATIENCE_MS))
        page.locator("[form=pay][data-busy]").click(timeout=PATIENCE_MS, no_wait_after=True)
        self._pause()

    def _cut(self) -> None:
        self.offline = True
        self.phone.context.set_offline(True)

    def _refuse(self) -> None:
        self.line.way = "cut"

    def _hang(self) -> None:
        self.line.way = "mute"

    def _lose(self) -> None:
        self.line.way = "deaf"

    def _restore(self) -> None:
        self.line.way = "open"
        self.offline = False
        self.phone.context.set_offline(False)

    def _reload(self) -> None:
        self.phone.page.reload(timeout=PATIENCE_MS, wait_until="commit")
        self._pause()

    def _reopen(self) -> None:
        self.phone.close()
        self._open()

    def _kill(self) -> None:
        """The phone's battery ends: what was not written down is lost, a session's cookie too."""
        for process in self.phone.processes():
            with suppress(psutil.Error):
                process.kill()
        with suppress(PageError):
            self.phone.close()
        self._open()

    def _open(self) -> None:
        self.phone.open()
        self.phone.context.set_offline(self.offline)
        self.phone.page.goto("/", timeout=PATIENCE_MS, wait_until="domcontentloaded")

    def _wait(self) -> None:
        self.phone.page.wait_for_timeout(self.number)

    def _look(self) -> None:
        self.phone.page.goto("/orders", timeout=PATIENCE_MS, wait_until="domcontentloaded")
        self._pause()

    def _withdraw(self) -> None:
        card = self.phone.page.locator(".waits-card:has(.withdraw)").first
        says = card.get_attribute("data-says", timeout=300) or ""
        card.locator(".withdraw").click(timeout=300)
        self.phone.withdrawn.add(says.partition(" ")[0])

    def _follow(self) -> None:
        """What a card offers: the order, the checkout, or equal seats."""
        self.phone.page.locator(".waits-card.done .acts .button").first.click(timeout=300)
        self._pause()
        self._type()

    def _rival(self) -> None:
        if self.chosen:
            self.system.ask(self.chosen[0], "lock-seat", [self.chosen[1]])

    def settle(self) -> bool:
        """The network is whole, and somebody looks, until nothing waits; whether that came."""
        self._restore()
        deadline = monotonic() + SETTLED_S_MAX
        while monotonic() < deadline:
            with suppress(PageError):
                if self._stands_still():
                    return True
            self.phone.page.wait_for_timeout(100)
        return False

    def _stands_still(self) -> bool:
        page = self.phone.page
        if "/provider/" in page.url or "/login" in page.url:
            self.phone.sign_in_again()
        if not page.url.endswith("/orders"):
            page.goto("/orders", timeout=PATIENCE_MS * 2, wait_until="domcontentloaded")
            return False
        return self.phone.nothing_waits()


@dataclass
class Verdict:
    """What is wrong after a schedule, and what came of it."""

    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


@dataclass
class World:
    """The running system, and a phone on which the worker lies, to be copied."""

    playwright: Playwright
    system: System
    line: Line
    phone: Path
    folder: Path

    def run(self, steps: Sequence[Step]) -> Verdict:
        """A fresh account on a fresh phone does these steps."""
        began = monotonic()
        own = self.folder / uuid4().hex
        shutil.copytree(self.phone, own, symlinks=True)
        self.line.way = "open"
        phone = Phone(self.playwright, own, self.line.address)
        charged = set(self.system.ledger())
        try:
            phone.sign_up()
            buyer = Buyer(self.system, self.line, phone)
            buyer.do(steps)
            verdict = Verdict()
            if not buyer.settle():
                verdict.wrong.append(f"still waits: {phone.purchases()}")
            wrong, verdict.counts = check(self.system, phone, charged)
            verdict.wrong += wrong
        finally:
            with suppress(PageError):
                phone.close()
            shutil.rmtree(own, ignore_errors=True)
        verdict.seconds = monotonic() - began
        return verdict

    def shrink(self, steps: list[Step]) -> list[Step]:
        """The same with ever fewer steps, as long as it still fails."""
        at = runs = 0
        while at < len(steps) and runs < SHRINKING_RUNS_MAX:
            fewer = [*steps[:at], *steps[at + 1 :]]
            for _ in range(TRIES):
                runs += 1
                if self.run(fewer).wrong:
                    steps = fewer
                    break
            else:
                at += 1
        return steps


def lay_in(playwright: Playwright, line: Line, folder: Path) -> Path:
    """What a phone keeps on which the worker lies and nobody has signed in."""
    line.way = "open"
    blank = Device(playwright, folder, line.address)
    blank.page.goto("/")
    blank.ready()
    blank.close()
    return folder


@contextmanager
def whole() -> Iterator[World]:
    """A system of its own behind a line, and a browser."""
    line = Line(free_ports(1)[0])
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        with running(folder / "data", PORT=str(line.to), PUBLIC_URL=line.address) as system:
            phone = lay_in(playwright, line, folder / "phone")
            yield World(playwright, system, line, phone, folder)
    line.close()


def say(line: str) -> None:
    """At once, for whoever waits for the next."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(count: int, first: int) -> int:
    """Run so many seeds from this one on; gives how many failed."""
    sums: Counter[str] = Counter()
    failed, seconds = [], 0.0
    with whole() as here:
        for seed in range(first, first + count):
            steps = draw(seed)
            verdict = here.run(steps)
            sums += verdict.counts
            seconds += verdict.seconds
            what = "; ".join(verdict.wrong) or "right"
            say(f"seed {seed}: {verdict.seconds:.1f} s, {dict(verdict.counts)}, {what}")
            if verdict.wrong:
                failed.append(seed)
                say(f"  steps:    {written(steps)}")
                say(f"  shortest: {written(here.shrink(steps))}")
    say(f"{count} schedules from seed {first} on, {seconds / count:.1f} s each: {dict(sums)}")
    say(f"{len(failed)} failed" + (f": seeds {failed}" if failed else ""))
    return len(failed)


def again(text: str, times: int) -> int:
    """One schedule, as it was printed, so many times; gives how often it failed."""
    failed = 0
    with whole() as here:
        for _ in range(times):
            verdict = here.run(read(text))
            failed += bool(verdict.wrong)
            what = "; ".join(verdict.wrong) or "right"
            say(f"{verdict.seconds:.1f} s, {dict(verdict.counts)}, {what}")
    return failed


if __name__ == "__main__":
    if ":" in sys.argv[1]:
        sys.exit(bool(again(sys.argv[1], int(sys.argv[2]))))
    sys.exit(bool(main(int(sys.argv[1]), int(sys.argv[2]))))
