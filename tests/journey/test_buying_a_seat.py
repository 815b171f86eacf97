"""From the tap to the QR code with every process for real: in browsers, and by a script."""

import base64
import io
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any
from uuid import uuid4

import base45
import psutil
import requests
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from redis import Redis
from rq import Worker

from pipeline.autoscaler import CALM_S
from tests.browser import phone
from tests.journey.buyers import event_with, pay, sign_in, signed_in, tick
from tests.journey.system import System, wait_for


def test_one_buys_and_sees_the_ticket_come_the_other_is_told_which_seats_are_gone(
    system: System, browser: Browser
) -> None:
    event = event_with(system, 4)
    first, second, third = system.free_seats(event, 3)
    ana, bruno = phone(browser, system.address), phone(browser, system.address)
    # His map does not hear in time that a seat of his was taken.
    bruno.route_web_socket(re.compile("/ws"), lambda socket: socket.close())
    bruno.route(re.compile("/updates"), lambda route: route.abort())
    for page in (ana, bruno):
        page.goto(f"/events/{event}")
    tick(ana, [first, second])
    tick(bruno, [second, third])

    ana.get_by_role("button", name="Reservar").click()
    ana.wait_for_url("**/checkout")
    bruno.get_by_role("button", name="Reservar").click()
    refusal = bruno.get_by_role("alert")
    expect(refusal).to_contain_text("Alguien se llevó")
    expect(refusal).to_contain_text(name_of(system, second))
    expect(refusal).not_to_contain_text(
        re.compile(re.escape(name_of(system, third)) + r" un instante")
    )

    ana.get_by_role("link", name="Entrar y pagar").click()
    sign_in(ana, "ana")
    ana.wait_for_url("**/checkout")
    pay(ana)
    ana.wait_for_selector(".order")
    ana.evaluate("window.still_the_same_page = true")
    expect(ana.locator(".ticket img")).to_have_count(2, timeout=15_000)
    assert ana.evaluate("window.still_the_same_page") is True
    loaded = "image => image.decode().then(() => image.naturalWidth)"
    assert ana.locator(".ticket img").first.evaluate(loaded) > 300


def name_of(system: System, seat: int) -> str:
    row, number = system.rows("SELECT row_label, number FROM catalog.seats WHERE id = %s", seat)[0]
    return f"{row}\N{NO-BREAK SPACE}{number}"


def test_the_ticket_comes_by_push_alone(system: System, browser: Browser) -> None:
    """With the page's own polling switched off, only the socket can bring it."""
    event = event_with(system, 2)
    page = buying(system, browser, event)
    page.route(re.compile(r"/orders/[0-9a-f-]{36}$"), only_pages)
    # Not the worker: a slow machine has started a second one, and then the ticket is on the first page.
    with system.suspended("pipeline.dispatcher"):
        with page.expect_websocket() as opened:
            pay(page)
        assert opened.value.url.endswith("/ws")
        page.wait_for_timeout(1_000)
    expect(page.locator(".ticket img")).to_have_count(1, timeout=15_000)


def only_pages(route: Any) -> None:
    """Let the page itself through and hold back the fragments that it asks for."""
    if route.request.headers.get("hx-request"):
        route.abort()
    else:
        route.continue_()


def test_the_ticket_comes_by_polling_when_there_is_no_socket(
    system: System, browser: Browser
) -> None:
    event = event_with(system, 2)
    page = buying(system, browser, event)
    page.route_web_socket(re.compile("/ws"), lambda socket: socket.close())
    system.kill("pipeline.worker")
    pay(page)
    page.wait_for_selector(".order")
    expect(page.locator(".ticket img")).to_have_count(1, timeout=40_000)


def buying(system: System, browser: Browser, event: int) -> Page:
    """Ana, signed in, with one seat on the checkout."""
    page = signed_in(system, browser, "ana", f"/events/{event}", workers="block")
    tick(page, system.free_seats(event, 1))
    page.get_by_role("button", name="Reservar").click()
    page.wait_for_url("**/checkout")
    return page


def test_without_javascript_the_order_page_refreshes_itself(
    system: System, browser: Browser
) -> None:
    event = event_with(system, 2)
    context = browser.new_context(
        java_script_enabled=False, base_url=system.address, locale="es-PE"
    )
    page = context.new_page()
    page.goto(f"/login?next=/events/{event}")
    sign_in(page, "bruno")
    tick(page, system.free_seats(event, 1))
    page.get_by_role("button", name="Reservar").click()
    pay(page)
    expect(page.locator(".ticket img")).to_have_count(1, timeout=15_000)


def test_other_loopback_names_lead_to_the_one_address(system: System, browser: Browser) -> None:
    page = browser.new_page(locale="es-PE")
    page.goto(system.address.replace("localhost", "127.0.0.1") + "/events")
    assert page.url == f"{system.address}/events"


def test_by_script_the_ticket_is_read_and_checked_with_nothing_of_ours(system: System) -> None:
    """The ten lines of docs/ticket-code.md, on a picture read by another maker's reader."""
    event = event_with(system, 2)
    answer = system.order(event, system.free_seats(event, 1))
    assert answer.status_code == 201, answer.text
    path = f"/api/orders/{answer.json()['order_uuid']}"
    done = wait_for(
        lambda: (order := system.get(path).json())["status"] == "COMPLETED" and order, 15, "order"
    )
    picture = system.get(done["tickets"][0]["qr_url"]).content
    code = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)).convert("L"))[0].text
    raw = base45.b45decode(code)
    published = system.get("/.well-known/ticket-keys.json").json()["keys"]
    key = next(one["public_key"] for one in published if one["id"] == raw[1])
    Ed25519PublicKey.from_public_bytes(base64.b64decode(key)).verify(raw[30:], raw[:30])
    assert raw[2:18].hex() == done["tickets"][0]["ticket_uuid"].replace("-", "")
    assert int.from_bytes(raw[18:26]) == event


def test_two_hundred_orders_for_overlapping_pairs_of_twenty_seats(system: System) -> None:
    tokens = system.provider("tokens", "100")
    event = event_with(system, 20)
    seats = system.free_seats(event, 20)
    pairs = [[seats[n % 20], seats[(n + 1) % 20]] for n in range(200)]
    all_ready = Barrier(200)

    def order(n: int) -> requests.Response:
        all_ready.wait(30)
        return system.order(event, pairs[n], tokens[n % 100], str(uuid4()))

    with ThreadPoolExecutor(200) as threads:
        answers = list(threads.map(order, range(200)))
    assert set(Counter(answer.status_code for answer in answers)) == {201, 409}
    bought = [answer.json()["order_uuid"] for answer in answers if answer.status_code == 201]
    system.completed(bought, 30)
    tickets = system.rows(
        "SELECT seat_id FROM orders.tickets WHERE order_uuid = ANY (%s::uuid[]) AND voided_at IS NULL",
        bought,
    )
    sold = {seat for (seat,) in tickets}
    assert len(tickets) == len(sold) == 2 * len(bought)
    assert all(sold & set(pair) for pair in pairs), "no wanted pair is left wholly free"
    prices = system.rows(
        "SELECT sum(price)::text FROM orders.tickets WHERE order_uuid = ANY (%s::uuid[])", bought
    )[0][0]
    ledger = system.ledger()
    captured = [ledger[order]["captured"] for order in bought]
    assert f"{sum(map(float, captured)):.2f}" == prices
    refused = [p for key, p in ledger.items() if key not in bought and p["captured"] != "0"]
    ours = {str(order) for (order,) in system.rows("SELECT order_uuid FROM orders.orders")}
    assert all(payment["key"] in ours for payment in refused)


def test_the_autoscaler_starts_replaces_and_ends_workers(system: System) -> None:
    """225 orders, WORKERS_MAX=3: three real RQ workers, one killed and replaced, then fewer again."""
    tokens = system.provider("tokens", "100")
    event = int(system.rows(
        "SELECT event_id FROM catalog.seats WHERE status = 'AVAILABLE'"
        " GROUP BY event_id HAVING count(*) > 400 ORDER BY count(*) LIMIT 1")[0][0])  # fmt: skip
    seats = system.free_seats(event, 225)
    # Nobody takes from the stream, so three are wanted until we say otherwise.
    with system.suspended("pipeline.dispatcher"):
        with ThreadPoolExecutor(16) as threads:
            answers = list(
                threads.map(lambda n: system.order(event, [seats[n]], tokens[n % 100]), range(225))
            )
        assert {answer.status_code for answer in answers} == {201}
        before = wait_for(lambda: three_at_work(system), 15, "3 workers")
        scaler = system.processes("pipeline.autoscaler")[0]
        victim = next(worker for worker in before if worker.ppid() == scaler.pid)
        victim.kill()

        def replaced() -> set[psutil.Process]:
            now = three_at_work(system)
            return set() if victim in now else now

        after = wait_for(replaced, 15, "nobody takes the killed worker's place")
        assert after > before - {victim}
    system.completed([answer.json()["order_uuid"] for answer in answers], 60)

    def fewer() -> set[psutil.Process]:
        now = set(system.processes("pipeline.worker"))
        return now if len(now) < 3 else set()

    left = wait_for(fewer, CALM_S + 15, "no worker is let go")
    assert left < after
    assert any(worker.ppid() != scaler.pid for worker in left), "the Procfile's own stays"


def three_at_work(system: System) -> set[psutil.Process]:
    """The workers, once they are three and RQ knows each."""
    workers = set(system.processes("pipeline.worker"))
    with closing(Redis.from_url(system.settings.redis_url)) as client:
        # RQ forgets a killed one only after a minute, so there may be more.
        known = {worker.pid for worker in Worker.all(connection=client)}
    at_work = len(workers) == 3 and {worker.pid for worker in workers} <= known
    return workers if at_work else set()
