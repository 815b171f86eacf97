"""`make pictures`: the app's icons, drawn from icon.svg, and its pictures, taken from a running system.

`python -m tests.icons icons` draws the icons alone, which needs no system.
"""

import io
import re
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser import chromium
from tests.journey.buyers import event_with, tick
from tests.journey.system import System, running
from web.assets import STATIC
from web.manifest import NARROW, WIDE

STOCK = "#FFC929"
ICONS = {"icons/192.png": (192, 0.84), "icons/512.png": (512, 0.84),
         "icons/apple-touch-icon.png": (180, 0.76), "icons/maskable-512.png": (512, 0.62)}  # fmt: skip
"""Side in pixels and how much of it the ticket takes; a launcher cuts a maskable one to a circle of 80 %."""
COLOURS = 32
LANGUAGES = {"es": "es-PE", "en": "en-US"}
WEBP_QUALITY = 70


def app_icon(part: float) -> str:
    """The ticket of icon.svg on a sheet of stock, so that it is seen on dark screens, too."""
    drawn = (STATIC / "icon.svg").read_text()
    ticket = "".join(re.findall(r"<path[^>]*/>", drawn))
    move = 16 * (1 - part)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<path fill="{STOCK}" d="M0 0h32v32H0z"/>'
        f'<g transform="translate({move:g} {move:g}) scale({part:g})">{ticket}</g></svg>\n'
    )


def draw_icons(browser: Browser) -> None:
    """Every size as a picture of few colours, and the drawing itself."""
    (STATIC / "icons/app.svg").write_text(app_icon(ICONS["icons/512.png"][1]))
    for name, (side, part) in ICONS.items():
        page = browser.new_page(viewport={"width": side, "height": side})
        page.set_content(f'<body style="margin:0;line-height:0">{app_icon(part)}</body>')
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        shot.quantize(COLOURS).save(STATIC / name, "PNG", optimize=True)
        page.close()


def take_pictures(browser: Browser, system: System) -> None:
    """The list, and seats that somebody is choosing, on a phone and on a desk, in both languages."""
    event = event_with(system, 40)
    seats = system.free_seats(event, 40)[20:23]
    for language, locale in LANGUAGES.items():
        for form, sizes in (("narrow", NARROW), ("wide", WIDE)):
            page = _screen(browser, system.address, locale, sizes, 2 if form == "narrow" else 1)
            page.goto("/")
            _keep(page, f"{language}-{form}-list")
            page.goto(f"/events/{event}")
            tick(page, seats)
            if form == "narrow":
                page.evaluate("document.querySelector('.views').scrollIntoView()")
            _keep(page, f"{language}-{form}-seats")
            page.context.close()


def _screen(browser: Browser, address: str, locale: str, sizes: str, scale: int) -> Page:
    width, height = (int(side) // scale for side in sizes.split("x"))
    return browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        base_url=address,
        locale=locale,
        timezone_id="America/Lima",
    ).new_page()


def _keep(page: Page, name: str) -> None:
    page.evaluate("document.fonts.ready.then(() => true)")
    page.wait_for_timeout(500)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.save(STATIC / f"screenshots/{name}.webp", "WEBP", quality=WEBP_QUALITY, method=6)


def main() -> None:
    """The icons, and unless they alone are asked for, the pictures."""
    for folder in ("icons", "screenshots"):
        (STATIC / folder).mkdir(exist_ok=True)
    with chromium() as browser:
        draw_icons(browser)
        if "icons" not in sys.argv[1:]:
            with running(Path(tempfile.mkdtemp(prefix="ticketbuster-icons-"))) as system:
                take_pictures(browser, system)


if __name__ == "__main__":
    main()
