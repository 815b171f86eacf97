"""What buyers do in a browser, and the halls that they find."""

import re

from playwright.sync_api import Browser, Page

from tests.browser import Workers, phone
from tests.journey.system import System

CARD = {
    "#card": "4242 4242 4242 4242",
    "#expiry": "12 / 99",
    "#code": "123",
    "#name": "Ana Quispe Rojas",
}


def event_with(system: System, seats: int) -> int:
    """A small hall that still has so many seats."""
    rows = system.rows(
        "SELECT event_id FROM catalog.seats JOIN catalog.events ON events.id = event_id"
        " WHERE events.starts_at > now() AND events.status = 'PUBLISHED' AND price > 0"
        " GROUP BY event_id HAVING count(*) <= 600"
        " AND count(*) FILTER (WHERE seats.status = 'AVAILABLE') >= %s ORDER BY event_id LIMIT 1",
        seats,
    )
    return int(rows[0][0])


def tick(page: Page, seats: list[int]) -> None:
    for seat in seats:
        page.locator(f'input[name=seat][value="{seat}"]').check()


def sign_in(page: Page, name: str, password: str = "demo") -> None:
    page.locator("#email").fill(f"{name}@example.com")
    page.locator("#password").fill(password)
    page.get_by_role("button", name="Entrar").click()


def signed_in(
    system: System, browser: Browser, name: str, following: str, workers: Workers = "allow"
) -> Page:
    """A new visitor who has signed in and stands on that page."""
    page = phone(browser, system.address, workers)
    page.goto(f"/login?next={following}")
    sign_in(page, name)
    page.wait_for_url(f"**{following}")
    return page


def fill_card(page: Page, number: str = CARD["#card"]) -> None:
    for field, text in {**CARD, "#card": number}.items():
        page.locator(field).fill(text)


def pay(page: Page) -> None:
    fill_card(page)
    page.get_by_role("button", name=re.compile("^Pagar")).click()


def large_hall(system: System) -> int:
    """An event whose map has an overview."""
    return int(system.rows(
        "SELECT event_id FROM catalog.seats JOIN catalog.events ON events.id = event_id"
        " WHERE events.status = 'PUBLISHED' AND events.starts_at > now() + interval '1 day'"
        " GROUP BY event_id HAVING count(*) > 1000"
        " AND count(*) FILTER (WHERE seats.status = 'AVAILABLE') > 500 ORDER BY event_id LIMIT 1"
    )[0][0])  # fmt: skip
