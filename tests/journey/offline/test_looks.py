"""How it looks without a network: nothing lies over something else, and nothing is told twice."""

from playwright.sync_api import expect

from tests.journey.devices import Device
from tests.journey.offline.deeds import bought, queued
from tests.journey.system import System
from tests.lines import Line

DESK = {"width": 1280, "height": 900}
TOLD_AGAIN = "navigator.serviceWorker.dispatchEvent(new MessageEvent('message', {data: {type: 'purchases'}}))"
DRAWN_MS = 500
NEWS = """async (order_uuid) => {
  const open = indexedDB.open("ticketbuster");
  const db = await new Promise((resolve) => (open.onsuccess = () => resolve(open.result)));
  const change = db.transaction("news", "readwrite");
  change.objectStore("news").put({ kind: "ticket", title: "Medea", order_uuid, at: Date.now() });
  await new Promise((resolve) => (change.oncomplete = resolve));
  db.close();
}"""


def test_a_card_that_says_the_same_keeps_its_place_and_the_focus(
    system: System, ana: Device, line: Line
) -> None:
    queued(system, ana, line)
    button = ana.page.get_by_role("button", name="Retirarla")
    button.focus()
    ana.page.evaluate(TOLD_AGAIN)
    ana.page.wait_for_timeout(DRAWN_MS)
    expect(button).to_be_focused()


def test_no_note_lies_under_the_search_of_a_desk(ana: Device, line: Line) -> None:
    ana.page.set_viewport_size(DESK)  # type: ignore[arg-type]
    ana.page.goto("/events")
    line.way = "cut"
    ana.page.reload()
    note = ana.page.locator(".note.offline")
    expect(note).to_be_visible()
    search, below = ana.page.locator("form.search").bounding_box(), note.bounding_box()
    assert search
    assert below
    assert search["y"] + search["height"] <= below["y"]


def test_news_is_told_once_by_links_with_names(system: System, ana: Device, line: Line) -> None:
    order = bought(system, ana)
    ana.page.evaluate(NEWS, order)
    line.way = "cut"
    ana.page.goto("/events")
    news = ana.page.locator(".note.news")
    link = news.get_by_role("link", name="Entradas guardadas. Medea")
    expect(link).to_have_attribute("href", f"/orders/{order}")
    link.focus()
    ana.page.evaluate(TOLD_AGAIN)
    ana.page.wait_for_timeout(DRAWN_MS)
    expect(link).to_be_focused()


def test_a_page_that_is_not_kept_shows_what_is_as_the_list_does(
    system: System, ana: Device, line: Line
) -> None:
    order = bought(system, ana)
    ana.page.goto("/orders")
    ana.page.wait_for_timeout(DRAWN_MS)
    line.way = "cut"
    ana.page.goto("/account")
    row = ana.page.locator(f'#kept-here li:has([href="/orders/{order}"])')
    expect(row).to_contain_text("guardada")
    expect(row.locator(".stub-seat")).to_be_visible()
