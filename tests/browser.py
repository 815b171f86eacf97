"""The browser of the tests: one found on the machine, else Debian's package, else Playwright's own.

`python -m tests.browser` makes sure that there is one; a test that cannot have it fails.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import Error as PageError

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
INSTALL_S_MAX = 300
SAYS_YES_S_MAX = 20
Workers = Literal["allow", "block"]
PHONE = {"width": 390, "height": 844}


def found() -> str | None:
    """A Chromium on the machine; CHROMIUM names one elsewhere."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """Get one: as root on Debian its package, else Playwright's own download."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stdout.write("installing Chromium by apt-get …\n")
        sys.stdout.flush()
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(
                ["apt-get", "-qq", *command],
                env=quiet,
                check=False,
                timeout=INSTALL_S_MAX,
                stdout=subprocess.DEVNULL,
            )
        if found():
            return
    sys.stdout.write("installing Playwright's own Chromium …\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"]
    if os.geteuid() != 0:
        command.remove("--with-deps")
    subprocess.run(command, check=True, timeout=INSTALL_S_MAX)


def playwrights_own() -> bool:
    """Whether Playwright has downloaded one before."""
    with sync_playwright() as playwright:
        return os.path.exists(playwright.chromium.executable_path)  # noqa: PTH110


@contextmanager
def chromium(*more: str) -> Iterator[Browser]:
    """A running browser, with more flags where a test needs them."""
    with sync_playwright() as playwright:
        # Root's containers have no sandbox to offer, and the pages are our own.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=found(), args=[*flags, *more])
        try:
            yield browser
        finally:
            browser.close()


def phone(browser: Browser, address: str, workers: Workers = "allow") -> Page:
    """A new visitor with a phone; a script's error fails the test, and so does what our policy forbids.

    A test that answers for the network blocks service workers: what they ask for passes it by.
    """
    size: Any = PHONE
    page = browser.new_context(
        viewport=size, base_url=address, locale="es-PE", service_workers=workers
    ).new_page()

    def fail(error: object) -> None:
        raise AssertionError(error)

    def read(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            fail(message.text)

    page.on("pageerror", fail)
    page.on("console", read)
    return page


def until(page: Page, expression: str, arg: object = None) -> None:
    """Ask the page until it says yes. Playwright's own waiting evaluates text inside it, which our policy forbids."""
    deadline = monotonic() + SAYS_YES_S_MAX
    while True:
        with suppress(PageError):  # it may be on its way to another page
            if page.evaluate(expression, arg):
                return
        assert monotonic() < deadline, expression
        page.wait_for_timeout(20)


if __name__ == "__main__":
    if not found() and not playwrights_own():
        install()
