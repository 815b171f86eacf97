"""`make schedules N=100 SEED=1`: random schedules of what happens to a purchase on a bad network.

Each draws its steps from a seed, runs them on a phone of its own, and then compares what its buyer
was told with what the database and the bank know. A seed that fails is run again with ever fewer
steps, and the shortest list that still fails is printed.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic

import requests
from playwright.sync_api import Error as PageError
from playwright.sync_api import Playwright, sync_playwright

from pipeline.prepare import free_ports
from tests.journey.buyers import event_with, fill_card
from tests.journey.devices import Device, Line
from tests.journey.offline.deeds import tap
from tests.journey.system import System, running

ROUNDS_MAX = 3
PATIENCE_MS = 4_000
SETTLED_S_MAX = 60
MISHAPS = ("cut", "cut", "restore", "deaf", "reload", "reopen", "wait", "list")
REMEMBER = """addEventListener("DOMContentLoaded", () => {
  const order = document.querySelector(".order[data-status]");
  if (order) localStorage.setItem(`seen-${order.id.slice(6)}`, "1");
})"""
SEEN = (
    "Object.keys(localStorage).filter((key) => key.startsWith('seen-')).map((key) => key.slice(5))"
)


def draw(seed: int) -> list[str]:
    """The steps of a seed."""
    random = Random(seed)
    steps = []
    for _ in range(random.randint(1, ROUNDS_MAX)):
        steps += ["restore", "hold", *random.choices(MISHAPS, k=random.randint(0, 2))]
        steps += ["pay", *random.choices(MISHAPS, k=random.randint(0, 4))]
    return steps


@dataclass
class Buyer:
    """Ana on a phone, and what she does there."""

    system: System
    line: Line
    device: Device
    taps: int = 0
    failures: list[str] = field(default_factory=list)

    def step(self, name: str) -> None:
        """What cannot be done just now is left out, as a person would."""
        with suppress(PageError):
            getattr(self, f"_{name}")()

    def _hold(self) -> None:
        page = self.device.page
        page.goto(f"/events/{event_with(self.system, 3)}", timeout=PATIENCE_MS)
        page.locator("#map .row input:not(:disabled)").first.check(timeout=PATIENCE_MS)
        page.locator("#hall .act button").click(timeout=PATIENCE_MS)
        page.wait_for_url("**/checkout", timeout=PATIENCE_MS)

    def _pay(self) -> None:
        page = self.device.page
        if not page.locator("#pay").count():
            return
        page.set_default_timeout(PATIENCE_MS)
        fill_card(page)
        tap(page)
        self.taps += 1
        page.wait_for_url(lambda url: "checkout" not in url, timeout=PATIENCE_MS)

    def _cut(self) -> None:
        self.line.way = "cut"

    def _deaf(self) -> None:
        self.line.way = "deaf"

    def _restore(self) -> None:
        self.line.way = "open"

    def _reload(self) -> None:
        self.device.page.reload(timeout=PATIENCE_MS)

    def _reopen(self) -> None:
        self.device.close()
        self.device.open().goto("/", timeout=PATIENCE_MS)

    def _wait(self) -> None:
        self.device.page.wait_for_timeout(1_000)

    def _list(self) -> None:
        self.device.page.goto("/orders", timeout=PATIENCE_MS)

    def settle(self) -> None:
        """The network is back, and somebody looks, until nothing waits."""
        self.line.way = "open"
        page = self.device.page
        deadline = monotonic() + SETTLED_S_MAX
        while monotonic() < deadline:
            with suppress(PageError):
                if page.url == "about:blank" or "/orders" not in page.url:
                    page.goto("/orders", timeout=PATIENCE_MS)
                if all(one["state"] == "done" for one in self.device.purchases()):
                    return
            page.wait_for_timeout(200)
        self.failures.append("something still waits")

    def told(self) -> set[str]:
        """The orders that she was told of: by their page, or by a purchase's card or note."""
        by_card = {
            str(one["outcome"]["order_uuid"])
            for one in self.device.purchases()
            if one["outcome"]["kind"] == "bought"
        }
        return by_card | set(self.device.page.evaluate(SEEN))


@dataclass
class World:
    """The running system, and a phone on which Ana has signed in, to be copied."""

    playwright: Playwright
    system: System
    line: Line
    folder: Path

    def orders(self) -> set[str]:
        return {str(uuid) for (uuid,) in self.system.rows("SELECT order_uuid FROM orders.orders")}

    def charged(self) -> set[str]:
        states = ("authorised", "captured")
        return {key for key, one in self.system.ledger().items() if one["state"] in states}

    def run(self, steps: Sequence[str]) -> tuple[list[str], int]:
        """What is wrong after these steps, and how many orders came of them."""
        before, charged = self.orders(), self.charged()
        own = Path(tempfile.mkdtemp(dir=self.folder))
        shutil.copytree(self.folder / "signed-in", own, dirs_exist_ok=True)
        self.line.way = "open"
        device = Device(self.playwright, own, self.line.address, before=[REMEMBER])
        try:
            buyer = Buyer(self.system, self.line, device)
            device.page.goto("/")
            for step in steps:
                buyer.step(step)
            buyer.settle()
            made = self.orders() - before
            wrong = list(buyer.failures)
            if buyer.told() != made:
                wrong.append(f"told of {sorted(buyer.told())}, made {sorted(made)}")
            paid = self.charged() - charged
            if paid != made:
                wrong.append(f"charged for {sorted(paid)}, made {sorted(made)}")
            return wrong, len(made)
        finally:
            device.close()
            shutil.rmtree(own, ignore_errors=True)
            self._give_back()

    def _give_back(self) -> None:
        held = self.system.rows(
            "SELECT event_id, array_agg(id) FROM catalog.seats"
            " WHERE status = 'LOCKED' AND held_until > now() GROUP BY event_id"
        )
        for event, seats in held:
            requests.post(
                f"http://localhost:{self.line.to}/api/events/{event}/unlock-seat",
                json={"seat_ids": seats[:10]},
                headers={"Authorization": f"Bearer {self.system.ana}"},
                timeout=10,
            )

    def shrink(self, steps: list[str]) -> list[str]:
        """The same with ever fewer steps, as long as it still fails."""
        at = 0
        while at < len(steps):
            fewer = [*steps[:at], *steps[at + 1 :]]
            if fewer and self.run(fewer)[0]:
                steps = fewer
            else:
                at += 1
        return steps


@contextmanager
def world(playwright: Playwright, system: System, line: Line, folder: Path) -> Iterator[World]:
    """Ana signs in once; each schedule has a copy of her phone as it is then."""
    line.way = "open"
    first = Device(playwright, folder / "signed-in", line.address)
    first.sign_in("ana")
    first.page.goto("/events")
    first.close()
    yield World(playwright, system, line, folder)


def main(count: int, seed: int, say: Callable[[str], object] = sys.stdout.write) -> int:
    """Run so many seeds from this one on; gives how many failed."""
    failed = made = 0
    outside = Line(free_ports(1)[0])
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        port, address = str(outside.to), outside.address
        with (
            running(folder / "data", PORT=port, PUBLIC_URL=address) as system,
            world(playwright, system, outside, folder) as here,
        ):
            for one in range(seed, seed + count):
                wrong, orders = here.run(draw(one))
                made += orders
                say(f"seed {one}: {orders} orders, {'; '.join(wrong) or 'right'}\n")
                if wrong:
                    failed += 1
                    say(f"  shortest: {' '.join(here.shrink(draw(one)))}\n")
                sys.stdout.flush()
    say(f"{count} schedules from seed {seed} on: {made} orders, {failed} failed\n")
    return failed


if __name__ == "__main__":
    sys.exit(1 if main(int(sys.argv[1]), int(sys.argv[2])) else 0)
