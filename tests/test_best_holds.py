"""The server chooses the seats, and a hold is extended: by the pages' forms."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.halls import Hall, hall, owner
from tests.test_holds import states, take
from web.recent import forget


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    forget()


@pytest.fixture
def ana_phone(app: Flask) -> FlaskClient:
    """A visitor's browser without an account."""
    return app.test_client()


def take_best(phone: FlaskClient, event: Hall, **form: object) -> Any:
    """Ask the server to choose, following only the 307 that sets the cookie."""
    address = f"/events/{event.id}/holds/best"
    answer = phone.post(address, data=form)
    if answer.status_code == 307:
        answer = phone.post(answer.headers["Location"], data=form)
    forget()
    return answer


class TestBestTogether:
    """The server chooses: the nearest row that has so many side by side."""

    def test_the_nearest_seats_are_held(self, ana_phone: FlaskClient) -> None:
        event = hall([("Lejos", 1, 4, "20.00"), ("Cerca", 1, 5, "90.00")])
        with owner() as connection:
            connection.execute(
                "UPDATE catalog.seats SET rank = 50 - 40 * (section_number - 1) WHERE event_id = %s",
                [event.id],
            )
        answer = take_best(ana_phone, event, count="3")
        assert answer.status_code == 303
        assert states(event) == list("AAAA" + "LLLAA")

    def test_a_price_is_not_passed(self, ana_phone: FlaskClient) -> None:
        event = hall([("Lejos", 1, 4, "20.00"), ("Cerca", 1, 5, "90.00")])
        assert take_best(ana_phone, event, count="2", price_max="20.00").status_code == 303
        assert states(event)[:4].count("L") == 2

    def test_none_are_held_where_not_all_are_together(self, ana_phone: FlaskClient) -> None:
        event = hall([("Platea", 2, 3, "20.00")])
        answer = take_best(ana_phone, event, count="4")
        assert answer.status_code == 409
        assert "No quedan 4 asientos juntos" in answer.text
        assert states(event) == ["A"] * 6

    @pytest.mark.parametrize("count", ["", "0", "11", "-1", "2.5", "x", "٢"])
    def test_nonsense_is_refused(self, ana_phone: FlaskClient, count: str) -> None:
        event = hall()
        assert take_best(ana_phone, event, count=count).status_code == 422
        assert "L" not in states(event)

    def test_a_price_that_makes_no_sense_is_none(self, ana_phone: FlaskClient) -> None:
        event = hall()
        assert take_best(ana_phone, event, count="1", price_max="1e9").status_code == 303

    def test_many_who_ask_at_once_get_different_seats(self, app: Flask) -> None:
        event = hall([("Platea", 20, 20, "20.00")])
        phones = [app.test_client() for _ in range(40)]
        with ThreadPoolExecutor(16) as crowd:
            answers = list(
                crowd.map(lambda phone: take_best(phone, event, count="2").status_code, phones)
            )
        assert answers == [303] * 40
        assert states(event).count("L") == 80


def test_a_hold_is_extended_once(ana_phone: FlaskClient) -> None:
    event = hall()
    take(ana_phone, event, event.seats[:1])

    def ends() -> datetime:
        with owner() as connection:
            row = connection.execute(
                "SELECT held_until FROM catalog.seats WHERE id = %s", [event.seats[0]]
            ).fetchone()
        assert row
        moment: datetime = row[0]
        return moment

    before = ends()
    page = ana_phone.get(f"/events/{event.id}/checkout").text
    assert "Pedir 5 min más" in page
    for _ in range(2):
        assert ana_phone.post(f"/events/{event.id}/holds/extend").status_code == 303
        assert ends() - before == timedelta(minutes=5)
    assert "Pedir 5 min más" not in ana_phone.get(f"/events/{event.id}/checkout").text
