"""What the browser is forbidden costs no page anything: a whole purchase without one violation."""

import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import phone
from tests.journey.buyers import fill_card, large_hall, pay, sign_in
from tests.journey.system import System, wait_for

COUNTED = """
addEventListener("securitypolicyviolation", (event) => {
  const known = JSON.parse(sessionStorage.violations ?? "[]");
  known.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
  sessionStorage.violations = JSON.stringify(known);
});
"""
COMPLAINTS = ("Content Security Policy", "Permissions-Policy", "Permissions policy", "Refused to")


@pytest.fixture
def page(system: System, browser: Browser) -> Iterator[Page]:
    """A phone that counts what is refused to it, over all pages of the visit."""
    page = phone(browser, system.address)
    page.add_init_script(COUNTED)
    yield page
    page.context.close()


def said_by(page: Page) -> list[str]:
    """The console's complaints from now on."""
    complaints: list[str] = []
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if any(one in message.text for one in COMPLAINTS)
            else None
        ),
    )
    return complaints


def violations(page: Page) -> list[str]:
    found: list[str] = page.evaluate("JSON.parse(sessionStorage.violations ?? '[]')")
    return found


def test_a_whole_purchase_breaks_no_rule_of_ours(system: System, page: Page) -> None:
    """List, search, map, section, hold, sign-in, payment, ticket, cancel, language, sign-out."""
    complaints = said_by(page)
    large = large_hall(system)
    page.goto("/events")
    page.locator("#q").fill("teatro")
    page.wait_for_url("**q=teatro**")
    page.goto(f"/events/{large}")
    page.locator(".sections a").first.click()
    page.locator(".hall.one .row input").first.wait_for()
    page.get_by_text("Más grande", exact=True).click()
    page.locator(".row input:not(:disabled)").first.check()
    page.get_by_role("button", name="Reservar").click()
    page.wait_for_url("**/checkout")
    left = page.locator("time[data-ends]").text_content()
    wait_for(
        lambda: page.locator("time[data-ends]").text_content() != left, 5, "the clock stands still"
    )
    page.get_by_role("link", name="Entrar y pagar").click()
    page.get_by_role("link", name="Crear una cuenta").click()
    page.get_by_label("Nombre y apellido").wait_for()
    page.get_by_role("link", name="Ya tengo una cuenta").click()
    sign_in(page, "ana")
    page.wait_for_url("**/checkout")
    fill_card(page, "4242 4242 4242 4243")
    page.get_by_role("button", name=re.compile("^Pagar")).click()
    page.locator("#card-error").wait_for()
    pay(page)
    page.locator(".ticket img").first.wait_for(timeout=20_000)
    order = page.url
    page.locator(".ticket a").first.click()
    page.locator("a.whole").click()
    page.locator("dialog.bright img").click()
    assert page.evaluate("document.querySelector('.qr').naturalWidth") > 0
    page.goto(order)
    page.get_by_role("link", name="Anular la compra").click()
    page.get_by_role("button", name="Sí, anular").click()
    page.locator(".state .stamp").wait_for()
    page.get_by_role("button", name="EN, English").click()
    page.get_by_role("link", name="My tickets", exact=True).wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{system.address}/")
    page.goto("/nowhere")
    assert violations(page) == complaints == []


def test_what_was_smuggled_into_a_page_is_counted(page: Page) -> None:
    """The test above can fail: the same two ears hear a script that somebody slipped in."""
    complaints: list[str] = []
    bare = page.context.new_page()
    bare.add_init_script(COUNTED)
    bare.on("console", lambda message: complaints.append(message.text))
    bare.goto("/events")
    bare.evaluate(
        """document.body.insertAdjacentHTML("beforeend", "<img src=/x onerror='window.ran = 1'>")"""
    )
    wait_for(lambda: violations(bare), 5, "nothing was reported")
    assert violations(bare)[0].startswith("script-src-attr inline")
    assert bare.evaluate("window.ran") is None
    assert any("Content Security Policy" in text for text in complaints)


def test_each_header_is_said_once(system: System) -> None:
    """A second policy would be in force beside the first, a second X-Frame-Options voids both."""
    port = int(urlsplit(system.address).port or 0)
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        line.sendall(b"GET /events HTTP/1.0\r\nHost: localhost:%d\r\n\r\n" % port)
        head = line.makefile("rb").read().partition(b"\r\n\r\n")[0].decode().lower()
    for name in ("content-security-policy", "x-frame-options", "x-content-type-options"):
        assert head.count(f"\n{name}:") == 1, name
