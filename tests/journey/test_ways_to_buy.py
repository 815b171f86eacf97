"""One purchase, many hands: a thumb, a keyboard, another language, Back, two tabs, half a card."""

from playwright.sync_api import Browser, Page, expect

from tests.browser import phone, until
from tests.journey.buyers import CARD, event_with, fill_card, large_hall, pay, signed_in, tick
from tests.journey.system import System

SMALL_PHONE = {"width": 360, "height": 740}
TICKET_MS_MAX = 20_000


def tickets_of(system: System, event: int) -> int:
    return int(
        system.rows(
            "SELECT count(*) FROM orders.tickets WHERE event_id = %s AND voided_at IS NULL", event
        )[0][0]
    )


def test_with_a_thumb_on_a_small_phone(system: System, browser: Browser) -> None:
    """360 x 740, touch only, nothing wider than the screen: plan, best seats, card, ticket, turn."""
    event = large_hall(system)
    context = browser.new_context(
        viewport=SMALL_PHONE,  # type: ignore[arg-type]
        has_touch=True,
        is_mobile=True,
        base_url=system.address,
        locale="es-PE",
    )
    page = context.new_page()

    def fits() -> None:
        assert page.evaluate("document.documentElement.scrollWidth") == SMALL_PHONE["width"], (
            page.url
        )

    page.goto("/")
    fits()
    page.goto(f"/events/{event}")
    fits()
    page.locator(".halftone a .hit").first.tap(force=True)
    page.locator(".hall.one").wait_for()
    fits()
    page.get_by_role("link", name="Todo el plano").tap()
    page.locator(".sections a").nth(1).tap()
    page.locator(".hall.one").wait_for()
    page.get_by_role("link", name="Todo el plano").tap()
    page.locator(".sections").wait_for()
    page.get_by_role("button", name="Elegir por mí").tap()
    page.wait_for_url("**/checkout")
    fits()
    expect(page.locator(".toast")).to_contain_text("Son tuyos")
    page.get_by_role("link", name="Entrar y pagar").tap()
    page.locator("#email").fill("carla@example.com")
    page.locator("#password").fill("demo")
    page.get_by_role("button", name="Entrar").tap()
    page.wait_for_url("**/checkout")
    for field, text in CARD.items():
        page.locator(field).tap()
        page.locator(field).fill(text)
    page.get_by_role("button", name="Pagar").tap()
    expect(page.locator(".ticket img")).to_have_count(2, timeout=TICKET_MS_MAX)
    fits()
    page.get_by_role("link", name="Abrir la entrada").first.tap()
    expect(page.locator(".turn")).to_contain_text("1 de 2")
    fits()
    page.locator(".turn [rel=next]").tap()
    expect(page.locator(".turn")).to_contain_text("2 de 2")
    page.locator("a.whole").tap()
    expect(page.locator("dialog.bright img")).to_be_visible()
    page.locator("dialog.bright").tap()
    expect(page.locator("dialog")).to_have_count(0)
    context.close()


def focus(page: Page, selector: str, presses: int = 60) -> None:
    """Press Tab until the focus is there."""
    for _ in range(presses):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by Tab on {page.url}")


def test_with_the_keyboard_alone(system: System, browser: Browser) -> None:
    """H52: two seats of a large hall, from the list to the ticket, without a pointer."""
    event = large_hall(system)
    page = phone(browser, system.address)
    page.goto("/login?next=/events")
    expect(page.locator("#email")).to_be_focused()
    page.keyboard.type("bruno@example.com")
    page.keyboard.press("Tab")
    page.keyboard.type("demo")
    page.keyboard.press("Enter")
    page.wait_for_url("**/events")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.goto(f"/events/{event}")
    focus(page, ".sections a")
    page.keyboard.press("Enter")
    page.locator(".hall.one").wait_for()
    focus(page, ".row input")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator(".row input:checked")).to_have_count(2)
    expect(page.locator(".act .chosen")).to_have_text("2 asientos")
    focus(page, ".act .button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/checkout")
    for field, text in CARD.items():
        focus(page, field)
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.locator(".ticket img")).to_have_count(2, timeout=TICKET_MS_MAX)
    focus(page, ".ticket .button")
    page.keyboard.press("Enter")
    page.locator(".paper .qr").wait_for()
    focus(page, "a.whole")
    page.keyboard.press("Enter")
    expect(page.locator("dialog.bright")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    page.context.close()


def test_back_forward_and_a_second_payment_end_at_the_one_order(
    system: System, browser: Browser
) -> None:
    """H10, with JavaScript: whatever the browser kept, one order and one charge."""
    event = event_with(system, 2)
    page = signed_in(system, browser, "ana", f"/events/{event}")
    before = tickets_of(system, event)
    tick(page, system.free_seats(event, 1))
    page.get_by_role("button", name="Reservar").click()
    page.wait_for_url("**/checkout")
    fill_card(page)
    page.get_by_role("button", name="Pagar").dblclick()
    page.wait_for_url("**/orders/*")
    order = page.url
    expect(page.locator(".ticket img")).to_have_count(1, timeout=TICKET_MS_MAX)
    page.go_back()
    page.wait_for_url("**/checkout")
    # It is asked for anew: nothing is held any more, so nothing can be paid.
    expect(page.get_by_role("heading", name="No tienes asientos aquí")).to_be_visible()
    page.go_back()
    # A map that Back brings is fetched anew.
    until(page, "performance.getEntriesByType('navigation')[0].type === 'reload'")
    page.go_forward()
    page.go_forward()
    expect(page).to_have_url(order)
    page.reload()
    expect(page.locator(".ticket img")).to_have_count(1)
    assert tickets_of(system, event) == before + 1
    page.context.close()


def test_two_tabs_pay_what_each_has_shown(system: System, browser: Browser) -> None:
    """The second tab's Pay is never charged for what the first one bought or let go."""
    event = event_with(system, 3)
    first = signed_in(system, browser, "ana", f"/events/{event}")
    before = tickets_of(system, event)
    tick(first, system.free_seats(event, 1))
    first.get_by_role("button", name="Reservar").click()
    first.wait_for_url("**/checkout")
    second = first.context.new_page()
    second.goto(f"/events/{event}")
    tick(second, system.free_seats(event, 1))
    second.get_by_role("button", name="Reservar").click()
    second.wait_for_url("**/checkout")
    expect(second.locator(".boleto dl div")).to_have_count(3)  # two seats and the total
    fill_card(second)
    # The first tab shows one seat, and that one it buys.
    pay(first)
    expect(first.locator(".ticket img")).to_have_count(1, timeout=TICKET_MS_MAX)
    # The second one shows two, of which one is sold by now: nothing is charged, and it says why.
    second.get_by_role("button", name="Pagar").click()
    expect(second.locator(".refusal")).to_contain_text("Tus asientos cambiaron")
    expect(second.locator(".boleto dl div")).to_have_count(2)
    assert tickets_of(system, event) == before + 1
    pay(second)
    expect(second.locator(".ticket img")).to_have_count(1, timeout=TICKET_MS_MAX)
    assert tickets_of(system, event) == before + 2
    first.context.close()


def test_more_time_keeps_a_card_half_typed(system: System, browser: Browser) -> None:
    """H56: one key press, and what was typed stays."""
    event = event_with(system, 1)
    page = signed_in(system, browser, "ana", f"/events/{event}")
    tick(page, system.free_seats(event, 1))
    page.get_by_role("button", name="Reservar").click()
    page.wait_for_url("**/checkout")
    page.locator("#card").fill("4242 4242")
    ends = page.locator("[data-ends]").get_attribute("data-ends")
    page.get_by_role("button", name="min más").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="min más")).to_have_count(0)
    assert page.locator("[data-ends]").get_attribute("data-ends") != ends
    assert page.locator("#card").input_value() == "4242 4242"
    # What is wrong is said beside its field, and nothing is lost by it either.
    page.locator("#expiry").fill("02/25")
    page.get_by_role("button", name="Pagar").click()
    expect(page.locator("#card-error")).to_contain_text("revisa las cifras")
    expect(page.locator("#expiry-error")).to_contain_text("Ya venció")
    expect(page.locator("#card")).to_be_focused()
    page.locator("#card").fill(" 4242 4242 4242 4242 ")
    expect(page.locator("#card-error")).to_be_empty()
    for text, said in (("0125", "Ya venció"), ("1/25", "Ya venció"), ("13/40", "mes y año")):
        page.locator("#expiry").fill(text)
        expect(page.locator("#expiry-error")).to_contain_text(said)
    for text in ("0199", "1/2099", " 12 / 99 "):
        page.locator("#expiry").fill("x")
        page.locator("#expiry").fill(text)
        expect(page.locator("#expiry-error")).to_be_empty()
    page.get_by_role("button", name="Soltar").click()
    expect(page.locator(".toast")).to_contain_text("Asientos sueltos")
    page.context.close()


def test_the_whole_way_in_english(system: System, browser: Browser) -> None:
    event = event_with(system, 1)
    page = browser.new_context(base_url=system.address, locale="en-US").new_page()
    page.goto(f"/login?next=/events/{event}")
    page.locator("#email").fill("ana@example.com")
    page.locator("#password").fill("demo")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**/events/{event}")
    tick(page, system.free_seats(event, 1))
    page.get_by_text("List", exact=True).click()
    expect(page.locator(".row input:checked")).to_have_count(1)
    page.get_by_role("button", name="Hold", exact=True).click()
    page.wait_for_url("**/checkout")
    fill_card(page)
    page.get_by_role("button", name="Pay").click()
    expect(page.locator(".order .state")).to_contain_text("Your ticket is here", timeout=20_000)
    page.goto("/orders")
    expect(page.locator("h1")).to_have_attribute("aria-label", "My tickets")
    page.context.close()
