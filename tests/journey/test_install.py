"""The offer to install us: to whom, when never, and how on either kind of phone."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import PHONE
from tests.journey.buyers import event_with
from tests.journey.system import System

MINUTE_MS, DAY_MS = 60_000, 86_400_000
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/17.4 Mobile/15E148 Safari/604.1"
)
CHROME_OF_IPHONE = IPHONE.replace("Version/17.4", "CriOS/124.0")
CAN_INSTALL = """answer => {
  const event = new Event("beforeinstallprompt", { cancelable: true });
  event.prompt = () => { window.asked = (window.asked ?? 0) + 1; };
  event.userChoice = Promise.resolve({ outcome: answer });
  dispatchEvent(event);
  return event.defaultPrevented;
}"""
EARLIER = """ms => {
  const kept = JSON.parse(localStorage.getItem("install"));
  for (const name of ["seen", "quiet"]) if (kept[name]) kept[name] -= ms;
  localStorage.setItem("install", JSON.stringify(kept));
}"""
SHIFTS = """() => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => (sum += entry.value)))
    .observe({ type: "layout-shift" });
  document.fonts.ready.then(() => setTimeout(() => (window.shifted = () => sum, done()), 50));
})"""


@pytest.fixture
def visitor(browser: Browser, system: System) -> Iterator[Page]:
    page = somebody(browser, system)
    yield page
    page.context.close()


def somebody(browser: Browser, system: System, **more: Any) -> Page:
    """A new visitor."""
    usual: dict[str, Any] = {"viewport": PHONE, "base_url": system.address, "locale": "es-PE"}
    usual["reduced_motion"] = "reduce"  # places are measured where things come to rest
    context = browser.new_context(**{**usual, **more})
    return context.new_page()


def see(page: Page, path: str, answer: str = "accepted") -> None:
    """A page, and a browser that says that it can install."""
    page.goto(path)
    assert page.evaluate(CAN_INSTALL, answer), "the browser's own bar was not held back"


def later(page: Page, milliseconds: int) -> None:
    """So much time goes by: what was kept is older by it."""
    page.evaluate(EARLIER, milliseconds)


def box(place: Locator) -> dict[str, float]:
    found = place.bounding_box()
    assert found
    return dict(found)  # type: ignore[arg-type]


def tickets_come(page: Page, event: str) -> None:
    """As if they had come by socket or by a swap."""
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend',"
        " '<section class=order data-status=COMPLETED>')"
    )
    page.evaluate("name => dispatchEvent(new Event(name))", event)


def offer(page: Page) -> Locator:
    return page.get_by_role("region", name="Instalar TicketBuster")


def test_who_comes_back_is_asked_once_and_one_tap_asks_the_browser(visitor: Page) -> None:
    for path in ("/", "/events?category=THEATER", "/"):
        see(visitor, path)
        expect(offer(visitor)).to_have_count(0)
    later(visitor, 31 * MINUTE_MS)
    visitor.goto("/")
    visitor.evaluate(SHIFTS)
    for _ in range(2):
        visitor.evaluate(CAN_INSTALL, "accepted")
    expect(offer(visitor)).to_have_count(1)
    note, tabs = box(offer(visitor)), box(visitor.locator(".tabs"))
    assert note["y"] + note["height"] <= tabs["y"]
    visitor.wait_for_timeout(300)
    assert visitor.evaluate("window.shifted()") == 0
    offer(visitor).get_by_role("button", name="Instalar").click()
    expect(offer(visitor)).to_have_count(0)
    assert visitor.evaluate("window.asked") == 1


def test_chromium_finds_nothing_wrong_with_the_manifest_in_the_chosen_language(
    visitor: Page,
) -> None:
    visitor.goto("/")
    visitor.get_by_role("button", name="EN, English").click()
    visitor.get_by_role("link", name="My tickets").wait_for()
    read = visitor.context.new_cdp_session(visitor).send("Page.getAppManifest")
    assert read["errors"] == []
    assert '"lang":"en"' in read["data"].replace(" ", "")


def test_what_it_lies_over_can_be_scrolled_out_from_under_it(visitor: Page) -> None:
    see(visitor, "/")
    later(visitor, DAY_MS)
    for width in (PHONE["width"], 1280):
        visitor.set_viewport_size({"width": width, "height": PHONE["height"]})
        see(visitor, "/api/")
        expect(offer(visitor)).to_have_count(1)
        visitor.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        last = box(visitor.locator("main > :last-child"))
        assert last["y"] + last["height"] <= box(offer(visitor))["y"]


def test_who_says_no_is_left_alone_for_thirty_days(visitor: Page) -> None:
    see(visitor, "/")
    later(visitor, DAY_MS)
    see(visitor, "/")
    no = offer(visitor).get_by_role("button", name="Ahora no")
    assert min(box(no)["width"], box(no)["height"]) >= 44
    no.click()
    expect(offer(visitor)).to_have_count(0)
    visitor.evaluate(CAN_INSTALL, "accepted")
    expect(offer(visitor)).to_have_count(0)
    later(visitor, 29 * DAY_MS)
    see(visitor, "/")
    expect(offer(visitor)).to_have_count(0)
    later(visitor, 2 * DAY_MS)
    see(visitor, "/", "dismissed")
    # Saying no to the browser's own question is as good.
    offer(visitor).get_by_role("button", name="Instalar").click()
    see(visitor, "/")
    expect(offer(visitor)).to_have_count(0)


def test_the_first_tickets_are_reason_enough(visitor: Page) -> None:
    """The page with them is made by hand: how it comes about is tested elsewhere."""
    see(visitor, "/events?q=zzzz")
    expect(offer(visitor)).to_have_count(0)
    tickets_come(visitor, "htmx:ws:after:message:incoming")
    expect(offer(visitor)).to_have_count(1)
    see(visitor, "/")
    expect(offer(visitor)).to_have_count(1)


def test_it_is_never_in_the_way(visitor: Page, system: System) -> None:
    event = event_with(system, 2)
    [seat] = system.free_seats(event, 1)
    see(visitor, "/")
    later(visitor, DAY_MS)
    assert visitor.request.post(f"/events/{event}/holds", form={"seat": str(seat)}).ok
    for path in (f"/events/{event}", f"/events/{event}/checkout", "/login?next=/orders"):
        see(visitor, path)
        expect(visitor.locator("time[data-ends]")).to_have_count(0 if "login" in path else 1)
        expect(offer(visitor)).to_have_count(0)
    see(visitor, "/")
    expect(offer(visitor)).to_have_count(1)
    # Time begins to run on the same page: the offer makes room.
    visitor.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<time data-ends=2999-01-01T00:00:00Z data-now=2998-01-01T00:00:00Z>')"
    )
    visitor.evaluate("dispatchEvent(new Event('htmx:after:swap'))")
    expect(offer(visitor)).to_have_count(0)


def test_an_app_that_is_installed_offers_nothing(visitor: Page) -> None:
    see(visitor, "/")
    later(visitor, DAY_MS)
    visitor.add_init_script(
        "const real = matchMedia; window.matchMedia = (query) =>"
        " query.includes('standalone') ? { matches: true } : real(query);"
    )
    see(visitor, "/")
    expect(offer(visitor)).to_have_count(0)


def test_a_browser_that_keeps_nothing_asks_at_the_tickets_and_once_in_a_page(visitor: Page) -> None:
    visitor.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('kept from you'); } })"
    )
    see(visitor, "/")
    expect(offer(visitor)).to_have_count(0)
    tickets_come(visitor, "htmx:after:swap")
    offer(visitor).get_by_role("button", name="Ahora no").click()
    visitor.evaluate(CAN_INSTALL, "accepted")
    expect(offer(visitor)).to_have_count(0)


def test_an_iphone_is_told_the_two_taps(browser: Browser, system: System) -> None:
    for agent, locale, words in (
        (IPHONE, "es-PE", ["Toca Compartir", "Elige «Agregar a inicio»"]),
        (IPHONE, "en-US", ["Tap Share", "Choose “Add to Home Screen”"]),
        (CHROME_OF_IPHONE, "es-PE", []),
    ):
        page = somebody(browser, system, user_agent=agent, locale=locale)
        page.goto("/")
        expect(page.locator(".install")).to_have_count(0)
        later(page, DAY_MS)
        page.reload()
        steps = page.locator(".install li")
        expect(steps).to_have_count(len(words))
        assert [step.strip() for step in steps.all_inner_texts()] == words
        expect(page.locator(".install [data-install]")).to_have_count(0)
        page.context.close()
