"""A buyer comes, buys, takes their data away and is erased; no log of any process knew their name."""

import json
import re
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser import chromium, phone
from tests.journey.buyers import CARD, event_with, pay, tick
from tests.journey.system import System, wait_for

PASSWORD = "ocho letras raras"
LOGS = ("run.log", "postgres.log", "valkey.log")


@pytest.fixture
def email() -> str:
    return f"dora.{uuid4().hex[:8]}@example.com"


def test_a_buyer_leaves_and_no_log_remembers_who_it_was(
    system: System, email: str, tmp_path: Path
) -> None:
    event_id = event_with(system, 1)
    with chromium() as browser:
        page = phone(browser, system.address)
        page.goto(f"/login?next=/events/{event_id}")
        page.get_by_role("link", name="Crear una cuenta").click()
        page.get_by_label("Nombre y apellido").fill("Dora Ñahui")
        page.get_by_label("Correo electrónico").fill(email)
        page.get_by_label("Contraseña").fill(PASSWORD)
        page.get_by_role("button", name="Crear y entrar").click()
        tick(page, system.free_seats(event_id, 1))
        page.get_by_role("button", name="Reservar").click()
        page.wait_for_url("**/checkout")
        pay(page)
        page.locator(".ticket img").first.wait_for(timeout=20_000)
        order_uuid = page.url.rpartition("/")[2]
        cookies = [
            cookie["value"] for cookie in page.context.cookies() if "session" in cookie["name"]
        ]

        page.get_by_role("link", name="Dora Ñahui").click()
        with page.expect_download() as coming:
            page.get_by_role("link", name="Descargar mis datos").click()
        coming.value.save_as(tmp_path / "mine.json")
        data = json.loads((tmp_path / "mine.json").read_text())
        assert [order["order_uuid"] for order in data["orders"]] == [order_uuid]

        page.get_by_role("link", name="Borrar mi cuenta").click()
        page.get_by_role("link", name="Anular la compra").click()
        page.get_by_role("button", name="Sí, anular").click()
        settled = "SELECT settled_at FROM orders.orders WHERE order_uuid = %s"
        wait_for(lambda: system.rows(settled, order_uuid)[0][0], 20, "the money is not back")
        page.goto("/status/audit")
        page.goto("/account/erase")
        page.get_by_label(re.compile("Escribe .* para confirmar")).fill(email)
        page.get_by_role("button", name="Sí, borrar mi cuenta").click()
        expect(page.get_by_text("Tu cuenta está borrada")).to_be_visible()
        page.goto("/account")
        page.wait_for_url("**/provider/authorize**")

    assert system.rows("SELECT buyer LIKE 'erased:%%' FROM orders.orders WHERE order_uuid = %s", order_uuid) == [(True,)]  # fmt: skip
    said = {name: (system.folder / name).read_text() for name in LOGS}
    assert "route=/status/audit status=403" in said["run.log"]
    card = CARD["#card"]
    for secret in (email, "Ñahui", PASSWORD, *cookies, card, card.replace(" ", ""), "eyJ", "pm_"):
        assert [name for name, text in said.items() if secret in text] == [], secret
    assert len(cookies) == 1
