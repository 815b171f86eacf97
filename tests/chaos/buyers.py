"""Random buyers on a system that is being broken; everything that they ask and are told is written down."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from math import inf
from random import Random
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import requests

from pipeline.bank import cards

TIMEOUT_S = 12.0
SEATS_MAX = 3
TRIES_MAX = 14
PAUSE_S = (0.05, 0.4)
LONGER_S_MAX = 40.0
"""So much longer a seed goes on where too little was bought."""
GIVES_UP = 0.15
"""So many close the page and never ask again."""
CARDS = (
    *[cards.PAYS] * 80, *[cards.DECLINED] * 4, *[cards.INSUFFICIENT_FUNDS] * 2, *[cards.ANSWER_LOST] * 4,
    *[cards.SLOW] * 4, *[cards.CAPTURE_REFUSED] * 2, *[cards.REFUND_FAILS_TWICE] * 3, cards.LATE,
)  # fmt: skip
HOLDS_FIRST, TAPS_TWICE = 0.4, 0.1
THINKS_S = (0.0, 2.0)
"""Between hold and payment somebody else may want the same seats."""
TRIES_AGAIN_S = (0.2, 1.2)
KEPT_HEADERS = ("Retry-After", "Idempotency-Replayed")


@dataclass(frozen=True)
class Call:
    """One request and what came back; status 0 where nothing did."""

    buyer: str
    what: str
    key: str
    began: float
    ended: float
    status: int
    answer: dict[str, Any]
    seats: tuple[int, ...] = ()
    card: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    of: str = ""
    """The order that a look or a cancel is about."""

    @property
    def error(self) -> str:
        """The problem's code, empty where there is none."""
        return str(self.answer.get("error", ""))

    @property
    def order(self) -> str:
        """The order that it speaks of."""
        return str(self.answer.get("order_uuid", ""))


@dataclass(frozen=True)
class Wish:
    """What a buyer wants under one key."""

    key: str
    seats: list[int]
    card: str


@dataclass
class History:
    """All calls of one seed, and between which moments they were. `enough`: orders that are accepted."""

    seed: int
    event_id: int
    began: float
    until: float
    enough: int = 0
    ended: float = inf
    calls: list[Call] = field(default_factory=list)

    def over(self) -> bool:
        """Whether its time is over and enough was bought, or it was given more time in vain."""
        late = monotonic() - self.until
        if late <= 0 or late > LONGER_S_MAX:
            return late > 0
        return len({call.order for call in tuple(self.calls) if call.status == 201}) >= self.enough

    def lines(self) -> str:
        """A line of JSON a call, in the order of their answers."""
        told = sorted(self.calls, key=lambda call: call.ended)
        return "".join(json.dumps(asdict(call)) + "\n" for call in told)


class Buyer:
    """One account that buys, asks again, looks, and cancels, as its own dice say."""

    def __init__(self, number: int, token: str, addresses: list[str], history: History) -> None:
        self._random = Random(f"{history.seed} {number}")
        self._name = f"{history.seed}-{number}"
        self._token = token
        self._addresses = addresses
        self._history = history
        self._browser = requests.Session()
        self._ended: list[Wish] = []
        self._orders: list[str] = []

    def run(self, seats: list[int]) -> None:
        """Go on until all is over."""
        while not self._history.over():
            dice = self._random.random()
            if dice < 0.65 or not self._ended:
                self._buy(seats)
            elif dice < 0.75:
                # The first answer got lost, perhaps: the same once more.
                self._order(self._random.choice(self._ended))
            elif dice < 0.92 and self._orders:
                self._look(self._random.choice(self._orders))
            elif self._orders:
                self._cancel(self._random.choice(self._orders))
            sleep(self._random.uniform(*PAUSE_S))

    def _wish(self, seats: list[int]) -> Wish:
        count, place = self._random.randint(1, SEATS_MAX), self._random.randrange(len(seats))
        key = str(UUID(int=self._random.getrandbits(128)))
        return Wish(key, seats[place : place + count], self._random.choice(CARDS))

    def _buy(self, seats: list[int]) -> None:
        wish = self._wish(seats)
        if self._random.random() < HOLDS_FIRST:
            path = f"/api/events/{self._history.event_id}/lock-seat"
            self._send("lock-seat", path, {"seat_ids": wish.seats})
            sleep(self._random.uniform(*THINKS_S))
        self._until_decided(wish)

    def _until_decided(self, wish: Wish) -> None:
        begun = monotonic()
        patience = 1 if self._random.random() < GIVES_UP else TRIES_MAX
        if self._random.random() < TAPS_TWICE:
            with ThreadPoolExecutor(2) as twice:
                list(twice.map(lambda _: self._order(wish), range(2)))
        for _ in range(patience):
            call = self._order(wish)
            if decided(call):
                self._ended.append(wish)
                if call.status == 201:
                    self._orders.append(call.order)
                return
            if monotonic() > begun + TIMEOUT_S and self._history.over():
                return
            sleep(self._random.uniform(*TRIES_AGAIN_S))

    def _order(self, wish: Wish) -> Call:
        body = {
            "event_id": self._history.event_id,
            "seat_ids": wish.seats,
            "payment": {"card_number": wish.card},
        }
        return self._send("order", "/api/orders", body, wish.key)

    def _look(self, order: str) -> None:
        self._send("look", f"/api/orders/{order}", of=order)

    def _cancel(self, order: str) -> None:
        self._send("cancel", f"/api/orders/{order}/cancel", {}, of=order)

    def _send(
        self,
        what: str,
        path: str,
        body: dict[str, Any] | None = None,
        key: str = "",
        of: str = "",
    ) -> Call:
        headers = {"Authorization": f"Bearer {self._token}"}
        if key:
            headers["Idempotency-Key"] = key
        seats = tuple((body or {}).get("seat_ids", ()))
        card = (body or {}).get("payment", {}).get("card_number", "")
        began, status, answer, told = monotonic(), 0, {}, {}
        try:
            said = self._browser.request(
                "GET" if body is None else "POST",
                self._random.choice(self._addresses) + path,
                json=body,
                headers=headers,
                timeout=TIMEOUT_S,
            )
            status = said.status_code
            told = {name: said.headers[name] for name in KEPT_HEADERS if name in said.headers}
            answer = said.json()
        except requests.RequestException as error:
            # What front itself says is no JSON; a line that ended says nothing at all.
            answer = {} if status else {"lost": type(error).__name__}
        call = Call(
            self._name, what, key, began, monotonic(), status, answer, seats, card, told, of
        )
        self._history.calls.append(call)
        return call


def decided(call: Call) -> bool:
    """Whether the buyer knows what became of the purchase."""
    return 200 <= call.status < 500 and call.error != "in_progress"
