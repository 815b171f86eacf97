"""Live maps: who is told what, what a slow phone costs the others, and what happens when telling fails."""

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from pipeline.messages import SeatsChanged
from web.updates import maps as maps_module
from web.updates.listeners import Listener, Listeners, frame
from web.updates.maps import Maps

EVENT = 7


class Phone:
    """A page's end of a real connection, and the server's listener at the other."""

    def __init__(self, section: int | str, event_id: int = EVENT) -> None:
        self.near, far = socket.socketpair()
        self.near.settimeout(2)
        far.setblocking(False)
        self.far = far
        woken: list[bool] = []
        self.server = SimpleNamespace(
            sock=SimpleNamespace(_sock=far),
            connected=True,
            event=SimpleNamespace(set=lambda: woken.append(True)),
        )
        self.woken = woken
        self.listener = Listener(self.server, None, event_id, "es")
        self.listener.section = section

    def heard(self) -> list[str]:
        """All texts that have come so far."""
        self.near.setblocking(False)
        said = b""
        try:
            while part := self.near.recv(65_536):
                said += part
        except BlockingIOError:
            pass
        texts = []
        while said:
            assert said[0] == 0x81
            length, begin = said[1], 2
            if length == 126:
                length, begin = int.from_bytes(said[2:4]), 4
            texts.append(said[begin : begin + length].decode())
            said = said[begin + length :]
        return texts

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def phones() -> Iterator[list[Phone]]:
    opened: list[Phone] = []
    yield opened
    for phone in opened:
        phone.close()


@pytest.fixture
def maps(monkeypatch: pytest.MonkeyPatch, phones: list[Phone]) -> Any:
    """Maps whose counts are said without a table; `open` adds a phone."""
    monkeypatch.setattr(maps_module, "free_seats", lambda _, sections: dict.fromkeys(sections, 5))
    listeners = Listeners()
    ours = Maps(listeners)

    def open_phone(section: int | str, event_id: int = EVENT) -> Phone:
        phone = Phone(section, event_id)
        phones.append(phone)
        listeners.open(phone.listener)
        return phone

    return SimpleNamespace(maps=ours, open=open_phone)


def held(number: int, position: int, section: int = 1) -> SeatsChanged:
    return SeatsChanged(number, EVENT, section, (position,), "h")


def test_each_page_hears_of_what_it_shows(maps: Any) -> None:
    one, two, overview = maps.open(1), maps.open(2), maps.open("-")
    whole, elsewhere = maps.open("*"), maps.open(1, event_id=8)
    maps.maps.note("10-0", held(1, 0))
    maps.maps.note("11-0", held(2, 3, section=2))
    maps.maps.tick()
    assert one.heard() == ["S 11-0 1 h00"]
    assert two.heard() == ["S 11-0 2 h03"]
    assert (overview.heard(), elsewhere.heard()) == ([], [])
    assert whole.heard() == ["S 11-0 1 h00", "S 11-0 2 h03"]
    maps.maps.tick()
    assert one.heard() == ["S 11-0 1|1=5"]
    assert two.heard() == ["S 11-0 2|2=5"]
    assert overview.heard() == ["S 11-0 -|1=5,2=5"]
    maps.maps.tick()
    assert one.heard() == []


def test_a_phone_that_does_not_read_is_let_go_and_keeps_nobody(maps: Any) -> None:
    """It comes back and goes on; a frame that was cut could be followed by nothing."""
    deaf, reader = maps.open(1), maps.open(1)
    text = frame("S " + "x" * 60_000)
    for _ in range(200):
        deaf.listener.send(text)
    assert not deaf.server.connected
    assert deaf.woken
    maps.maps.note("10-0", held(1, 0))
    maps.maps.tick()
    assert reader.heard() == ["S 10-0 1 h00"]
    deaf.near.setblocking(True)
    while deaf.near.recv(1_000_000):
        pass


def test_pages_are_told_what_they_missed_while_nobody_could_follow(maps: Any) -> None:
    phone = maps.open(1)
    maps.maps.remember([("10-0", held(1, 0).fields())])
    phone.heard()
    again = [("10-0", held(1, 0).fields()), ("12-0", held(2, 4).fields())]
    assert maps.maps.remember(again) == "12-0"
    assert phone.heard()[0].startswith("S 12-0 1 h04")


def test_after_an_emptied_redis_maps_are_fetched_again(maps: Any) -> None:
    phone = maps.open(1)
    maps.maps.remember([("10-0", held(1, 0).fields())])
    phone.heard()
    maps.maps.remember([("50-0", held(9, 0).fields())])
    assert phone.heard() == ["R"]


def test_changes_that_could_not_be_told_are_not_lost_in_silence(
    maps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = maps.open(1)
    passes = iter([None])

    def breaks(*_: object) -> None:
        raise ValueError

    class EndError(Exception):
        pass

    def pause(_: float) -> None:
        if next(passes, "end"):
            raise EndError

    monkeypatch.setattr(maps_module, "texts", breaks)
    monkeypatch.setattr(gevent, "sleep", pause)
    maps.maps.note("10-0", held(1, 0))
    with pytest.raises(EndError):
        maps.maps.tick_for_ever()
    assert phone.heard() == ["R"]
