"""Purchases that wait for the network: sent once, and told what became of them."""

import re
from functools import partial
from time import time

import psycopg
from playwright.sync_api import expect

from tests.browser import until
from tests.journey.buyers import event_with, fill_card, sign_in, tick
from tests.journey.devices import Device, Make
from tests.journey.offline.deeds import (
    SENT_S_MAX,
    card,
    hold,
    nothing_waits,
    one_order,
    orders,
    queued,
    seen,
    tap,
    waits,
)
from tests.journey.offline.told import TAKEN
from tests.journey.system import PAYS, System, wait_for
from tests.lines import PATIENCE_S, Line

HEX = re.compile(r"\b(?=[\d-]*[a-f])[0-9a-f-]{8,}\b")
"""Numbers of tickets and of versions, which may have any digits in them."""


def names_the_card(text: str) -> bool:
    """Whether four digits of the test card stand there."""
    return PAYS[-4:] in HEX.sub("", text)


def test_a_purchase_without_a_network_is_sent_once_when_it_is_back(
    system: System, ana: Device, line: Line
) -> None:
    _, seats = queued(system, ana, line, 2)
    [waiting] = ana.purchases()
    assert waiting["method"].startswith("pm_")
    assert not names_the_card(ana.kept().replace(waiting["method"], ""))
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
    assert not names_the_card(ana.kept())
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
        line.hang_up()
        tap(ana.page)
        waits(ana)
        died = system.folder / "failpoint-committed"
        wait_for(died.exists, 10, "nobody died: this proves nothing")
        line.to = system.settings.port
        one_order(system, ana, seats)
    ana.page.wait_for_url("**/orders/*")


def test_a_closed_browser_sends_it_when_it_is_opened(
    system: System, ana: Device, line: Line
) -> None:
    _, seats = queued(system, ana, line)
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
    _, seats = queued(system, ana, line)
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
    told, texts = [], []
    for device in (ana, bruno):
        place = device.page.locator(".waits-card.done")
        expect(place).to_be_visible(timeout=SENT_S_MAX * 1000)
        texts.append(place.inner_text())
        told.append("apartados" in texts[-1].lower())
    assert sorted(told) == [False, True], texts
    loser = (ana, bruno)[told.index(False)]
    expect(loser.page.locator(".waits-card.done")).to_contain_text("No se cobró nada")
    loser.page.get_by_role("button", name="Buscar asientos iguales").click()
    loser.page.wait_for_url(f"**/events/{event}/holds")
    expect(loser.page.locator(".refusal")).to_be_visible()


def test_two_phones_with_a_card_wait_for_one_seat(
    system: System, make: Make, ana: Device, line: Line
) -> None:
    """Each held it once, and both holds are over when the network is back: the first to come buys."""
    bruno = make("bruno", line.address)
    bruno.sign_in("bruno")
    event, [seat] = hold(system, ana)
    card(ana.page)
    lapse(system, seat)
    bruno.page.goto(f"/events/{event}")
    tick(bruno.page, [seat])
    bruno.page.locator("#hall .act button").click()
    bruno.page.wait_for_url("**/checkout")
    card(bruno.page)
    lapse(system, seat)
    line.way = "cut"
    for device in (ana, bruno):
        tap(device.page)
        waits(device)
    keys = [device.purchases()[0]["key"] for device in (ana, bruno)]
    line.way = "open"
    wait_for(lambda: orders(system, [seat]), SENT_S_MAX, "nobody's purchase was sent")
    for device in (ana, bruno):
        seen(device.page, partial(nothing_waits, device), "one does not know of it")
    [order] = orders(system, [seat])
    ends = dict(system.rows(
        "SELECT idempotency_key, order_uuid::text FROM orders.purchases WHERE idempotency_key = ANY (%s)", keys))  # fmt: skip
    won = [device for key, device in zip(keys, (ana, bruno), strict=True) if ends[key] == order]
    assert len(won) == 1
    loser = ana if won == [bruno] else bruno
    told = loser.page.locator(".waits-card.done")
    expect(told).to_contain_text("Alguien se llevó")
    expect(told).to_contain_text("No se cobró nada")
    ledger = system.ledger()
    taken = [
        key for key in ends.values() if ledger.get(key, {"state": "unknown"})["state"] in TAKEN
    ]
    assert taken == [order]


def lapse(system: System, seat: int) -> None:
    """The hold's time passes."""
    system.rows(
        "UPDATE catalog.seats SET held_until = now() - interval '1 s' WHERE id = %s RETURNING id",
        seat,
    )


def test_without_background_sync_an_open_page_sends_it(
    system: System, make: Make, line: Line
) -> None:
    device = make("without", line.address)
    device.sign_in("carla")
    gone = "() => (delete ServiceWorkerRegistration.prototype.sync, 'sync' in self.registration)"
    assert device.context.service_workers[0].evaluate(gone) is False
    _, seats = queued(system, device, line)
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


def test_a_busy_server_gets_its_patience(system: System, ana: Device, line: Line) -> None:
    _, seats = hold(system, ana)
    card(ana.page)
    line.way = "busy"
    tapped = time()
    tap(ana.page)
    waits(ana)
    line.way = "open"
    one_order(system, ana, seats)
    assert time() - tapped >= PATIENCE_S
    ana.page.wait_for_url("**/orders/*")


def test_a_session_that_ended_goes_on_after_signing_in(
    system: System, ana: Device, line: Line
) -> None:
    _, seats = queued(system, ana, line)
    ana.context.clear_cookies()
    line.way = "open"
    told = ana.page.locator(".waits-card")
    expect(told).to_contain_text("Tu sesión terminó", timeout=SENT_S_MAX * 1000)
    assert orders(system, seats) == []
    told.get_by_role("link", name="Entrar").click()
    sign_in(ana.page, "ana")
    one_order(system, ana, seats)
    ana.page.wait_for_url("**/orders/*")


def test_an_outcome_behind_a_closed_page_is_said_by_the_system(
    system: System, ana: Device, line: Line
) -> None:
    ana.context.grant_permissions(["notifications"], origin=line.address)
    _, seats = queued(system, ana, line)
    # Allowed already: the words are laid by with the purchase.
    worker = ana.context.service_workers[0]
    worker.evaluate(
        "() => { self.said = []; self.registration.showNotification = async (title) => self.said.push(title); }"
    )
    ana.page.goto("about:blank")
    line.way = "open"
    worker.evaluate(
        "() => self.dispatchEvent(Object.assign(new Event('sync'), { tag: 'purchases', waitUntil: (one) => (self.going = one) }))"
    )
    seen(ana.page, lambda: orders(system, seats), "not sent")
    seen(ana.page, lambda: worker.evaluate("() => self.said"), "nothing was said")
    assert worker.evaluate("() => self.said") == ["Comprado: tus entradas llegan"]


def test_seats_that_somebody_took_meanwhile_are_told_and_not_charged(
    system: System, ana: Device, line: Line
) -> None:
    event, seats = hold(system, ana)
    charged = len(system.ledger())
    card(ana.page)
    line.way = "cut"
    tap(ana.page)
    waits(ana)
    # Her time runs out, and somebody else is quicker.
    alter(
        system,
        "UPDATE catalog.seats SET held_until = now() - interval '1 s' WHERE id = %s",
        seats[0],
    )
    bruno = system.provider("token", "bruno@example.com")[0]
    assert system.order(event, seats, bruno, card=PAYS).status_code == 201
    line.way = "open"
    told = ana.page.locator(".waits-card.done")
    expect(told).to_contain_text("Alguien se llevó", timeout=SENT_S_MAX * 1000)
    expect(told).to_contain_text("No se cobró nada")
    assert len(orders(system, seats)) == 1
    paid = [one for one in system.ledger().values() if one["state"] in ("authorised", "captured")]
    assert len(paid) <= charged + 1
    told.get_by_role("button", name="Buscar asientos iguales").click()
    expect(ana.page.locator(".refusal")).to_be_visible()


def test_a_sale_that_is_over_is_told(system: System, ana: Device, line: Line) -> None:
    event, seats = queued(system, ana, line)
    alter(system, "UPDATE catalog.events SET status = 'CANCELLED' WHERE id = %s", event)
    try:
        line.way = "open"
        told = ana.page.locator(".waits-card.done")
        expect(told).to_contain_text("La venta terminó", timeout=SENT_S_MAX * 1000)
        assert orders(system, seats) == []
    finally:
        alter(system, "UPDATE catalog.events SET status = 'PUBLISHED' WHERE id = %s", event)


def test_another_price_is_told_before_any_charge(system: System, ana: Device, line: Line) -> None:
    _, seats = queued(system, ana, line)
    alter(system, "UPDATE catalog.seats SET price = price + 1 WHERE id = %s", seats[0])
    line.way = "open"
    told = ana.page.locator(".waits-card.done")
    expect(told).to_contain_text("El precio cambió", timeout=SENT_S_MAX * 1000)
    assert orders(system, seats) == []


def alter(system: System, statement: str, what: int) -> None:
    """What happens meanwhile, done to the tables as their owner."""
    with psycopg.connect(system.settings.database_url, autocommit=True) as connection:
        assert connection.execute(statement.encode(), (what,)).rowcount == 1


def test_what_is_taken_back_after_it_arrived_is_told_as_bought(
    system: System, ana: Device, line: Line
) -> None:
    _, seats = hold(system, ana)
    card(ana.page)
    line.way = "deaf"
    tap(ana.page)
    waits(ana)
    wait_for(lambda: orders(system, seats), 10, "it did not arrive: this proves nothing")
    ana.page.get_by_role("button", name="Retirarla").click()
    line.way = "open"
    one_order(system, ana, seats)
    ana.page.wait_for_url("**/orders/*")


def test_a_declined_card_is_told_when_it_was_sent_later(
    system: System, ana: Device, line: Line
) -> None:
    _, seats = queued(system, ana, line, number="4000 0000 0000 0002")
    line.way = "open"
    told = ana.page.locator(".waits-card.done")
    expect(told).to_contain_text("El banco dijo no", timeout=SENT_S_MAX * 1000)
    assert orders(system, seats) == []
