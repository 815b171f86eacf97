"""What a device with little room keeps, and what a purchase is that waited too long."""

from playwright.sync_api import expect

from tests.browser import until
from tests.journey.buyers import event_with
from tests.journey.devices import Device
from tests.journey.offline.deeds import SENT_S_MAX, bought, card, hold, orders, queued, tap
from tests.journey.system import System
from tests.lines import Line

FULL = """times => {
  const put = Cache.prototype.put;
  Cache.prototype.put = function (...what) {
    if (times-- > 0) throw new DOMException("full", "QuotaExceededError");
    return put.apply(this, what);
  };
}"""
NAMES = "caches.keys()"
ASKS_TO_STAY = "navigator.storage.persist = async () => (document.documentElement.dataset.stay = 'asked', true)"
YESTERDAY = """async (key) => {
  const open = indexedDB.open("ticketbuster");
  const db = await new Promise((resolve) => (open.onsuccess = () => resolve(open.result)));
  const rows = db.transaction("purchases", "readwrite").objectStore("purchases");
  const row = await new Promise((resolve) => (rows.get(key).onsuccess = ({ target }) => resolve(target.result)));
  row.made_at -= 25 * 3600 * 1000;
  await new Promise((resolve) => (rows.put(row).onsuccess = resolve));
  db.close();
}"""


def buys_when_full(system: System, device: Device, times: int) -> None:
    """A purchase, and so many times there is no room for what comes of it."""
    hold(system, device)
    card(device.page)
    device.context.service_workers[0].evaluate(FULL, times)
    tap(device.page)
    device.page.wait_for_url("**/orders/*")


def test_a_full_device_gives_up_maps_for_tickets(system: System, ana: Device) -> None:
    ana.page.goto(f"/events/{event_with(system, 1)}")
    until(ana.page, f"async () => (await {NAMES}).includes('maps')")
    buys_when_full(system, ana, 1)
    until(ana.page, "() => document.body.matches('.kept')")
    assert "maps" not in ana.page.evaluate(NAMES)
    assert "tickets" in ana.page.evaluate(NAMES)


def test_a_device_without_any_room_says_so_and_offers_the_pictures(
    system: System, ana: Device
) -> None:
    buys_when_full(system, ana, 10_000)
    until(ana.page, "() => document.body.matches('.unkept')")
    expect(ana.page.locator(".order .finished")).to_contain_text("No se pudo guardar")
    expect(ana.page.locator("ul.tickets img").first).to_be_visible()


def test_the_browser_is_asked_to_keep_tickets_for_good(system: System, ana: Device) -> None:
    ana.context.add_init_script(ASKS_TO_STAY)
    bought(system, ana)
    expect(ana.page.locator("html")).to_have_attribute("data-stay", "asked")


def test_a_purchase_of_yesterday_is_not_sent(system: System, ana: Device, line: Line) -> None:
    _, seats = queued(system, ana, line)
    ana.page.evaluate(YESTERDAY, ana.purchases()[0]["key"])
    line.way = "open"
    told = ana.page.locator(".waits-card.done")
    expect(told).to_contain_text("más de un día", timeout=SENT_S_MAX * 1000)
    assert orders(system, seats) == []


def test_lists_are_bounded_too(ana: Device) -> None:
    ana.page.evaluate(
        """async () => {
          for (let n = 0; n < 70; n += 1)
            await (await fetch(`/events?n=${n}`, { headers: { "HX-Request": "true" } })).text();
        }"""
    )
    keys = "async () => (await (await caches.open('lists')).keys()).map(({ url }) => url)"
    until(ana.page, f"async () => (await ({keys})()).some((url) => url.includes('n=69'))")
    until(ana.page, f"async () => (await ({keys})()).length <= 60")
