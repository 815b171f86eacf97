"""From the tap on Pay to the ticket seen in Chromium through the socket, fifty times on an idle machine."""

from collections.abc import Iterable
from time import perf_counter

from playwright.sync_api import Page

from tests.bench.load import COMPLETED, ORDER
from tests.browser import chromium, phone
from tests.journey.buyers import fill_card
from tests.journey.system import System

PURCHASES = 50
TICKET_MS_MAX = 15_000


def taps(system: System, wanted: Iterable[tuple[int, int]]) -> tuple[list[float], int]:
    """Seconds of each purchase, by one buyer in one browser; how many tickets a socket brought.

    The others were drawn before their page was asked for.
    """
    pushed: set[str] = set()

    def note(frame: str | bytes) -> None:
        if (found := ORDER.search(str(frame))) and COMPLETED.search(str(frame)):
            pushed.add(found[1])

    with chromium() as browser:
        page = phone(browser, system.address)
        page.on("websocket", lambda socket: socket.on("framereceived", note))
        page.goto("/login?next=/orders")
        page.locator("#email").fill("ana@example.com")
        page.locator("#password").fill("demo")
        page.get_by_role("button", name="Entrar").click()
        page.wait_for_url("**/orders")
        seconds = [
            tap(page, event, seat)
            for (event, seat), _ in zip(wanted, range(PURCHASES), strict=False)
        ]
    return seconds, len(pushed)


def tap(page: Page, event: int, seat: int) -> float:
    """Hold by the page's own address, then pay and wait for the picture's element."""
    page.request.post(f"/api/events/{event}/lock-seat", data={"seat_ids": [seat]})
    page.goto(f"/events/{event}/checkout")
    fill_card(page)
    begun = perf_counter()
    page.locator(".pays > .button").click()
    page.locator(".ticket img").wait_for(timeout=TICKET_MS_MAX)
    return perf_counter() - begun
