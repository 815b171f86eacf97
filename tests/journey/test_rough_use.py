"""What goes wrong around a purchase: errors, Back, two orders at once, a slow line, no script."""

import re
from contextlib import ExitStack

from playwright.sync_api import Browser, Page, expect

from tests.browser import PHONE, phone, until
from tests.journey.buyers import event_with, fill_card, large_hall, signed_in, tick
from tests.journey.system import System, wait_for

TICKET_MS_MAX = 20_000
BAR_PX_MAX = 160
SLOW = {
    "offline": False,
    "latency": 1_500,
    "downloadThroughput": 50_000,
    "uploadThroughput": 50_000,
}


NO_POLL = """
    const interval = setInterval;
    window.setInterval = (what, ms, ...rest) => ms === 10000 ? 0 : interval(what, ms, ...rest);
"""


def hold(page: Page, system: System, event: int, count: int = 1) -> list[int]:
    seats = system.free_seats(event, count)
    page.goto(f"/events/{event}")
    tick(page, seats)
    page.get_by_role("button", name="Reservar").click()
    page.wait_for_url("**/checkout")
    return seats


def test_each_order_stays_on_its_own_page(system: System, browser: Browser) -> None:
    """Two orders of one buyer, drawn at the same moment and pushed to both tabs."""
    first_event = event_with(system, 3)
    second_event = int(system.rows(
        "SELECT event_id FROM catalog.seats JOIN catalog.events ON events.id = event_id"
        " WHERE events.status = 'PUBLISHED' AND events.starts_at > now() AND event_id <> %s"
        " GROUP BY event_id HAVING count(*) <= 600 AND min(price) > 0"
        " AND count(*) FILTER (WHERE seats.status = 'AVAILABLE') > 5 LIMIT 1", first_event)[0][0])  # fmt: skip
    first = signed_in(system, browser, "ana", "/orders")
    second = first.context.new_page()
    with system.suspended("pipeline.dispatcher"):
        for page, event in ((first, first_event), (second, second_event)):
            hold(page, system, event)
            fill_card(page)
            page.get_by_role("button", name="Pagar").click()
            page.locator(".order").wait_for()
        first.wait_for_timeout(500)
    for page, event in ((first, first_event), (second, second_event)):
        expect(page.locator(".ticket img")).to_have_count(1, timeout=TICKET_MS_MAX)
        page.wait_for_timeout(1_000)
        assert page.locator(".order").get_attribute("id") == f"order-{page.url[-36:]}"
        expect(page.locator(".summary a")).to_have_attribute("href", f"/events/{event}")
    first.context.close()


def test_an_answer_that_is_an_error_changes_nothing(system: System, browser: Browser) -> None:
    """Of the front, of web, of an ended session: the map stays, the address too, and it is said."""
    event = large_hall(system)
    page = phone(browser, system.address, workers="block")
    page.goto(f"/events/{event}")
    page.route(
        re.compile("section="),
        lambda route: route.fulfill(status=503, body="<html><header>away</header></html>"),
    )
    page.locator(".sections a").first.click()
    expect(page.locator(".toast")).to_contain_text("Nada cambió")
    expect(page.locator(".sections")).to_be_visible()
    expect(page.locator(".flood")).to_be_visible()
    assert page.url.endswith(f"/events/{event}")
    page.unroute_all()
    page.route(re.compile("section="), lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.locator(".sections a").first.click()
    expect(page.locator(".sections")).to_be_visible()
    page.unroute_all()
    page.locator(".sections a").first.click()
    page.locator(".hall.one").wait_for()
    assert "section=" in page.url
    expect(page.locator(".hall.one h2")).to_be_focused()
    page.context.close()


def test_a_socket_that_comes_back_brings_what_happened_meanwhile(
    system: System, browser: Browser
) -> None:
    event = event_with(system, 1)
    page = signed_in(system, browser, "ana", "/orders", workers="block")
    order = re.compile(r"/orders/[0-9a-f-]{36}$")

    # Else the poll would bring it, too.
    page.add_init_script(NO_POLL)
    hold(page, system, event)
    fill_card(page)
    with ExitStack() as standing:
        standing.enter_context(system.suspended("pipeline.dispatcher"))
        page.get_by_role("button", name="Pagar").click()
        page.wait_for_url(order)
        until(page, "document.querySelector('.order [hx-trigger*=\"every 10s\"]') !== null")
        page.wait_for_timeout(500)
        cut = {process.pid for process in system.processes("web.updates")}
        system.kill("web.updates")
        wait_for(lambda: {one.pid for one in system.processes("web.updates")} - cut, 10, "not back")
        with system.suspended("web.updates"):
            standing.close()
            system.completed([page.url[-36:]], TICKET_MS_MAX / 1000)
    expect(page.locator(".ticket img")).to_have_count(1, timeout=TICKET_MS_MAX)
    page.context.close()


def test_an_order_survives_errors_of_its_polling(system: System, browser: Browser) -> None:
    event = event_with(system, 1)
    page = signed_in(system, browser, "ana", "/orders", workers="block")
    page.route_web_socket(re.compile("/ws"), lambda socket: socket.close())
    hold(page, system, event)
    fill_card(page)
    with system.suspended("pipeline.dispatcher"):
        page.get_by_role("button", name="Pagar").click()
        page.locator(".order").wait_for()
        order = re.compile(r"/orders/[0-9a-f-]{36}$")
        page.route(order, lambda route: route.fulfill(status=503, body="<html>away</html>"))
        with page.expect_response(order, timeout=15_000):
            pass
        page.wait_for_timeout(300)
        expect(page.locator("header.top")).to_have_count(1)
        page.unroute_all()
    expect(page.locator(".ticket img")).to_have_count(1, timeout=TICKET_MS_MAX)
    page.context.close()


def test_on_a_slow_line_nobody_is_told_that_their_own_seats_are_gone(
    system: System, browser: Browser
) -> None:
    event = event_with(system, 2)
    page = phone(browser, system.address)
    page.goto(f"/events/{event}")
    tick(page, system.free_seats(event, 2))
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW)
    said: list[str] = []
    page.expose_function("heard", lambda text: said.append(text))  # noqa: PLW0108  not a builtin
    page.evaluate("""() => {
        const line = document.querySelector('#said');
        new MutationObserver(() => heard(line.textContent)).observe(line, {childList: true});
    }""")
    page.get_by_role("button", name="Reservar").click()
    page.wait_for_url("**/checkout")
    assert [one for one in said if one] == []
    page.context.close()


def test_back_from_the_checkout_shows_what_is_held_now(system: System, browser: Browser) -> None:
    event = event_with(system, 2)
    page = signed_in(system, browser, "ana", "/orders")
    seats = hold(page, system, event, 2)
    page.go_back()
    expect(page.locator(".hold")).to_be_visible()
    for seat in seats:
        expect(page.locator(f'.row input[value="{seat}"]')).to_have_attribute("data-mine", "")
    expect(page.locator("#said")).to_be_empty()
    page.get_by_role("link", name="Pagar").click()
    page.get_by_role("button", name="Soltar").click()
    page.context.close()


def test_without_a_script_the_bar_leaves_the_page_to_be_read(
    system: System, browser: Browser
) -> None:
    event = event_with(system, 1)
    for width in (360, 1280):
        context = browser.new_context(
            java_script_enabled=False,
            base_url=system.address,
            locale="es-PE",
            viewport={"width": width, "height": PHONE["height"]},
        )
        page = context.new_page()
        hold(page, system, event)
        for address in (f"/events/{event}/checkout", f"/events/{event}"):
            page.goto(address)
            box = page.locator(".hold").bounding_box()
            assert box
            assert box["height"] <= BAR_PX_MAX, f"{address} at {width}"
        page.goto(f"/events/{event}/checkout")
        page.get_by_role("button", name="Soltar").click()
        context.close()


def test_a_browser_that_knows_no_light_dark_shows_the_day(system: System, browser: Browser) -> None:
    event = event_with(system, 1)
    page = phone(browser, system.address)

    def older(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        route.fulfill(response=answer, body=answer.text().replace("light-dark(", "day-night("))  # type: ignore[attr-defined]

    page.route(re.compile(r"style\.css"), older)
    page.emulate_media(color_scheme="dark")
    page.goto(f"/events/{event}")
    colour = "(seat, name) => getComputedStyle(seat)[name]"
    seat = page.locator(".row input:enabled").first
    assert seat.evaluate("seat => getComputedStyle(seat).borderTopWidth") == "2px"
    assert page.locator("body").evaluate(colour, "backgroundColor") == "rgb(246, 246, 242)"
    assert page.locator("body").evaluate(colour, "color") == "rgb(22, 19, 15)"
    page.context.close()


TAPPED_TWICE = """async (section) => {
  section.click();
  section.click();
  const seen = () => getComputedStyle(document.querySelector("#map"), "::after").visibility === "visible";
  for (let frame = 0; frame < 300 && !seen(); frame += 1) await new Promise(requestAnimationFrame);
  return seen();
}"""
"""All in the page: on a busy machine the second tap of a test would come when the section is open already."""


def test_a_section_tapped_twice_is_one_step_back(system: System, browser: Browser) -> None:
    """On a slow line, where people tap again; and the whole screen says meanwhile that something comes."""
    event = large_hall(system)
    page = phone(browser, system.address)
    page.goto(f"/events/{event}")
    section = page.locator(".sections a").nth(9)
    section.scroll_into_view_if_needed()
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW)
    steps = page.evaluate("history.length")
    with page.expect_response(lambda answer: "section=" in answer.url):
        assert section.evaluate(TAPPED_TWICE), "nothing says that something comes"
    page.locator(".hall.one").wait_for()
    page.wait_for_timeout(800)
    assert page.evaluate("history.length") == steps + 1
    page.go_back()
    page.locator(".sections").wait_for()
    page.context.close()


def test_a_reader_in_another_zone_is_told_whose_time_it_is(
    system: System, browser: Browser
) -> None:
    """Once the page has come to rest: the browser's zone is kept for the next page."""
    context = browser.new_context(
        base_url=system.address, locale="es-PE", timezone_id="Europe/Madrid"
    )
    page = context.new_page()
    page.goto("/")
    until(page, "document.cookie.includes('zone=Europe/Madrid')")
    hold(page, system, event_with(system, 1))
    expect(page.locator("#pays .mine")).to_contain_text("hora de Lima")
    context.close()
