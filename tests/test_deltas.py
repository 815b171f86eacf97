"""What pages are told of seats: merged, resumable, and never a state that a later one has overtaken."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis.exceptions import TimeoutError as RedisTimeoutError

from pipeline.connections import redis_client
from pipeline.messages import UPDATES_STREAM, OrderChanged, SeatsChanged
from pipeline.seatlock import client as seatlock
from tests.halls import hall
from tests.stations import relay
from web.updates import deltas, polling
from web.updates.deltas import Deltas, wording
from web.updates.missed import shown_section


def change(number: int, positions: list[int], state: str, section: int = 1) -> SeatsChanged:
    return SeatsChanged(number, 7, section, tuple(positions), state)


def told(*changes: tuple[str, SeatsChanged]) -> Deltas:
    tail = Deltas("100-0")
    for entry, one in changes:
        tail.add(entry, one)
    return tail


def test_the_words_are_those_of_the_contract() -> None:
    states = {10: "h", 51: "h", 7: "s", 83: "f"}
    assert wording("5-0", 4, states, {3: 412, 7: 88}) == "S 5-0 4 f2b h0a1f s07|3=412,7=88"
    assert wording("5-0", "-", {}, {3: 1}) == "S 5-0 -|3=1"
    assert wording("5-0", 4, {}) == "S 5-0 4"
    assert wording("1-0", 1, {1295: "f"}) == "S 1-0 1 fzz"


def test_what_happened_twice_is_told_once() -> None:
    tail = told(
        ("101-0", change(1, [0, 1], "h")),
        ("102-0", change(2, [0], "f")),
        ("103-0", change(3, [5], "s", section=2)),
    )
    assert tail.since(7, "100-0") == {1: {0: "f", 1: "h"}, 2: {5: "s"}}
    assert tail.since(7, "101-0") == {1: {0: "f"}, 2: {5: "s"}}
    assert tail.since(7, "103-0") == {}
    assert tail.since(8, "100-0") == {}


def test_a_stalled_relay_cannot_bring_an_old_state_back() -> None:
    """Seat by seat: changes of others may carry a lower number and still be news."""
    tail = told(
        ("101-0", change(8, [0], "s")),
        ("102-0", change(3, [0, 1], "h")),
    )
    assert tail.since(7, "100-0") == {1: {0: "s", 1: "h"}}


@pytest.mark.parametrize(
    "version",
    ["", "0", "R", "99-9", "x-y", "999999-0", "1-0 ", "-1-0", "1-²", "١-0", "9" * 50 + "-0"],
)
def test_a_version_that_is_too_old_or_made_up_is_not_guessed(version: str) -> None:
    assert told(("101-0", change(1, [0], "h"))).since(7, version) is None


def test_a_page_that_was_drawn_a_moment_ahead_of_us_has_missed_nothing() -> None:
    assert told(("101-0", change(1, [0], "h"))).since(7, "150-0") == {}


def test_what_is_kept_has_an_end_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "CHANGES_KEPT_MAX", 2)
    tail = told(*((f"{100 + n}-0", change(n, [n], "h")) for n in range(1, 5)))
    assert tail.since(7, "101-0") is None
    assert tail.since(7, "102-0") == {1: {3: "h", 4: "h"}}


def test_a_forgotten_event_is_not_taken_for_a_quiet_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "EVENTS_KEPT_MAX", 1)
    tail = told(("101-0", change(1, [0], "h")))
    tail.add("102-0", SeatsChanged(2, 8, 1, (0,), "h"))
    assert tail.since(7, "100-0") is None


def test_orders_move_the_version_and_nothing_else() -> None:
    tail = told(("101-0", change(1, [0], "h")))
    tail.add("105-0", OrderChanged("u", "ana", "COMPLETED"))
    assert (tail.version, tail.since(7, "101-0")) == ("105-0", {})


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "99999", "١", "**"])
def test_a_section_is_a_number_or_one_of_two_signs(text: str) -> None:
    assert shown_section(text) is None
    assert [shown_section(one) for one in ("3", "-", "*")] == [3, "-", "*"]


@pytest.mark.usefixtures("clean")
class TestPolling:
    """`GET /events/{id}/updates`: the same words for pages without a socket."""

    def test_a_page_is_told_what_it_missed(self, client: FlaskClient) -> None:
        event = hall()
        before = redis_client().xadd(UPDATES_STREAM, {"what": "nothing"})
        held = seatlock.lock(event.id, event.seats[:2], "visitor:b")
        assert isinstance(held, list)
        relay().run_once()
        answer = self.ask(client, event.id, section="1", v=before)
        assert answer.mimetype == "text/plain"
        assert "no-store" in answer.headers["Cache-Control"]
        words, _, counts = answer.text.partition("|")
        assert words.split()[2:] == ["1", "h0001"]
        free = len(event.seats) - 2
        assert counts == f"1={free}"
        version = words.split()[1]
        assert self.ask(client, event.id, section="1", v=version).text == f"S {version} 1"
        assert self.ask(client, event.id, section="*", v=before).text.split("\n") == [
            f"S {version} 1 h0001",
            f"S {version} *|1={free}",
        ]
        assert self.ask(client, event.id, section="-", v=before).text == f"S {version} -|1={free}"

    @pytest.mark.parametrize("version", ["0", "", "nonsense", "1-0", "1-²"])
    def test_what_nobody_knows_is_fetched_again(self, client: FlaskClient, version: str) -> None:
        event = hall()
        redis_client().xadd(UPDATES_STREAM, {"what": "nothing"})
        assert self.ask(client, event.id, section="1", v=version).text == "R"

    def test_a_redis_that_hangs_keeps_one_asker_and_no_other(
        self, client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """H-class: otherwise a handful of pages would hold every thread of web."""
        event, entered, let_go = hall(), Event(), Event()

        def hangs(_: object) -> list[Any]:
            entered.set()
            assert let_go.wait(10)
            raise RedisTimeoutError

        monkeypatch.setattr(polling, "newest", hangs)
        address = f"/events/{event.id}/updates?section=1&v=0"
        with ThreadPoolExecutor(1) as other:
            first = other.submit(lambda: app.test_client().get(address).status_code)
            assert entered.wait(5)
            begun = monotonic()
            statuses = {client.get(address).status_code for _ in range(5)}
            assert monotonic() - begun < 2
            let_go.set()
            assert first.result() == 503
        assert statuses == {503}
        assert client.get(address).headers["Retry-After"]

    def test_nonsense_is_refused(self, client: FlaskClient) -> None:
        event = hall()
        assert client.get("/events/999999/updates?section=1&v=0").status_code == 404
        assert client.get(f"/events/{event.id}/updates?section=all&v=0").status_code == 404

    @staticmethod
    def ask(client: FlaskClient, event_id: int, **query: Any) -> Any:
        answer = client.get(f"/events/{event_id}/updates", query_string=query)
        assert answer.status_code == 200, answer.text
        return answer
