"""Too many newcomers at once: a page works a little, or waits, and goes on with what was chosen."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis
import requests
from playwright.sync_api import Browser, Page

from tests.browser import PHONE, phone
from tests.journey.buyers import event_with, tick
from tests.journey.system import System
from web.limits import NEW_VISITORS_PER_ADDRESS

ENOUGH = int(NEW_VISITORS_PER_ADDRESS.split()[0]) + 20
CHALLENGE = re.compile(r"/holds$")


@pytest.fixture
def limited(system: System) -> Iterator[System]:
    """The same system as everybody has it, with limits on."""
    with system.another_web(RATE_LIMITS="on") as limited:
        # Under the name of PUBLIC_URL, or its pages would lead to front.
        yield replace(limited, address=limited.address.replace("127.0.0.1", "localhost"))
    # Nobody else shall meet the crowd.
    forget_crowds(system)


def crowd_comes(limited: System) -> None:
    """So many newcomers, just now, that the next one is asked for patience, for a minute."""
    forget_crowds(limited)
    event = event_with(limited, 4)

    def comes(_: int) -> int:
        address = f"{limited.address}/events/{event}/holds"
        form = {"seat": "0"}
        return requests.post(address, form, allow_redirects=False, timeout=20).status_code

    with ThreadPoolExecutor(8) as crowd:
        assert 429 in list(crowd.map(comes, range(ENOUGH)))


def forget_crowds(system: System) -> None:
    with redis.Redis.from_url(system.settings.redis_url) as client:
        if counts := list(client.scan_iter("LIMITS:*")):
            client.delete(*counts)


def files_of(page: Page, system: System) -> Page:
    """A web alone has no files: those of its pages come from front."""
    away, here = re.compile(r"^http://[^/]+"), system.address
    page.route("**/static/**", lambda route: route.fulfill(
        response=route.fetch(url=away.sub(here, route.request.url))))  # fmt: skip
    return page


def choose(page: Page, system: System) -> list[int]:
    """Tick two seats and hold them."""
    event = event_with(system, 4)
    seats = system.free_seats(event, 2)
    page.goto(f"/events/{event}")
    tick(page, seats)
    page.get_by_role("button", name="Reservar").click()
    return seats


def test_a_page_shows_the_work_by_itself_and_another_waits(
    system: System, limited: System, browser: Browser
) -> None:
    page = files_of(phone(browser, limited.address), system)
    crowd_comes(limited)
    with page.expect_response(CHALLENGE) as challenged:
        seats = choose(page, limited)
    assert challenged.value.status == 429
    page.wait_for_url("**/checkout", timeout=20_000)
    assert held(system, seats)
    # Without script: too early is said, and what was waited counts.
    still = browser.new_context(
        viewport=PHONE,  # type: ignore[arg-type]
        base_url=limited.address,
        locale="es-PE",
        java_script_enabled=False,
    ).new_page()
    crowd_comes(limited)
    seats = choose(still, limited)
    on = still.get_by_role("button", name="Seguir")
    on.click()
    on.wait_for()
    said = re.search(r"Espera (\d+) segundos? y pulsa Seguir", still.content())
    assert said
    still.wait_for_timeout(1000 * int(said[1]) + 500)
    on.click()
    still.wait_for_url("**/checkout")
    assert held(system, seats)


def held(system: System, seats: list[int]) -> bool:
    """Whether somebody has all of them."""
    query = "SELECT bool_and(status = 'LOCKED') FROM catalog.seats WHERE id = ANY (%s)"
    return bool(system.rows(query, seats)[0][0])
