"""The pages that visits end on most, made for real one after the other: a name and a browser's page each."""

import re
from collections.abc import Iterator

from playwright.sync_api import Browser, Page

from tests.audit.pages import BUYER, TICKET_MS_MAX, hall_of_ten_thousand, hold, section_of
from tests.browser import phone
from tests.journey.buyers import event_with, fill_card, pay, sign_in, tick
from tests.journey.system import System

DECLINED = "4000 0000 0000 0002"
OWNS_NOTHING = "carla"

Scene = tuple[str, Page]


def scenes(browser: Browser, system: System) -> Iterator[Scene]:
    """All of them; each page stays as it is until the next is asked for."""
    yield from _looked_at(browser, system)
    yield from _bought(browser, system)
    yield from _too_late(browser, system)
    page = phone(browser, system.address)
    _enter(page, OWNS_NOTHING)
    yield "my orders, none", page


def _looked_at(browser: Browser, system: System) -> Iterator[Scene]:
    """What a visitor sees who only looks."""
    large = hall_of_ten_thousand(system)
    page = phone(browser, system.address)
    for name, path in (
        ("list", "/"),
        ("empty search", "/events?q=zzzz"),
        ("map", f"/events/{large}"),
        ("section", f"/events/{large}?section={section_of(system, large)}"),
        ("sold out", f"/events/{_sold_out(system)}"),
        ("over", f"/events/{_over(system)}"),
        ("sign-in", "/login?next=/orders"),
        ("404", "/events/999999"),
    ):
        page.goto(path)
        yield name, page
    page.goto("/login?next=/orders")
    page.get_by_role("link", name="Crear una cuenta").click()
    page.get_by_label("Nombre y apellido").wait_for()
    yield "registration", page
    page.context.add_cookies([{"name": "language", "value": "en", "url": system.address}])
    for name, path in (("list in English", "/"), ("map in English", f"/events/{large}")):
        page.goto(path)
        yield name, page


def _bought(browser: Browser, system: System) -> Iterator[Scene]:
    """A buyer whose first card is declined."""
    page, event = phone(browser, system.address), event_with(system, 2)
    _enter(page, BUYER)
    hold(page, system, event)
    page.goto(f"/events/{event}")
    yield "seats held", page
    page.goto(f"/events/{event}/checkout")
    yield "checkout", page
    fill_card(page, DECLINED)
    page.get_by_role("button", name=re.compile("^Pagar")).click()
    page.wait_for_url("**/orders")
    yield "declined card", page
    page.goto(f"/events/{event}/checkout")
    pay(page)
    page.locator(".ticket img").first.wait_for(timeout=TICKET_MS_MAX)
    yield "order finished", page
    page.get_by_role("link", name="Anular").click()
    page.get_by_role("heading", level=1).wait_for()
    yield "cancel question", page
    page.go_back()
    page.locator(".ticket a").first.click()
    page.locator(".qr").wait_for()
    yield "ticket", page
    page.goto("/orders")
    yield "my orders", page


def _too_late(browser: Browser, system: System) -> Iterator[Scene]:
    """Somebody whose map did not hear that the seat was taken, and who is offered an equal one."""
    page, event = phone(browser, system.address), event_with(system, 4)
    page.route_web_socket(re.compile("/ws"), lambda socket: socket.close())
    page.route(re.compile("/updates"), lambda route: route.abort())
    page.goto(f"/events/{event}")
    [seat] = system.free_seats(event, 1)
    other = phone(browser, system.address)
    _enter(other, BUYER)
    hold(other, system, event)
    tick(page, [seat])
    page.get_by_role("button", name="Reservar").click()
    page.locator(".refusal form").wait_for()
    yield "refusal with an offer", page


def _enter(page: Page, name: str) -> None:
    page.goto("/login?next=/orders")
    sign_in(page, name)
    page.wait_for_url("**/orders")


def _sold_out(system: System) -> int:
    return int(system.rows(
        "SELECT event_id FROM catalog.seats JOIN catalog.events ON events.id = event_id"
        " WHERE events.status = 'PUBLISHED' AND events.starts_at > now()"
        " GROUP BY event_id HAVING count(*) FILTER (WHERE seats.status = 'AVAILABLE') = 0")[0][0])  # fmt: skip


def _over(system: System) -> int:
    return int(system.rows(
        "SELECT id FROM catalog.events WHERE status = 'PUBLISHED' AND ends_at < now()")[0][0])  # fmt: skip
