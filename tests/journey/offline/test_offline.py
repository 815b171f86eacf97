"""Without a network: what was seen and what was bought, in a browser that keeps things."""

import contextlib
import io
import re
from pathlib import Path
from uuid import uuid4

import pytest
import requests
import zxingcpp
from PIL import Image
from playwright.sync_api import Error, Page, Playwright, expect

from pipeline.prepare import free_ports
from tests.browser import until
from tests.journey.buyers import event_with, fill_card, sign_in
from tests.journey.devices import Device, Make
from tests.journey.offline.deeds import SENT_S_MAX, bought, card, hold, orders, queued, seen, tap
from tests.journey.system import System, running
from tests.lines import Line
from tests.releases import copy_of_the_code


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


def test_another_account_finds_nothing_and_sends_nothing(
    system: System, ana: Device, line: Line
) -> None:
    order = bought(system, ana)
    _, seats = queued(system, ana, line)
    key = ana.page.url.rpartition("/")[2]
    # Her session ends, not by her will; somebody else signs in on this phone, from her card or from the list.
    ana.context.clear_cookies()
    line.way = "open"
    ana.page.goto(f"/login?next=/purchases/{key}")
    sign_in(ana.page, "bruno")
    ana.page.wait_for_url(f"**/purchases/{key}")
    shown = ana.page.inner_text("body")
    assert "Bruno" in shown
    assert "Ana" not in shown
    assert "en espera" not in shown.lower()
    ana.page.goto("/")
    assert "Ana" not in ana.page.inner_text("header")
    ana.page.wait_for_timeout(1500)
    assert orders(system, seats) == []
    kept = ana.kept()
    for hers in (order, key, "ana@example.com", ">Ana<"):
        assert [one[:300] for one in kept.splitlines() if hers in one] == []
    line.way = "cut"
    for path in (f"/orders/{order}", f"/purchases/{key}"):
        ana.page.goto(path)
        assert "Ana" not in ana.page.inner_text("body")


def test_signing_out_wipes_and_a_session_that_ended_does_not(
    system: System, make: Make, line: Line
) -> None:
    # A session of its own, which ends here.
    ana = make("ana", line.address)
    ana.sign_in("ana")
    order = bought(system, ana)
    [(ticket,), *_] = system.rows(
        "SELECT ticket_uuid FROM orders.tickets WHERE order_uuid = %s",
        order,
    )
    cookies = ana.context.cookies()
    ana.context.clear_cookies()
    ana.page.goto(f"/tickets/{ticket}")
    expect(ana.page.locator("img.qr")).to_be_visible()
    ana.context.add_cookies(cookies)  # type: ignore[arg-type]  # as they were given
    ana.page.goto("/")
    ana.page.get_by_role("button", name="Salir").click()
    expect(ana.page.locator("a.who")).to_have_text("Entrar")
    assert str(ticket) not in ana.kept()
    line.way = "cut"
    ana.page.goto(f"/tickets/{ticket}")
    expect(ana.page.locator("#shell")).to_be_visible()


def test_a_code_reads_on_a_small_dim_screen(system: System, ana: Device) -> None:
    order = bought(system, ana)
    [(ticket, code), *_] = system.rows(
        "SELECT ticket_uuid, code FROM orders.tickets WHERE order_uuid = %s", order
    )
    page = ana.page
    page.set_viewport_size({"width": 320, "height": 568})
    page.goto(f"/tickets/{ticket}")
    page.locator("a.whole").click()
    shown = page.locator(".bright .qr").bounding_box()
    assert shown
    assert shown["width"] >= 0.6 * 320
    expect(page.locator(".bright p")).to_contain_text("brillo")
    shot = Image.open(io.BytesIO(page.locator(".bright").screenshot())).convert("L")
    assert {shot.getpixel(at) for at in ((0, 0), (319, 0), (0, shot.height - 1))} == {255}
    # 25 mm on a phone of 320 dots an inch, with 30 % of the contrast.
    small = shot.crop((0, int(shown["y"]), 320, int(shown["y"] + shown["height"]))).resize(
        (315, 315)
    )
    dim = small.point(lambda value: int(80 + value * 0.3))
    assert [found.text for found in zxingcpp.read_barcodes(dim)] == [code]


def test_tickets_open_in_the_other_language_and_as_pictures(
    system: System, ana: Device, line: Line
) -> None:
    order = bought(system, ana)
    [(ticket, code), *_] = system.rows(
        "SELECT ticket_uuid, code FROM orders.tickets WHERE order_uuid = %s", order
    )
    ana.page.get_by_role("button", name="EN, English").click()
    expect(ana.page.locator("html")).to_have_attribute("lang", "en")
    line.way = "cut"
    ana.page.goto(f"/tickets/{ticket}")
    expect(ana.page.locator("img.qr")).to_be_visible()
    ana.page.goto(f"/tickets/{ticket}.png")
    shot = Image.open(io.BytesIO(ana.page.screenshot()))
    assert [found.text for found in zxingcpp.read_barcodes(shot)] == [code]


def test_whoever_signs_out_without_an_answer_leaves_nothing_either(
    system: System, make: Make, line: Line
) -> None:
    device = make("ana", line.address)
    device.sign_in("ana")
    order = bought(system, device)
    device.page.goto("/")
    sessions = "SELECT count(*) FROM accounts.sessions WHERE sub IS NOT NULL"
    before = system.rows(sessions)
    line.way = "deaf"
    # Not by its button: a page that has noticed by then that no answer comes switches that off.
    with contextlib.suppress(Error):
        device.page.evaluate("document.querySelector('form.who').requestSubmit()")
    seen(device.page, lambda: system.rows(sessions) < before, "the sign-out did not arrive")
    expect(device.page.locator("#shell")).to_be_visible(timeout=SENT_S_MAX * 1000)
    line.way = "open"
    # In another tab: this one comes back by itself now, and would be in the way.
    device.page = device.context.new_page()
    device.page.goto("/")
    expect(device.page.locator("a.who")).to_have_text("Entrar")
    assert order not in device.kept()


def test_search_kinds_and_order_go_over_what_is_kept(
    system: System, ana: Device, line: Line
) -> None:
    page = ana.page
    page.goto("/events")
    page.wait_for_timeout(300)
    titles = [title for (title,) in system.rows(
        "SELECT title FROM catalog.events WHERE status = 'PUBLISHED' AND ends_at > now()"
        " ORDER BY starts_at LIMIT 10")]  # fmt: skip
    line.way = "cut"
    page.reload()
    expect(page.locator(".note.offline")).to_be_visible()
    word = max(titles[3].split(), key=len)
    page.locator("#q").fill(word)
    shown = page.locator("#results .bill h2")
    expect(shown.first).to_contain_text(re.compile(re.escape(word), re.IGNORECASE))
    assert shown.count() < 5
    page.goto("/events?category=THEATER")
    expect(page.locator(".note.offline")).to_be_visible()
    until(
        page,
        "() => [...document.querySelectorAll('#results .bill')].every((one) => one.matches('.k-THEATER'))",
    )
    assert page.locator("#results .bill").count()
    page.goto("/events?q=zzzz")
    expect(page.locator("#results .empty")).to_contain_text("Nada en lo que está guardado")


def test_a_network_that_answers_for_everybody_is_none(ana: Device) -> None:
    page = ana.page
    page.goto("/events")
    # A hotel's page, with 200, for every address; no worker asks for what a page does.
    page.route(
        "**/health", lambda route: route.fulfill(body="<h1>Wi-Fi</h1>", content_type="text/html")
    )
    until(page, "() => (dispatchEvent(new Event('online')), document.body.matches('.offline'))")
    expect(page.locator(".note.offline")).to_be_visible()
    expect(page.locator("header.top .tongues button").first).to_be_disabled()
    page.unroute("**/health")
    expect(page.locator(".note.offline")).to_have_count(0, timeout=15_000)
    expect(page.locator("header.top .tongues button").first).to_be_enabled()


def test_a_ticket_with_a_false_signature_is_not_finished(ana: Device, system: System) -> None:
    order = bought(system, ana)
    ana.context.add_init_script(
        """const real = self.fetch;
        const keys = [{ id: 1, public_key: `${"A".repeat(43)}=`, not_before: "", not_after: "" }];
        self.fetch = (address, ...more) =>
          String(address).includes("ticket-keys") ? Promise.resolve(Response.json({ keys })) : real(address, ...more);"""
    )
    ana.page.goto(f"/orders/{order}")
    until(ana.page, "() => document.body.matches('.unkept')")
    expect(ana.page.locator(".order .finished")).to_contain_text("No se pudo guardar")


def test_a_browser_without_workers_says_so_and_offers_the_picture(
    system: System, make: Make, line: Line
) -> None:
    device = make("without-worker", line.address)
    device.context.add_init_script("delete Navigator.prototype.serviceWorker")
    page = device.page
    page.goto("/login?next=/")
    sign_in(page, "carla")
    page.wait_for_url("**/")
    hold(system, device)
    fill_card(page)
    tap(page)
    page.wait_for_url("**/orders/*")
    expect(page.locator(".order .finished")).to_contain_text("no guarda entradas", timeout=20_000)
    expect(page.locator(".order .finished")).to_be_visible()
    page.get_by_role("link", name="Abrir la entrada").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Imagen").click()
    assert zxingcpp.read_barcodes(Image.open(download.value.path()))


def test_what_was_bought_elsewhere_lies_here_after_the_network_is_back(
    system: System, ana: Device, line: Line
) -> None:
    event = event_with(system, 2)
    line.way = "cut"
    ana.page.reload()
    expect(ana.page.locator(".note.offline")).to_be_visible()
    [seat] = system.free_seats(event, 1)
    token = system.provider("token", "ana@example.com")[0]
    answer = requests.post(
        f"http://localhost:{line.to}/api/orders",
        json={
            "event_id": event,
            "seat_ids": [seat],
            "payment": {"card_number": "4242424242424242"},
        },
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": uuid4().hex},
        timeout=10,
    )
    order = answer.json()["order_uuid"]
    system.completed([order], 20)
    ana.page.evaluate("window.mine = true")
    line.way = "open"
    # A page from memory comes back by itself, and would end a way to somewhere else.
    until(ana.page, "() => !window.mine")
    expect(ana.page.locator(".note.news")).to_contain_text("Entradas guardadas.", timeout=30_000)
    until(
        ana.page,
        f"async () => Boolean(await caches.match('/orders/{order}', {{ ignoreSearch: true }}))",
    )
    line.way = "cut"
    ana.page.goto(f"/orders/{order}")
    expect(ana.page.locator("ul.tickets img").first).to_be_visible()


def test_each_cache_keeps_its_bounds(system: System, ana: Device) -> None:
    page, event = ana.page, event_with(system, 1)
    asked = "async ([event, from, to]) => { for (let n = from; n < to; n += 1) await (await fetch(`/events/${event}?n=${n}`, { headers: { 'HX-Request': 'true' } })).text(); }"
    keys = "async () => (await (await caches.open('maps')).keys()).map(({ url }) => url)"
    page.evaluate(asked, [event, 0, 75])
    until(page, f"async () => (await ({keys})()).length <= 60")
    assert not any("n=0&" in url for url in page.evaluate(keys))
    page.evaluate(
        """async () => {
          const cache = await caches.open("maps");
          const body = new Uint8Array(1024 * 1024);
          for (let n = 0; n < 30; n += 1)
            await cache.put(`/large/${n}`, new Response(body, { headers: { "X-Saved-At": `2020-01-${10 + n}` } }));
        }"""
    )
    page.evaluate(asked, [event, 100, 112])
    sizes = "async () => { const c = await caches.open('maps'); let sum = 0; for (const k of await c.keys()) sum += (await (await c.match(k)).arrayBuffer()).byteLength; return sum; }"
    until(page, f"async () => (await ({sizes})()) <= 24 * 1024 * 1024")
    left = [url for url in page.evaluate(keys) if "/large/" in url]
    assert left
    assert not any(url.endswith("/large/0") for url in left)


def test_a_new_release_is_offered_and_nothing_is_mixed(
    playwright: Playwright, tmp_path: Path, make: Make
) -> None:
    port = str(free_ports(1)[0])
    with running(tmp_path / "data", PORT=port) as first:
        device = make("released", first.address)
        page = device.page
        device.sign_in("ana")
        order = bought(first, device)
        page.goto("/events")
        page.goto("/events")
        page.evaluate("window.mine = true")
        old = digests(page)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("body.offline")).to_be_attached()
    copy = another_release(tmp_path / "release")
    with running(tmp_path / "data", root=str(copy), PORT=port):
        page.evaluate("dispatchEvent(new Event('online'))")
        expect(page.locator("body:not(.offline)")).to_be_attached()
        assert page.evaluate("window.mine"), "an open page is never reloaded by itself"
        style = next(iter(old))
        assert page.request.get(f"/static/{style}/style.css").status == 200
        page.evaluate("navigator.serviceWorker.ready.then((one) => one.update())")
        expect(page.locator(".release")).to_contain_text("versión nueva", timeout=20_000)
        assert page.evaluate("window.mine")
        page.locator(".release").get_by_role("button").click()
        until(page, "() => !window.mine && Boolean(navigator.serviceWorker.controller)")
        page.goto("/events")
        assert len(digests(page)) == 1
        assert digests(page) != old
        device.context.set_offline(offline=True)
        page.goto(f"/orders/{order}")
        expect(page.locator("ul.tickets img").first).to_be_visible()
        assert page.evaluate("getComputedStyle(document.querySelector('.tabs')).display") == "flex"


def digests(page: Page) -> set[str]:
    """Of which releases the page's files are."""
    names = page.evaluate(
        "[...document.querySelectorAll('script[src], link[rel=stylesheet]')].map((one) => one.src || one.href)"
    )
    return {name.split("/static/")[1].split("/")[0] for name in names}


def another_release(folder: Path) -> Path:
    """The same code with another style, in a folder of its own."""
    copy = copy_of_the_code(folder)
    with (copy / "web/static/style.css").open("a") as style:
        style.write("\n.another{color:inherit}\n")
    return copy


def test_without_node_everything_serves_but_the_worker(tmp_path: Path) -> None:
    copy = another_release(tmp_path / "release")
    (copy / "service-worker/node_modules").unlink()
    (copy / "service-worker/package-lock.json").write_text("{")
    with running(tmp_path / "data", root=str(copy)) as without:
        assert "without the service worker" in (tmp_path / "data/run.log").read_text()
        assert requests.get(f"{without.address}/service-worker.js", timeout=5).status_code == 404
        page = requests.get(f"{without.address}/events", timeout=5)
        assert page.status_code == 200
        assert "offline.js" not in page.text
        assert 'class="keeps' not in page.text
