"""What a buyer does there, and what must come of it."""

from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import Error, Page, expect

from tests.browser import until
from tests.journey.buyers import CARD, event_with, fill_card, tick
from tests.journey.devices import Device
from tests.journey.system import System, wait_for
from tests.lines import Line

SENT_S_MAX = 30


def hold(system: System, device: Device, count: int = 1) -> tuple[int, list[int]]:
    """Seats held, and the page that pays for them."""
    event = event_with(system, count + 2)
    seats = system.free_seats(event, count)
    device.page.goto(f"/events/{event}")
    tick(device.page, seats)
    device.page.locator("#hall .act button").click()
    device.page.wait_for_url("**/checkout")
    return event, seats


def card(page: Page, number: str = CARD["#card"]) -> None:
    """Typed whole; the bank has given something for it as soon as the field is left."""
    with page.expect_response("**/api/payment-methods") as answer:
        fill_card(page, number)
    assert answer.value.status == 201
    page.wait_for_timeout(100)


def tap(page: Page) -> None:
    page.locator("[form=pay][data-busy]").click()


def orders(system: System, seats: list[int]) -> list[str]:
    """The orders, of any state, that have any of these seats."""
    return [str(uuid) for (uuid,) in system.rows(
        "SELECT DISTINCT order_uuid FROM orders.tickets WHERE seat_id = ANY (%s)", seats)]  # fmt: skip


def bought(system: System, device: Device) -> str:
    """A purchase with a network; gives its order, whose tickets the device keeps."""
    hold(system, device)
    card(device.page)
    tap(device.page)
    device.page.wait_for_url("**/orders/*")
    until(device.page, "() => document.body.matches('.kept')")
    return device.page.url.rpartition("/")[2]


def one_order(system: System, device: Device, seats: list[int]) -> str:
    """Exactly one order came of it, and the device says so."""
    wait_for(lambda: orders(system, seats), SENT_S_MAX, "the purchase was not sent")
    seen(device.page, lambda: nothing_waits(device), "the device does not know of it")
    found = orders(system, seats)
    assert len(found) == 1
    return found[0]


def nothing_waits(device: Device) -> bool:
    with suppress(Error):  # it may be on its way to another page
        return all(one["state"] == "done" for one in device.purchases())
    return False


def queued(
    system: System, device: Device, line: Line, count: int = 1, number: str = CARD["#card"]
) -> tuple[int, list[int]]:
    """Seats held, the card given to the bank, and then no network: the purchase waits."""
    event, seats = hold(system, device, count)
    card(device.page, number)
    line.way = "cut"
    tap(device.page)
    waits(device)
    return event, seats


def seen(page: Page, what: Callable[[], object], why: str) -> None:
    """Ask until it is so, while the browser goes on."""
    for _ in range(SENT_S_MAX * 20):
        if what():
            return
        page.wait_for_timeout(50)
    raise AssertionError(why)


def waits(device: Device) -> None:
    """The purchase's page says that it waits."""
    device.page.wait_for_url("**/purchases/*")
    expect(device.page.locator(".waits-card")).to_contain_text("en espera")
