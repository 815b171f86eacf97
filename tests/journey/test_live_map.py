"""A map in one browser follows what happens in others: by socket, after a cut, and without one."""

import re
from time import monotonic, sleep
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, WebSocket, expect
from websocket import create_connection

from tests.browser import phone
from tests.journey.buyers import fill_card, large_hall, sign_in, tick
from tests.journey.system import System, wait_for

STATES = """() => [...document.querySelectorAll('#map .row input')].map(
    seat => [seat.value, seat.getAttribute('class') ?? '', seat.disabled])"""
CHANGED_S = 3_000
"""A second for the product; the rest is for a machine that runs other tests beside."""


def section_seats(system: System, event: int, count: int) -> tuple[int, list[int]]:
    """A section and so many of its free seats."""
    rows = system.rows(
        "SELECT section_number, array_agg(id ORDER BY position) FROM catalog.seats"
        " WHERE event_id = %s AND status = 'AVAILABLE' GROUP BY section_number"
        " HAVING count(*) >= %s ORDER BY section_number LIMIT 1",
        event,
        count,
    )
    return int(rows[0][0]), list(rows[0][1])[:count]


def lock(system: System, event: int, seats: list[int]) -> None:
    """Somebody else takes them."""
    assert system.ask(event, "lock-seat", seats) == 200


def unlock(system: System, event: int, seats: list[int]) -> None:
    assert system.ask(event, "unlock-seat", seats) == 200


def seat(page: Page, seat_id: int) -> Any:
    return page.locator(f'.row input[value="{seat_id}"]')


def open_section(browser: Browser, system: System, event: int, section: int) -> Page:
    """A visitor with the section open and its socket connected."""
    page = phone(browser, system.address)
    with page.expect_websocket() as opened:
        page.goto(f"/events/{event}?section={section}")
    wait_for(lambda: not opened.value.is_closed(), 5, "no socket")
    page.wait_for_timeout(300)
    return page


def equals_a_fresh_one(browser: Browser, system: System, page: Page) -> None:
    """What the changes made of the page is what the server draws now."""
    fresh = phone(browser, system.address)
    fresh.goto(page.url)
    assert page.evaluate(STATES) == fresh.evaluate(STATES)
    fresh.context.close()


def test_what_others_take_and_give_back_is_seen_without_a_reload(
    system: System, browser: Browser
) -> None:
    event = large_hall(system)
    section, seats = section_seats(system, event, 3)
    page = open_section(browser, system, event, section)
    overview = phone(browser, system.address)
    overview.goto(f"/events/{event}")
    count = overview.locator(f'[data-s="{section}"] .free b')
    before = int(count.inner_text().replace(",", ""))
    everywhere = overview.locator(".all-free")
    free = int(everywhere.inner_text().replace(",", ""))
    seat(page, seats[0]).check()
    seat(page, seats[2]).check()

    lock(system, event, seats[:2])
    expect(seat(page, seats[0])).to_have_class("h", timeout=CHANGED_S)
    expect(seat(page, seats[0])).to_be_disabled()
    expect(seat(page, seats[0])).not_to_be_checked()
    expect(seat(page, seats[2])).to_be_checked()
    expect(page.locator("#said")).to_contain_text("Alguien se llevó")
    expect(count).to_have_text(f"{before - 2:,}", timeout=CHANGED_S)
    expect(everywhere).to_have_text(f"{free - 2:,}", timeout=CHANGED_S)
    equals_a_fresh_one(browser, system, page)

    unlock(system, event, seats[:2])
    expect(seat(page, seats[1])).to_be_enabled(timeout=CHANGED_S)
    expect(count).to_have_text(f"{before:,}", timeout=CHANGED_S)
    equals_a_fresh_one(browser, system, page)


def test_a_cut_socket_goes_on_without_a_reload_or_a_lost_change(
    system: System, browser: Browser
) -> None:
    """H33: changes of the time in between come as one message; nothing is fetched again."""
    event = large_hall(system)
    section, seats = section_seats(system, event, 4)
    page = open_section(browser, system, event, section)
    page.route(re.compile("/updates"), lambda route: route.abort())
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))
    lock(system, event, seats[:1])
    expect(seat(page, seats[0])).to_be_disabled(timeout=CHANGED_S)
    page.context.set_offline(offline=True)
    page.evaluate("htmx.find('#map')._htmx.ws.connection.socket.close()")
    lock(system, event, seats[1:3])
    unlock(system, event, seats[:1])
    page.wait_for_timeout(1_000)
    page.context.set_offline(offline=False)
    expect(seat(page, seats[1])).to_be_disabled(timeout=10_000)
    expect(seat(page, seats[2])).to_be_disabled()
    expect(seat(page, seats[0])).to_be_enabled()
    equals_a_fresh_one(browser, system, page)
    assert [url for url in fetched if url.endswith(f"section={section}")] == []
    unlock(system, event, seats[1:3])


def test_without_a_socket_the_page_asks(system: System, browser: Browser) -> None:
    event = large_hall(system)
    section, seats = section_seats(system, event, 1)
    page = phone(browser, system.address)
    page.route_web_socket(re.compile("/ws"), lambda socket: socket.close())
    page.goto(f"/events/{event}?section={section}")
    lock(system, event, seats)
    expect(seat(page, seats[0])).to_be_disabled(timeout=12_000)
    equals_a_fresh_one(browser, system, page)
    unlock(system, event, seats)


def test_a_server_that_knows_nothing_is_not_asked_again_and_again(
    system: System, browser: Browser
) -> None:
    """Each answer makes the page fetch its map and say its version, which is answered again."""
    event = large_hall(system)
    page = phone(browser, system.address)

    def forgetful(socket: Any) -> None:
        socket.on_message(lambda _: socket.send("R"))

    page.route_web_socket(re.compile("/ws"), forgetful)
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(f"/events/{event}?section=1")
    page.wait_for_timeout(3_000)
    again = [url for url in fetched[1:] if url.endswith(f"/events/{event}?section=1")]
    assert len(again) == 1


@pytest.mark.parametrize("script", ["hx-ws.min.js", "app.js"])
def test_a_page_whose_scripts_come_late_is_told_what_changes(
    system: System, browser: Browser, script: str
) -> None:
    """A moment after htmx, which has looked at the page by then; by one socket, as any page."""
    page = phone(browser, system.address)
    sent: list[str | bytes] = []
    sockets: list[WebSocket] = []

    def late(route: Route) -> None:
        sleep(0.7)
        route.continue_()

    def opened(socket: WebSocket) -> None:
        sockets.append(socket)
        socket.on("framesent", lambda frame: sent.append(frame))  # noqa: PLW0108  not a builtin

    page.on("websocket", opened)
    page.route(f"**/{script}", late)
    page.goto(f"/events/{large_hall(system)}")
    page.wait_for_timeout(1_000)
    assert len(sockets) == 1
    assert [str(frame)[:2] for frame in sent] == ["- "]
    page.context.close()


def test_a_version_that_nobody_knows_fetches_the_map_and_keeps_the_ticks(
    system: System, browser: Browser
) -> None:
    event = large_hall(system)
    section, seats = section_seats(system, event, 2)
    page = open_section(browser, system, event, section)
    seat(page, seats[0]).check()
    page.evaluate("document.querySelector('[data-v]').dataset.v = '0'")
    with page.expect_response(re.compile(rf"section={section}")):
        page.evaluate("subscribe()")
    expect(seat(page, seats[0])).to_be_checked()
    lock(system, event, seats[1:])
    expect(seat(page, seats[1])).to_be_disabled(timeout=CHANGED_S)
    unlock(system, event, seats[1:])


def test_seats_are_chosen_by_keyboard_alone(system: System, browser: Browser) -> None:
    """One tab stop a section; arrows move between free seats, Space ticks."""
    event = large_hall(system)
    section, seats = section_seats(system, event, 2)
    page = open_section(browser, system, event, section)
    page.locator("#larger").focus()
    page.keyboard.press("Tab")
    expect(seat(page, seats[0])).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Reservar")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(seat(page, seats[0])).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    second = page.evaluate("document.activeElement.value")
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.value") == second
    expect(page.locator(".row input:checked")).to_have_count(2)
    expect(page.locator(".act .chosen")).to_have_text("2 asientos")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('.row').dataset.row") != "A"


def test_a_hold_that_runs_out_says_so_and_sends_no_form_again(
    system: System, browser: Browser
) -> None:
    """Even where the page is the answer to a payment."""
    event = large_hall(system)
    section, seats = section_seats(system, event, 1)
    page = phone(browser, system.address)
    page.goto(f"/login?next=/events/{event}?section={section}")
    sign_in(page, "carla")
    page.wait_for_url(f"**/events/{event}?section={section}")
    tick(page, seats)
    page.get_by_role("button", name="Reservar").click()
    fill_card(page, "4000 0000 0000 0002")
    page.get_by_role("button", name=re.compile("^Pagar")).click()
    page.get_by_role("alert").wait_for()
    assert page.url.endswith("/orders")
    posted: list[str] = []
    page.on("request", lambda one: posted.append(one.url) if one.method == "POST" else None)
    page.evaluate(
        "const clock = document.querySelector('[data-ends]');"
        "clock.dataset.ends = new Date(Date.parse(clock.dataset.now) + performance.now() + 2000)"
        ".toISOString()"
    )
    expect(page.locator(".hold")).to_have_class(re.compile("late"))
    expect(page.locator(".few")).to_be_visible()
    page.wait_for_url(f"**/events/{event}/checkout", timeout=10_000)
    assert posted == []
    page.get_by_role("button", name="Soltar el asiento").click()


def test_whoever_touches_a_seat_that_is_not_free_reads_why(
    system: System, browser: Browser
) -> None:
    """H53: in words; and by shape alone where a browser forces its own colours."""
    event = large_hall(system)
    section, seats = section_seats(system, event, 2)
    lock(system, event, seats[:1])
    page = open_section(browser, system, event, section)
    box = seat(page, seats[0]).bounding_box()
    assert box
    page.mouse.click(box["x"] + 10, box["y"] + 10)
    expect(page.locator(".toast")).to_contain_text("otro lo tiene")
    expect(page.locator("#said")).to_contain_text("otro lo tiene")
    page.emulate_media(forced_colors="active")
    look = "seat => getComputedStyle(seat).backgroundImage"
    held, free = (seat(page, one).evaluate(look) for one in seats[:2])
    assert "repeating-linear-gradient" in held
    assert "gradient" not in free
    unlock(system, event, seats[:1])
    page.context.close()


def test_many_long_sockets_leave_pages_and_changes_as_quick_as_before(
    system: System, browser: Browser
) -> None:
    """H34: a socket is no thread; a hundred that stay open take nothing from anybody."""
    event = large_hall(system)
    section, seats = section_seats(system, event, 1)
    address = system.address.replace("http", "ws") + f"/ws?event={event}"
    sockets = [create_connection(address, origin=system.address, timeout=5) for _ in range(100)]
    try:
        page = open_section(browser, system, event, section)
        begun = monotonic()
        assert system.get(f"/events/{event}").status_code == 200
        assert monotonic() - begun < 1
        lock(system, event, seats)
        expect(seat(page, seats[0])).to_be_disabled(timeout=CHANGED_S)
        unlock(system, event, seats)
        page.context.close()
    finally:
        for socket in sockets:
            socket.close()
