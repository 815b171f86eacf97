"""A phone on slow 4G with a slow processor, as Chromium can play one, and what its user waits for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.audit.pages import LANGUAGE
from tests.browser import PHONE

DOWN_BYTES_S = 1_600_000 / 8
UP_BYTES_S = 750_000 / 8
ROUND_TRIP_MS = 150
CPU_TIMES_SLOWER = 4
SHARPNESS = 1.75
"""Pixels a CSS pixel, as Lighthouse's phone has them: ours are painted by the processor, not by a phone's GPU."""
WAIT_MS_MAX = 60_000.0
SETTLE_MS = 700
"""More than a tap's answer takes to be painted and measured."""
OBSERVE = Path(__file__).with_name("observe.js")


@dataclass(frozen=True)
class Figures:
    """Of one visit: the first page's LCP, the worst page's shifts, the slowest tap or key; in s, 1, ms."""

    lcp: float
    cls: float
    inp: float
    notes: tuple[str, ...]


@contextmanager
def slow_phone(browser: Browser, address: str) -> Iterator[Page]:
    """A new visitor with an empty cache."""
    context = browser.new_context(
        viewport=PHONE, device_scale_factor=SHARPNESS, is_mobile=True, has_touch=True,  # type: ignore[arg-type]
        base_url=address, locale=LANGUAGE,
    )  # fmt: skip
    context.set_default_timeout(WAIT_MS_MAX)
    page = context.new_page()
    page.add_init_script(path=OBSERVE)
    chromium = context.new_cdp_session(page)
    chromium.send("Network.enable")
    chromium.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": ROUND_TRIP_MS,
         "downloadThroughput": DOWN_BYTES_S, "uploadThroughput": UP_BYTES_S},
    )  # fmt: skip
    chromium.send("Emulation.setCPUThrottlingRate", {"rate": CPU_TIMES_SLOWER})
    try:
        yield page
    finally:
        context.close()


def visit(browser: Browser, address: str, path: str, then: Callable[[Page], None]) -> Figures:
    """Open the page, let it come to rest, do what a visitor does there."""
    with slow_phone(browser, address) as page:
        page.goto(path)
        settle(page)
        then(page)
        settle(page)
        documents = page.evaluate("window.audited()")
    taps = [tap for one in documents for tap in one["taps"].values()]
    slowest: dict[str, Any] = max(taps, key=lambda tap: tap["ms"], default={"ms": 0, "on": "none"})
    shifted = {node for one in documents for node in one["shifted"]}
    return Figures(
        documents[0]["lcp"] / 1000,
        round(max(one["shift"] for one in documents), 3),
        slowest["ms"],
        (
            f"largest paint: {documents[0]['paint']}",
            f"slowest of {len(taps)}: {slowest['on']}"
            + "".join(
                f", {part} {slowest[part]:.0f} ms" for part in ("wait", "script") if part in slowest
            ),
            *(f"shifted: {node}" for node in sorted(shifted)),
        ),
    )


def settle(page: Page) -> None:
    """Until everything is loaded and painted."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(SETTLE_MS)
