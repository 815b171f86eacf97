"""A phone with its own memory."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, Playwright

from tests.browser import PHONE, found, until
from tests.journey.buyers import sign_in

ROWS = """async (store) => {
  const open = indexedDB.open("ticketbuster");
  const db = await new Promise((resolve) => (open.onsuccess = () => resolve(open.result)));
  if (!db.objectStoreNames.contains(store)) return [];
  const all = db.transaction(store).objectStore(store).getAll();
  const rows = await new Promise((resolve) => (all.onsuccess = () => resolve(all.result)));
  db.close();
  return rows;
}"""
EVERYTHING = """async () => {
  const texts = [];
  for (const name of await caches.keys())
    for (const key of await (await caches.open(name)).keys()) {
      const answer = await (await caches.open(name)).match(key);
      texts.push(name + " " + key.url + " " + JSON.stringify([...answer.headers]) + (await answer.text()));
    }
  for (const { name } of await indexedDB.databases()) {
    const open = indexedDB.open(name);
    const db = await new Promise((resolve) => (open.onsuccess = () => resolve(open.result)));
    for (const store of db.objectStoreNames) {
      const all = db.transaction(store).objectStore(store).getAll();
      texts.push(name + " " + store + JSON.stringify(await new Promise((resolve) => (all.onsuccess = () => resolve(all.result)))));
    }
    db.close();
  }
  texts.push(JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }));
  return texts;
}"""


class Device:
    """A browser that can be closed and opened again with what it keeps."""

    def __init__(
        self, playwright: Playwright, folder: Path, address: str, before: Sequence[str] = ()
    ) -> None:
        self._playwright = playwright
        self._folder = folder
        self.address = address
        self._before = before
        """Scripts that run before each page's own."""
        self.context: BrowserContext
        self.page: Page
        self.open()

    def open(self) -> Page:
        """Start it; what it kept is there."""
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        size: Any = PHONE
        self.context = self._playwright.chromium.launch_persistent_context(
            str(self._folder),
            executable_path=found(),
            args=flags,
            viewport=size,
            locale="es-PE",
            base_url=self.address,
            reduced_motion="reduce",
        )
        for script in self._before:
            self.context.add_init_script(script)
        self.page = self.context.pages[0]
        return self.page

    def close(self) -> None:
        self.context.close()

    def ready(self) -> None:
        """Until the worker stands behind the page."""
        until(self.page, "() => Boolean(navigator.serviceWorker.controller)")

    def sign_in(self, name: str, following: str = "/") -> None:
        """As this person, with the worker behind the pages."""
        self.page.goto(f"/login?next={following}")
        sign_in(self.page, name)
        self.page.wait_for_url(f"**{following}")
        self.ready()
        self.page.reload()

    def kept(self) -> str:
        """Everything that lies in caches, IndexedDB and web storage."""
        texts: list[str] = self.page.evaluate(EVERYTHING)
        return "\n".join(texts)

    def purchases(self) -> list[dict[str, Any]]:
        """The purchases that this device knows."""
        rows: list[dict[str, Any]] = self.page.evaluate(ROWS, "purchases")
        return rows


Make = Callable[[str, str], Device]
"""A device by its name and the address that it visits."""


@contextmanager
def devices(playwright: Playwright, folder: Path) -> Iterator[Make]:
    """Makes devices by name for an address; closes them."""
    made: list[Device] = []

    def make(name: str, address: str) -> Device:
        made.append(Device(playwright, folder / name, address))
        return made[-1]

    try:
        yield make
    finally:
        for device in made:
            with suppress(Exception):
                device.close()
