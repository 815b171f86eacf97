"""What a buyer was shown of their purchases, and whether database and bank say the same."""

import json
from collections import Counter, defaultdict
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import parse_qs
from uuid import uuid4

import psutil
from playwright.sync_api import Page, Playwright, Request

from tests.journey.devices import Device
from tests.journey.system import System

PASSWORD = "ocho letras"
DECIDED_S_MAX = 15
TAKEN = ("authorised", "captured")
TITLES = {
    "Comprado": "bought",
    "Asientos apartados": "held",
    "Alguien se llevó esos asientos": "gone",
    "Se acabó el tiempo": "expired",
    "El banco dijo no": "declined",
    "El precio cambió": "changed",
    "La venta terminó": "over",
    "Pasó más de un día": "late",
    "No pudo ser": "refused",
}
"""How each end of a purchase is called, on its card and in a note."""

WATCH = """(() => {
  const said = new Set();
  const say = (...what) => {
    const text = JSON.stringify(what);
    if (!said.has(text)) said.add(text), wasShown(text);
  };
  const look = () => {
    const order = document.querySelector(".order[data-status]");
    if (order) say("order", order.id.slice("order-".length));
    for (const card of document.querySelectorAll("#waiting .waits-card.done[data-says]"))
      say("purchase", card.dataset.says.split(" ")[0], card.querySelector("h2").textContent);
    for (const line of document.querySelectorAll(".note.news li a[href^='/purchases/']"))
      say("purchase", decodeURIComponent(line.pathname.split("/")[2]), line.parentElement.querySelector("b").textContent);
    // The form's answer: the checkout again, with what went wrong.
    if (location.pathname === "/orders" && document.querySelector(".refusal, #pay")) say("form");
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
})()"""


def _end(title: str) -> str:
    """What a title says; one that nobody knows here is an end of its own, and wrong."""
    return next((end for words, end in TITLES.items() if words in title), f"unknown: {title}")


class Phone(Device):
    """A device that notes what is shown on it, whatever becomes of the page afterwards."""

    def __init__(self, playwright: Playwright, folder: Path, address: str) -> None:
        self.email = f"{uuid4().hex}@example.com"
        self.orders: set[str] = set()
        """The orders whose own page was shown."""
        self.ends: defaultdict[str, set[str]] = defaultdict(set)
        """How each purchase was shown to have ended, by its key."""
        self.taps: list[str] = []
        self.withdrawn: set[str] = set()
        self.sent: list[str] = []
        """The keys of the forms that left a page, the latest last."""
        super().__init__(playwright, folder, address)

    def open(self) -> Page:
        """As any device, and watched."""
        page = super().open()
        self.context.expose_binding("wasShown", lambda _, text: self._shown(text))
        self.context.add_init_script(WATCH)
        self.context.on("request", self._asked)
        return page

    def _asked(self, request: Request) -> None:
        if request.method == "POST" and request.url == f"{self.address}/orders":
            form = parse_qs(request.post_data or "")
            self.sent += form.get("idempotency_key", [])

    def _shown(self, text: str) -> None:
        match json.loads(text):
            case ["order", order]:
                self.orders.add(order)
            case ["purchase", key, title]:
                self.ends[key].add(_end(title))
            case ["form"] if self.sent:
                self.ends[self.sent[-1]].add("answered")

    def tapped(self, key: str) -> None:
        """Pay is about to be tapped on the page of this key."""
        self.taps.append(key)

    def sign_up(self) -> None:
        """Somebody new."""
        self.page.goto("/login?next=/")
        self.page.get_by_role("link", name="Crear una cuenta").click()
        fields = {"#name": "Dora Ñahui", "#email": self.email, "#password": PASSWORD}
        for place, text in fields.items():
            self.page.locator(place).fill(text)
        self.page.get_by_role("button", name="Crear y entrar").click()
        self.page.wait_for_url(f"{self.address}/")
        self.ready()

    def sign_in_again(self) -> None:
        """The session is gone, the account is not."""
        self.page.locator("#email").fill(self.email)
        self.page.locator("#password").fill(PASSWORD)
        self.page.get_by_role("button", name="Entrar").click()
        self.page.wait_for_url(lambda url: "/provider/" not in url and "/login" not in url)

    def nothing_waits(self) -> bool:
        """Every purchase has ended, and every end is shown or was."""
        known = self.purchases()
        told = {str(one["key"]) for one in known if one.get("told")} | set(self.ends)
        return all(one["state"] == "done" and one["key"] in told for one in known)

    def processes(self) -> list[psutil.Process]:
        """The browser's own."""
        mine = f"--user-data-dir={self._folder}"
        every = psutil.process_iter(["cmdline"])
        return [one for one in every if mine in (one.info["cmdline"] or [])]


def _rows(system: System, email: str) -> tuple[dict[str, str], set[str], bool]:
    """Orders by the keys they were bought under, all orders, and whether each purchase is decided."""
    [(buyer,)] = system.rows("SELECT sub::text FROM accounts.users WHERE email = %s", email)
    bought = system.rows(
        "SELECT idempotency_key, order_uuid::text, answer IS NOT NULL,"
        " EXISTS (SELECT FROM orders.orders WHERE orders.order_uuid = purchases.order_uuid)"
        " FROM orders.purchases WHERE buyer = %s", buyer)  # fmt: skip
    orders = system.rows("SELECT order_uuid::text FROM orders.orders WHERE buyer = %s", buyer)
    by_key = {str(key): str(order) for key, order, _, made in bought if made}
    return by_key, {str(order) for (order,) in orders}, all(decided for *_, decided, _ in bought)


def check(system: System, phone: Phone, before: set[str]) -> tuple[list[str], Counter[str]]:
    """What is wrong, and how many of what there were."""
    deadline = monotonic() + DECIDED_S_MAX
    while True:
        by_key, orders, decided = _rows(system, phone.email)
        ledger = system.ledger()
        taken = {key for key in ledger if key not in before and ledger[key]["state"] in TAKEN}
        if (decided and taken == orders) or monotonic() > deadline:
            break
        sleep(0.1)
    told = phone.orders | {
        by_key.get(key, f"no order of {key}")
        for key, ends in phone.ends.items()
        if "bought" in ends
    }
    wrong = []
    if told != orders:
        wrong.append(f"told of {sorted(told)}, ordered {sorted(orders)}")
    if taken != orders:
        wrong.append(f"charged for {sorted(taken)}, ordered {sorted(orders)}")
    if sorted(by_key.values()) != sorted(orders):
        wrong.append(f"orders by their keys {by_key}, all {sorted(orders)}")
    for key, ends in phone.ends.items():
        if key in by_key and ends - {"bought"}:
            wrong.append(f"told {sorted(ends)} of {key}, which is the order {by_key[key]}")
    every = {end for ends in phone.ends.values() for end in ends}
    if unknown := sorted(end for end in every if end.startswith("unknown")):
        wrong.append(f"these tests do not know the words: {unknown}")
    left = set(phone.sent) & set(phone.taps)
    lost = {key for key in left if not phone.ends.get(key) and by_key.get(key) not in phone.orders}
    if lost - phone.withdrawn:
        wrong.append(f"nothing was told of {sorted(lost)}, sent from their pages")
    counts = Counter({"taps": len(phone.taps), "sent": len(left), "orders": len(orders)})
    counts.update(end for ends in phone.ends.values() for end in ends)
    return wrong, counts
