"""Without a network: what was seen, what was bought, and purchases that wait, in a browser that keeps things."""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, Playwright, expect, sync_playwright

from pipeline.prepare import free_ports
from tests.browser import until
from tests.journey.buyers import event_with, fill_card, sign_in, tick
from tests.journey.devices import Device, Line, devices
from tests.journey.system import System, running, wait_for

Make = Callable[[str, str], Device]
SENT_S_MAX = 30


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture
def make(playwright: Playwright, tmp_path: Path) -> Iterator[Make]:
    with devices(playwright, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def outside() -> Iterator[Line]:
    """The line behind which the system's one address lies."""
    made = Line(free_ports(1)[0])
    yield made
    made.close()


@pytest.fixture(scope="module")
def system(outside: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that knows itself by the line's address."""
    known = {"PORT": str(outside.to), "PUBLIC_URL": outside.address}
    with running(tmp_path_factory.mktemp("offline"), **known) as started:
        yield started


@pytest.fixture
def line(outside: Line, system: System) -> Line:
    """The line, whole."""
    outside.way, outside.to, outside.passed = "open", system.settings.port, 0
    return outside


@pytest.fixture
def ana(make: Make, line: Line) -> Device:
    """Ana's phone, signed in, the worker behind its pages."""
    device = make("ana", line.address)
    device.sign_in("ana")
    return device


def hold(system: System, device: Device, count: int = 1) -> tuple[int, list[int]]:
    """Seats held, and the page that pays for them."""
    event = event_with(system, count + 2)
    seats = system.free_seats(event, count)
    device.page.goto(f"/events/{event}")
    tick(device.page, seats)
    device.page.locator("#hall .act button").click()
    device.page.wait_for_url("**/checkout")
    return event, seats


def card(page: Page) -> None:
    """Typed whole; the bank has given something for it as soon as the field is left."""
    with page.expect_response("**/api/payment-methods") as answer:
        fill_card(page)
    assert answer.value.status == 201
    page.wait_for_timeout(100)


def tap(page: Page) -> None:
    page.locator("[form=pay][data-busy]").click()


def orders(system: System, seats: list[int]) -> list[str]:
    """The orders, of any state, that have any of these seats."""
    return [str(uuid) for (uuid,) in system.rows(
        "SELECT DISTINCT order_uuid FROM orders.tickets WHERE seat_id = ANY (%s)", seats)]  # fmt: skip


def one_order(system: System, device: Device, seats: list[int]) -> str:
    """Exactly one order came of it, and the device says so."""
    wait_for(lambda: orders(system, seats), SENT_S_MAX, "the purchase was not sent")
    until(
        device.page, f"async () => (await ({WAITING_STATES})()).every((state) => state === 'done')"
    )
    found = orders(system, seats)
    assert len(found) == 1
    return found[0]


WAITING_STATES = """async () => {
  const open = indexedDB.open("ticketbuster");
  const db = await new Promise((resolve) => (open.onsuccess = () => resolve(open.result)));
  const all = db.transaction("purchases").objectStore("purchases").getAll();
  const rows = await new Promise((resolve) => (all.onsuccess = () => resolve(all.result)));
  db.close();
  return rows.map(({ state }) => state);
}"""


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


def test_a_cold_start_without_a_network_shows_events_map_and_tickets(
    system: System, ana: Device, line: Line
) -> None:
    cdp = ana.context.new_cdp_session(ana.page)
    assert cdp.send("Page.getInstallabilityErrors")["installabilityErrors"] == []
    event, seats = hold(system, ana)
    card(ana.page)
    tap(ana.page)
    ana.page.wait_for_url("**/orders/*")
    until(ana.page, "() => document.body.matches('.kept')")
    ticket = system.rows(
        "SELECT ticket_uuid, code FROM orders.tickets WHERE seat_id = %s", seats[0]
    )
    ana.page.goto("/events")
    ana.page.goto(f"/events/{event}")
    ana.close()
    line.way = "cut"

    page = ana.open()
    page.goto("/")
    expect(page.locator(".bill").first).to_be_visible()
    expect(page.locator(".note.offline")).to_contain_text("Ves lo guardado")
    page.goto(f"/events/{event}")
    expect(page.locator("#map .row input").first).to_be_visible()
    expect(page.locator(".note.offline")).to_be_visible()
    page.goto("/orders")
    expect(page.locator("[data-stored]:visible").first).to_contain_text("guardada")
    page.goto(f"/tickets/{ticket[0][0]}")
    expect(page.locator(".stored")).to_be_visible()
    page.locator("a.whole").click()
    shot = Image.open(io.BytesIO(page.screenshot()))
    assert [found.text for found in zxingcpp.read_barcodes(shot)] == [ticket[0][1]]
    page.goto("/account")
    expect(page.locator("#shell")).to_contain_text("no está guardada")
    expect(page.locator("#kept-here li").first).to_be_visible()
    # Machines are never answered by a page for people.
    for path in ("/api/events", "/ws"):
        with pytest.raises(Exception, match="Failed to fetch"):
            page.evaluate(f"fetch('{path}')")


def test_a_purchase_without_a_network_is_sent_once_when_it_is_back(
    system: System, ana: Device, line: Line
) -> None:
    _, seats = hold(system, ana, 2)
    card(ana.page)
    line.way = "cut"
    tap(ana.page)
    waits(ana)
    [waiting] = ana.purchases()
    assert waiting["method"].startswith("pm_")
    assert "4242" not in ana.kept().replace(waiting["method"], "")
    ana.page.reload()
    waits(ana)
    assert orders(system, seats) == []
    line.way = "open"
    order = one_order(system, ana, seats)
    ana.page.wait_for_url(f"**/orders/{order}")
    payment = system.ledger()[order]
    assert payment["state"] in ("authorised", "captured")


def test_without_a_method_the_seats_are_held_and_nothing_is_charged(
    system: System, ana: Device, line: Line
) -> None:
    event, seats = hold(system, ana)
    line.way = "cut"
    fill_card(ana.page)
    tap(ana.page)
    waits(ana)
    assert "4242" not in ana.kept()
    line.way = "open"
    card_told = ana.page.locator(".waits-card.done")
    expect(card_told).to_contain_text("Tuyos hasta las", timeout=SENT_S_MAX * 1000)
    assert orders(system, seats) == []
    card_told.get_by_role("link", name=re.compile("pagar ahora")).click()
    ana.page.wait_for_url(f"**/events/{event}/checkout")
    expect(ana.page.locator("#pay input[name=seat]")).to_have_value(str(seats[0]))


def test_a_choice_of_seats_waits_too(system: System, ana: Device, line: Line) -> None:
    event = event_with(system, 3)
    [seat] = system.free_seats(event, 1)
    ana.page.goto(f"/events/{event}")
    tick(ana.page, [seat])
    line.way = "cut"
    ana.page.reload()
    expect(ana.page.locator(f'input[name=seat][value="{seat}"]')).to_be_checked()
    ana.page.locator("#hall .act button").click()
    waits(ana)
    line.way = "open"
    expect(ana.page.locator(".waits-card.done")).to_contain_text(
        "Tuyos hasta las", timeout=SENT_S_MAX * 1000
    )


def test_a_lost_answer_is_one_order(system: System, ana: Device, line: Line) -> None:
    _, seats = hold(system, ana)
    card(ana.page)
    line.way = "deaf"
    tap(ana.page)
    waits(ana)
    wait_for(lambda: orders(system, seats), 10, "the request did not arrive: this proves nothing")
    assert line.passed
    line.way = "open"
    one_order(system, ana, seats)
    ana.page.wait_for_url("**/orders/*")


def test_a_server_killed_after_the_commit_is_one_order(
    system: System, ana: Device, line: Line
) -> None:
    _, seats = hold(system, ana)
    card(ana.page)
    with system.another_web(FAILPOINT="committed") as web:
        line.to = int(web.address.rpartition(":")[2])
        line.way = "cut"
        ana.page.wait_for_timeout(300)
        line.way = "open"
        tap(ana.page)
        waits(ana)
        wait_for(lambda: orders(system, seats), 10, "nothing was committed: this proves nothing")
        line.to = system.settings.port
        one_order(system, ana, seats)
    ana.page.wait_for_url("**/orders/*")


def test_a_closed_browser_sends_it_when_it_is_opened(
    system: System, ana: Device, line: Line
) -> None:
    _, seats = hold(system, ana)
    card(ana.page)
    line.way = "cut"
    tap(ana.page)
    waits(ana)
    ana.close()
    line.way = "open"
    page = ana.open()
    page.goto("/")
    order = one_order(system, ana, seats)
    expect(page.locator(".note.news")).to_contain_text("Comprado.")
    system.completed([order], 20)
    until(
        page,
        f"async () => Boolean(await caches.match('/orders/{order}', {{ ignoreSearch: true }}))",
    )


def test_a_page_that_is_closed_needs_none(system: System, ana: Device, line: Line) -> None:
    _, seats = hold(system, ana)
    card(ana.page)
    line.way = "cut"
    tap(ana.page)
    waits(ana)
    cdp = ana.context.new_cdp_session(ana.page)
    versions: list[dict[str, str]] = []
    cdp.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: versions.extend(event["registrations"]),
    )
    cdp.send("ServiceWorker.enable")
    seen(ana.page, lambda: versions, "no registration")
    ana.page.goto("about:blank")
    line.way = "open"
    cdp.send(
        "ServiceWorker.dispatchSyncEvent",
        {
            "origin": line.address,
            "registrationId": versions[0]["registrationId"],
            "tag": "purchases",
            "lastChance": False,
        },
    )
    seen(ana.page, lambda: orders(system, seats), "not sent")
    ana.page.goto("/")
    one_order(system, ana, seats)


def test_two_phones_wait_for_one_seat(system: System, make: Make, ana: Device, line: Line) -> None:
    bruno = make("bruno", line.address)
    bruno.sign_in("bruno")
    event = event_with(system, 3)
    [seat] = system.free_seats(event, 1)
    for device in (ana, bruno):
        device.page.goto(f"/events/{event}")
        tick(device.page, [seat])
    line.way = "cut"
    for device in (ana, bruno):
        device.page.locator("#hall .act button").click()
        waits(device)
    line.way = "open"
    told = []
    for device in (ana, bruno):
        place = device.page.locator(".waits-card.done")
        expect(place).to_be_visible(timeout=SENT_S_MAX * 1000)
        told.append("apartados" in place.inner_text())
    assert sorted(told) == [False, True]
    loser = (ana, bruno)[told.index(False)]
    expect(loser.page.locator(".waits-card.done")).to_contain_text("No se cobró nada")
    loser.page.get_by_role("button", name="Buscar asientos iguales").click()
    loser.page.wait_for_url(f"**/events/{event}/holds")
    expect(loser.page.locator(".refusal")).to_be_visible()


def test_without_background_sync_an_open_page_sends_it(
    system: System, make: Make, line: Line
) -> None:
    device = make("without", line.address)
    device.context.add_init_script("delete self.SyncManager")
    device.sign_in("carla")
    _, seats = hold(system, device)
    card(device.page)
    line.way = "cut"
    tap(device.page)
    waits(device)
    line.way = "open"
    one_order(system, device, seats)


def test_a_purchase_can_be_withdrawn(system: System, ana: Device, line: Line) -> None:
    _, seats = hold(system, ana)
    line.way = "cut"
    fill_card(ana.page)
    tap(ana.page)
    waits(ana)
    ana.page.get_by_role("button", name="Retirarla").click()
    expect(ana.page.locator(".waits-card h2")).to_contain_text("Retirada")
    line.way = "open"
    expect(ana.page.locator(".waits-card h2")).to_contain_text(
        "no sabemos nada", timeout=SENT_S_MAX * 1000
    )
    assert (orders(system, seats), ana.purchases()) == ([], [])


def test_another_account_finds_nothing_and_sends_nothing(
    system: System, ana: Device, line: Line
) -> None:
    hold(system, ana)
    card(ana.page)
    tap(ana.page)
    ana.page.wait_for_url("**/orders/*")
    until(ana.page, "() => document.body.matches('.kept')")
    order = ana.page.url.rpartition("/")[2]
    _, seats = hold(system, ana)
    card(ana.page)
    line.way = "cut"
    tap(ana.page)
    waits(ana)
    key = ana.page.url.rpartition("/")[2]
    # Her session ends, not by her will; somebody else signs in on this phone.
    ana.context.clear_cookies()
    line.way = "open"
    ana.page.goto("/login?next=/orders")
    sign_in(ana.page, "bruno")
    ana.page.wait_for_url("**/orders")
    ana.page.wait_for_timeout(1500)
    assert orders(system, seats) == []
    kept = ana.kept()
    for hers in (order, key, "ana@example.com", ">Ana<"):
        assert hers not in kept, hers
    line.way = "cut"
    for path in (f"/orders/{order}", f"/purchases/{key}"):
        ana.page.goto(path)
        assert "Ana" not in ana.page.inner_text("body")


def test_signing_out_wipes_and_a_session_that_ended_does_not(
    system: System, ana: Device, line: Line
) -> None:
    hold(system, ana)
    card(ana.page)
    tap(ana.page)
    ana.page.wait_for_url("**/orders/*")
    until(ana.page, "() => document.body.matches('.kept')")
    [(ticket,)] = system.rows(
        "SELECT ticket_uuid FROM orders.tickets WHERE order_uuid = %s",
        ana.page.url.rpartition("/")[2],
    )
    cookies = ana.context.cookies()
    ana.context.clear_cookies()
    ana.page.goto(f"/tickets/{ticket}")
    expect(ana.page.locator("img.qr")).to_be_visible()
    ana.context.add_cookies(cookies)  # type: ignore[arg-type]  # as they were given
    ana.page.goto("/")
    ana.page.get_by_role("button", name="Salir").click()
    ana.page.wait_for_load_state()
    assert str(ticket) not in ana.kept()
    line.way = "cut"
    ana.page.goto(f"/tickets/{ticket}")
    expect(ana.page.locator("#shell")).to_be_visible()
