"""Search as you type, in a browser: an earlier answer that comes late changes nothing."""

import re
from time import sleep
from typing import Any

from playwright.sync_api import Browser, expect

from tests.browser import phone, until
from tests.journey.buyers import event_with
from tests.journey.system import System


def test_a_late_answer_never_overwrites_a_later_one(system: System, browser: Browser) -> None:
    page = phone(browser, system.address, workers="block")

    def late(route: Any) -> None:
        answer = route.fetch()
        sleep(1.5)
        route.fulfill(response=answer)

    page.route(re.compile(r"q=ber(&|$)"), late)
    page.goto("/events")
    search = page.locator("#q")
    search.press_sequentially("ber")
    page.wait_for_timeout(500)
    search.press_sequentially("narda")
    expect(page.locator(".bill")).to_have_count(1)
    page.wait_for_timeout(2_000)
    expect(page.locator(".bill")).to_have_count(1)
    assert page.url.endswith("q=bernarda")
    expect(page.locator(".bill")).to_contain_text(re.compile("bernarda", re.IGNORECASE))


def test_the_list_follows_what_is_left(system: System, browser: Browser) -> None:
    event = event_with(system, 4)
    page = phone(browser, system.address)
    page.clock.install()
    page.goto("/events")
    for _ in range(2):
        if not page.locator(f"#sale-{event}").count():
            page.locator(".more").scroll_into_view_if_needed()
            page.wait_for_timeout(1_000)
    line = page.locator(f"#sale-{event}")
    before = line.inner_text()
    seats = system.free_seats(event, 4)
    assert system.ask(event, "lock-seat", seats) == 200
    page.wait_for_timeout(1_100)
    page.clock.fast_forward(16_000)
    expect(line).not_to_have_text(before, use_inner_text=True)
    assert system.ask(event, "unlock-seat", seats) == 200
    assert page.locator(".bill").count() >= 20
    page.context.close()


def test_back_finds_the_list_where_it_was_left(system: System, browser: Browser) -> None:
    """Three pages down, an event, Back: the same rows, the same place, whatever the browser kept."""
    page = phone(browser, system.address)
    page.goto("/events")
    for count in (40, 60):
        page.locator(".more").scroll_into_view_if_needed()
        expect(page.locator(".bill")).to_have_count(count)
    assert page.url.endswith("/events?shown=60")
    title = page.locator(".bill h2 a").nth(50)
    title.scroll_into_view_if_needed()
    place = "[...document.querySelectorAll('.bill h2 a')][50].getBoundingClientRect().top"
    name, before = title.text_content() or "", page.evaluate(place)
    assert page.evaluate("scrollY") > 2_000
    title.click()
    page.wait_for_url("**/events/*")
    page.go_back()
    expect(page.locator(".bill h2 a").nth(50)).to_have_text(name)
    until(page, f"before => Math.abs({place} - before) < 5", before)
    page.context.close()
