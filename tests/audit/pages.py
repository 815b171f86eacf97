"""The pages that are audited, and the buyer who has what they show."""

from dataclasses import dataclass

from playwright.sync_api import Browser, Page

from tests.browser import phone
from tests.journey.buyers import event_with, pay, sign_in
from tests.journey.system import System

LARGE_SEATS = 10_000
TICKET_MS_MAX = 30_000
LANGUAGE = "es-PE"
BUYER = "ana"


@dataclass(frozen=True)
class Places:
    """The addresses of a visit, by name, and the headers that make it the buyer's."""

    paths: dict[str, str]
    headers: dict[str, str]


def hall_of_ten_thousand(system: System) -> int:
    """An event on sale whose overview stands for so many seats."""
    return int(system.rows(
        "SELECT event_id FROM catalog.seats JOIN catalog.events ON events.id = event_id"
        " WHERE events.status = 'PUBLISHED' AND events.starts_at > now() + interval '1 day'"
        " GROUP BY event_id HAVING count(*) = %s ORDER BY event_id LIMIT 1", LARGE_SEATS)[0][0])  # fmt: skip


def section_of(system: System, event: int) -> int:
    """Its section with the most free seats."""
    return int(system.rows(
        "SELECT section_number FROM catalog.seats WHERE event_id = %s AND status = 'AVAILABLE'"
        " GROUP BY section_number ORDER BY count(*) DESC, section_number LIMIT 1", event)[0][0])  # fmt: skip


def hold(page: Page, system: System, event: int) -> None:
    """Hold one more seat, as the page's own visitor."""
    [seat] = system.free_seats(event, 1)
    answer = page.request.post(f"/api/events/{event}/lock-seat", data={"seat_ids": [seat]})
    assert answer.ok, answer.text()


def five(system: System, browser: Browser) -> Places:
    """List, map, section, checkout with a held seat, ticket: bought and held by one buyer."""
    large, small = hall_of_ten_thousand(system), event_with(system, 2)
    page = phone(browser, system.address)
    page.goto("/login?next=/orders")
    sign_in(page, BUYER)
    page.wait_for_url("**/orders")
    hold(page, system, small)
    page.goto(f"/events/{small}/checkout")
    pay(page)
    page.locator(".ticket img").first.wait_for(timeout=TICKET_MS_MAX)
    ticket = page.locator(".ticket a").first.get_attribute("href")
    assert ticket
    hold(page, system, small)
    cookies = [f"{one.get('name')}={one.get('value')}" for one in page.context.cookies()]
    page.context.close()
    return Places(
        {
            "list": "/",
            "map": f"/events/{large}",
            "section": f"/events/{large}?section={section_of(system, large)}",
            "checkout": f"/events/{small}/checkout",
            "ticket": ticket,
        },
        {"Cookie": "; ".join(cookies), "Accept-Language": LANGUAGE},
    )
