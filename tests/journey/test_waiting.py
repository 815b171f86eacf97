"""Waiting looks like waiting: what a page says on a slow line while a slow worker draws."""

import re

from playwright.sync_api import Browser, expect

from tests.browser import until
from tests.journey.buyers import event_with, fill_card, signed_in, tick
from tests.journey.system import System

SLOW_3G = {
    "offline": False,
    "latency": 400,
    "downloadThroughput": 50_000,
    "uploadThroughput": 50_000,
}
WORKER_AWAY_MS = 4_000
FELT = """
window.felt = [];
const note = (name, answer) => (what) => (felt.push([name, what]), answer);
Object.defineProperty(navigator, "vibrate", { value: note("vibrates", true) });
Object.defineProperty(navigator, "wakeLock", { value: { request: note("stays awake", Promise.resolve()) } });
window.AudioContext = class extends AudioContext {
  createOscillator() {
    felt.push(["sounds"]);
    return super.createOscillator();
  }
};
Object.defineProperty(navigator, "share", {
  value: async ({ title, files }) => felt.push(["shares", title, files[0].type, files[0].size > 100]),
});
"""
"""What a page asks of a phone that can all of it."""
WATCH = """
new MutationObserver(() => heard(document.body?.innerText ?? "")).observe(
  document, { subtree: true, childList: true, characterData: true });
"""
ERRORS = re.compile(r"▲|no pudo|no tienes|se acabó|no está|falló|no podemos|agotado", re.IGNORECASE)


def test_no_error_is_shown_before_one_is_known(system: System, browser: Browser) -> None:
    """H09: every text between the tap on Pay and the ticket, on slow 3G with the worker away."""
    event = event_with(system, 1)
    page = signed_in(system, browser, "ana", f"/events/{event}")
    tick(page, system.free_seats(event, 1))
    page.get_by_role("button", name="Reservar").click()
    page.wait_for_url("**/checkout")
    fill_card(page)
    texts: list[str] = []
    page.expose_function("heard", lambda text: texts.append(text))  # noqa: PLW0108  not a builtin
    page.add_init_script(FELT)
    page.add_init_script(WATCH)
    page.evaluate(WATCH)
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW_3G)
    with system.suspended("pipeline.dispatcher"):
        page.get_by_role("button", name="Pagar").click()
        page.locator(".order").wait_for()
        page.wait_for_timeout(WORKER_AWAY_MS)
        expect(page.get_by_role("heading", level=1)).to_have_accessible_name(
            "Estamos dibujando tu entrada"
        )
        assert page.title().startswith("Dibujando")
        expect(page.locator("#signal")).to_be_checked()
    expect(page.locator(".ticket img")).to_have_count(1, timeout=20_000)
    expect(page.locator("#news")).to_contain_text("Tu entrada está aquí")
    assert page.title().startswith("✓")
    until(page, "felt.length > 1")
    assert page.evaluate("felt") == [["vibrates", 200], ["sounds"]]
    assert [found[0] for text in texts if (found := ERRORS.search(text))] == []
    assert any("pagando…" in text.lower() for text in texts)
    page.context.close()


def test_a_phone_is_asked_only_for_what_its_owner_wants(system: System, browser: Browser) -> None:
    """Less motion: neither sound nor vibration. A ticket keeps the screen on, and is shared as a picture."""
    event = event_with(system, 1)
    page = signed_in(system, browser, "ana", "/orders")
    page.emulate_media(reduced_motion="reduce")
    page.add_init_script(FELT)
    with system.suspended("pipeline.dispatcher"):
        order = system.order(event, system.free_seats(event, 1)).json()["order_uuid"]
        page.goto(f"/orders/{order}")
        expect(page.locator("#signal")).not_to_be_checked()
    until(page, "document.title.startsWith('✓')")
    page.wait_for_timeout(300)
    assert page.evaluate("felt") == []
    page.locator(".ticket a").first.click()
    page.locator(".qr").wait_for()
    page.get_by_role("button", name="Enviar").click()
    until(page, "felt.length > 1")
    title = page.locator(".share").get_attribute("data-title")
    assert page.evaluate("felt") == [
        ["stays awake", "screen"],
        ["shares", title, "image/png", True],
    ]
    page.context.close()
