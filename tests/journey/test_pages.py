"""Every page of a purchase, by day and by night: no violation by axe, and few bytes."""

import re

import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser import phone
from tests.journey.buyers import (
    event_with,
    fill_card,
    large_hall,
    pay,
    sign_in,
    signed_in,
    tick,
)
from tests.journey.system import System

PAGE_BYTES_MAX = 30_000
VISIT_BYTES_MAX = 60_000
ENHANCED = {"rules": {"color-contrast-enhanced": {"enabled": True}}}
CONTRAST = {"runOnly": ["color-contrast", "color-contrast-enhanced"]}


def check(page: Page, where: str, schemes: str = "light") -> None:
    """Axe finds nothing by day, its enhanced contrast included; nor in the contrasts of night."""
    for scheme in schemes.split():
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        options = CONTRAST if scheme == "dark" else ENHANCED
        found = Axe().run(page, options=options).response["violations"]
        broken = [(one["id"], one["nodes"][0]["html"][:200]) for one in found]
        assert broken == [], f"{where}, {scheme}"
    page.emulate_media(color_scheme="light")


def test_no_page_of_a_purchase_shuts_anybody_out(system: System, browser: Browser) -> None:
    page = phone(browser, system.address)
    large, small = large_hall(system), event_with(system, 2)
    for address in (
        "/events",
        "/events?q=zzzz",
        f"/events/{large}",
        f"/events/{large}?section=1",
        f"/events/{small}",
        f"/events/{small}/checkout",
        "/events/999999",
    ):
        page.goto(address)
        check(page, address, "light dark" if address == "/events" else "light")
    page.goto(f"/login?next=/events/{small}")
    check(page, "sign-in")
    page.get_by_role("link", name="Crear una cuenta").click()
    page.get_by_label("Nombre y apellido").wait_for()
    check(page, "registration")
    page.get_by_role("link", name="Ya tengo una cuenta").click()
    sign_in(page, "ana")
    page.wait_for_url(f"**/events/{small}")
    tick(page, system.free_seats(small, 1))
    check(page, "chosen")
    page.get_by_text("Lista", exact=True).click()
    check(page, "chosen in the list")
    page.get_by_text("Plano", exact=True).click()
    page.get_by_role("button", name="Reservar").click()
    page.wait_for_url("**/checkout")
    check(page, "checkout", "light dark")
    fill_card(page, "4242 4242 4242 4243")
    page.get_by_role("button", name=re.compile("^Pagar")).click()
    page.locator("#card-error").wait_for()
    check(page, "a card number that makes no sense")
    page.goto(f"/events/{small}")
    check(page, "held")
    page.goto(f"/events/{small}/checkout")
    pay(page)
    page.locator(".ticket img").first.wait_for(timeout=20_000)
    check(page, "order")
    page.locator(".ticket a").first.click()
    page.locator(".qr").wait_for()
    check(page, "ticket", "light dark")
    for address in ("/orders", "/account", "/account/erase"):
        page.goto(address)
        check(page, address)
    page.context.close()


def test_an_operators_pages_shut_nobody_out(system: System, browser: Browser) -> None:
    page = signed_in(system, browser, "oscar", "/status")
    check(page, "state", "light dark")
    page.goto("/status/audit")
    check(page, "audit", "light dark")
    page.goto("/status/audit?of=order&id=x")
    check(page, "a filter that makes no sense")
    page.goto("/account/erase")
    check(page, "erase", "light dark")
    page.context.close()


def compressed(system: System, path: str, visitor: requests.Session | None = None) -> int:
    """How many bytes come over the line, by the coding that takes more of them."""
    sizes = []
    for coding in ("br", "gzip"):
        answer = (visitor or requests.Session()).get(
            system.address + path, headers={"Accept-Encoding": coding}, stream=True, timeout=10
        )
        assert answer.headers["Content-Encoding"] == coding, path
        sizes.append(len(answer.raw.read(decode_content=False)))
    return max(sizes)


def test_a_first_visit_is_light(system: System) -> None:
    """Pages without their scripts under 30 KB; with style and scripts under 60 KB, the font apart."""
    large = large_hall(system)
    pages = {
        path: compressed(system, path)
        for path in ("/events", f"/events/{large}", f"/events/{large}?section=1")
    }
    visitor = requests.Session()
    holds = f"{system.address}/events/{large}/holds/best"
    assert visitor.post(holds, data={"count": "10"}, timeout=10).url.endswith("/checkout")
    checkout = f"/events/{large}/checkout"
    pages[checkout] = compressed(system, checkout, visitor)
    page = requests.get(f"{system.address}/events", timeout=10).text
    parts = set(re.findall(r'(?:src|href)="(/static/[^"]+\.(?:css|js))"', page))
    assert len(parts) == 6, "one of them only where no script runs"
    kept = requests.get(system.address + min(parts), timeout=10).headers["Cache-Control"]
    assert kept == "public, max-age=31536000, immutable"
    other = re.sub(r"/static/\w+/", "/static/000000000000/", min(parts))
    assert "max-age=60" in requests.get(system.address + other, timeout=10).headers["Cache-Control"]
    parts_bytes = sum(compressed(system, part) for part in parts)
    style_bytes = compressed(system, "/static/style.css")
    for path, size in pages.items():
        assert size + style_bytes < PAGE_BYTES_MAX, path
        assert size + parts_bytes < VISIT_BYTES_MAX, path


def test_what_somebody_smuggles_into_a_page_does_not_run(system: System, browser: Browser) -> None:
    """The last guard, should a text ever stand in a page as it came."""
    page = browser.new_context(base_url=system.address).new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto("/events")
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.ran = 1";
        document.body.append(script);
        const style = document.createElement("style");
        style.textContent = "body { color: rgb(1, 2, 3) }";
        document.body.append(style);
        document.body.insertAdjacentHTML("beforeend", "<img src=/nothing onerror='window.ran = 2'>");
        document.body.insertAdjacentHTML("beforeend", "<iframe src=/events></iframe>");
        const far = document.createElement("script");
        far.src = "http://127.0.0.1:9/x.js";
        document.body.append(far);
    }""")
    page.wait_for_timeout(500)
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.body).color") != "rgb(1, 2, 3)"
    assert len([text for text in refused if "Content Security Policy" in text]) >= 4
