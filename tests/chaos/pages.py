"""Buyers who use the pages: session, forms and a socket instead of a token and JSON."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from threading import Event, Thread
from time import monotonic
from urllib.parse import urlsplit
from uuid import uuid4

import requests
import websocket

from tests.chaos.buyers import TIMEOUT_S, Buyer, Call, History, Wish

PASSWORD = "contraseña de prueba"
LISTEN_S, COME_BACK_S = 1.0, 0.5
FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
STATE = re.compile(r'id="order-([0-9a-f-]{36})" class="order" data-status="([A-Z]+)"')
WAITS = "<progress"
HELD, ORDERED = 200, 201
"""What the way on from a form means, in the API's words: to the checkout, to an order."""

Form = list[tuple[str, str]]


def visitor(address: str) -> requests.Session:
    """Somebody with a new account, who is signed in."""
    browser = requests.Session()
    asked = browser.get(f"{address}/login", timeout=TIMEOUT_S).url
    email = f"{uuid4().hex}@example.com"
    applicant = {"name": "Vera Prueba", "email": email, "password": PASSWORD}
    answer = browser.post(
        asked.replace("/provider/authorize", "/provider/register"),
        data=applicant,
        timeout=TIMEOUT_S,
    )
    assert (answer.status_code, urlsplit(answer.url).path) == (200, "/"), answer.url
    return browser


class PageBuyer(Buyer):
    """Holds seats in the map's form, pays in the checkout's, looks at the order's page."""

    def __init__(
        self, number: int, browser: requests.Session, address: str, history: History
    ) -> None:
        super().__init__(number, "", [address], history)
        self._browser = browser
        self._forms: dict[str, Form] = {}

    def _buy(self, seats: list[int]) -> None:
        wish = self._wish(seats)
        path = f"/events/{self._history.event_id}/holds"
        held, _ = self._page("hold", path, _seats(wish.seats), seats=wish.seats)
        form = self._checkout(wish)
        if form is None:
            return
        shown = [int(value) for name, value in form if name == "seat"]
        if held.status == HELD and not set(wish.seats) <= set(shown):
            self._history.calls.append(replace(held, what="shown", answer={"error": "hold_lost"}))
        if not shown:
            return
        self._forms[wish.key] = form
        self._until_decided(replace(wish, seats=shown))

    def _checkout(self, wish: Wish) -> Form | None:
        """What the form of the checkout says, with this wish's key and card; None: nothing is held."""
        call, text = self._page("checkout", f"/events/{self._history.event_id}/checkout")
        if call.status != 200:
            return None
        shown = [(name, unescape(value)) for name, value in FIELD.findall(text)]
        kept = [(n, v) for n, v in shown if n not in ("idempotency_key", "back", "payment_method")]
        card = {"card_number": wish.card, "card_expiry": "12 / 99", "card_code": "123"}
        return [
            *kept,
            ("idempotency_key", wish.key),
            ("card_name", "Vera Prueba"),
            *card.items(),
        ]

    def _order(self, wish: Wish) -> Call:
        told = [call for call in self._history.calls if call.key == wish.key]
        if told and told[-1].error == "in_progress":
            return self._purchase(wish)
        call, _ = self._page("order", "/orders", self._forms[wish.key], wish=wish)
        return call

    def _purchase(self, wish: Wish) -> Call:
        """The page of a purchase that still ran: it runs, was refused, or leads to its order."""
        call, text = self._page("ask", f"/purchases/{wish.key}")
        if call.status == 200 and WAITS in text:
            call = replace(call, status=409, answer={"error": "in_progress"})
        elif call.status == 200:
            call = replace(call, status=409, answer={"error": "page"})
        elif call.status == 404:
            # Nobody knows it, so it can be sent as if it never had been.
            call = replace(call, status=0)
        call = replace(call, what="order", key=wish.key, seats=tuple(wish.seats), card=wish.card)
        self._history.calls.append(call)
        return call

    def _look(self, order: str) -> None:
        self._page("look", f"/orders/{order}", of=order)

    def _cancel(self, order: str) -> None:
        self._page("cancel", f"/orders/{order}/cancel", [], of=order)

    def _page(
        self,
        what: str,
        path: str,
        form: Form | None = None,
        *,
        wish: Wish | None = None,
        seats: Sequence[int] = (),
        of: str = "",
    ) -> tuple[Call, str]:
        """Ask for a page or send a form; where it leads is what it says."""
        began = monotonic()
        try:
            said = self._browser.request(
                "GET" if form is None else "POST",
                self._addresses[0] + path,
                data=form,
                timeout=TIMEOUT_S,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            call = Call(self._name, what, "", began, monotonic(), 0, {"lost": type(error).__name__})
            text = ""
        else:
            status, answer = _read(said)
            if what == "cancel" and status == ORDERED:
                # The way back to the order is what a page says of one that it called off.
                status, answer = 200, {"order_uuid": of, "status": "CANCELLED"}
            call = Call(
                self._name, what, "", began, monotonic(), status, answer, (), "", _told(said)
            )
            text = said.text
        call = replace(call, seats=tuple(seats), of=of)
        if wish is not None:
            call = replace(call, key=wish.key, seats=tuple(wish.seats), card=wish.card)
        if what != "ask":
            self._history.calls.append(call)
        return call, text

    @contextmanager
    def listening(self) -> Iterator[None]:
        """What the socket pushes is written down, too; it comes back as often as it ends."""
        over = Event()
        ear = Thread(target=self._listen, args=(over,))
        ear.start()
        try:
            yield
        finally:
            over.set()
            ear.join()

    def _listen(self, over: Event) -> None:
        address = self._addresses[0]
        while not over.is_set():
            kept = self._browser.cookies.copy()
            cookies = "; ".join(f"{one.name}={one.value}" for one in kept)
            try:
                socket = websocket.create_connection(
                    address.replace("http", "ws", 1) + "/ws",
                    timeout=TIMEOUT_S,
                    origin=address,
                    cookie=cookies,
                )
                socket.settimeout(LISTEN_S)
                self._hear(socket, over)
            except websocket.WebSocketBadStatusException as error:
                now, status = monotonic(), error.status_code
                headers = {"Retry-After": "0"}  # a socket comes back by itself
                self._history.calls.append(
                    Call(self._name, "listen", "", now, now, status, {}, headers=headers)
                )
                over.wait(COME_BACK_S)
            except (OSError, websocket.WebSocketException):
                over.wait(COME_BACK_S)

    def _hear(self, socket: websocket.WebSocket, over: Event) -> None:
        while not over.is_set():
            try:
                text = socket.recv()
            except websocket.WebSocketTimeoutException:
                continue
            for order, status in STATE.findall(str(text)):
                answer, now = {"order_uuid": order, "status": status}, monotonic()
                self._history.calls.append(Call(self._name, "push", "", now, now, 200, answer))
        socket.close()


def _seats(seats: list[int]) -> Form:
    return [("seat", str(seat)) for seat in seats]


def _told(said: requests.Response) -> dict[str, str]:
    return {"Retry-After": said.headers["Retry-After"]} if "Retry-After" in said.headers else {}


def _read(said: requests.Response) -> tuple[int, dict[str, str]]:
    """A page's answer as the API would give it: status, and what a checker wants to know."""
    if said.is_redirect:
        where = urlsplit(said.headers["Location"]).path
        kind, _, one = where.removeprefix("/").partition("/")
        match kind:
            case "orders" if one:
                return 201, {"order_uuid": one}
            case "purchases":
                return 409, {"error": "in_progress"}
            case "login":
                return 401, {}
            case _:
                return 200, {}
    if said.status_code >= 400:
        return said.status_code, {"error": "page"}
    state = STATE.search(said.text)
    return said.status_code, {"order_uuid": state[1], "status": state[2]} if state else {}
