"""The server chooses the seats, and a hold is extended: by the pages' forms."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.halls import Hall, change, hall, owner
from tests.phones import post, states, take
from web import holds
from web.problems import Problem


def take_best(phone: FlaskClient, event: Hall, **form: object) -> Any:
    """Ask the server to choose."""
    return post(phone, f"/events/{event.id}/holds/best", form)


class TestBestTogether:
    """The server chooses: the nearest row that has so many side by side."""

    def test_the_nearest_seats_are_held(self, client: FlaskClient) -> None:
        event = hall([("Lejos", 1, 4, "20.00"), ("Cerca", 1, 5, "90.00")])
        with owner() as connection:
            connection.execute(
                "UPDATE catalog.seats SET rank = 50 - 40 * (section_number - 1) WHERE event_id = %s",
                [event.id],
            )
        answer = take_best(client, event, count="3")
        assert answer.status_code == 303
        assert states(event) == list("AAAA" + "LLLAA")

    def test_the_search_goes_on_where_all_near_sections_are_sold(self, client: FlaskClient) -> None:
        """More sections than one read takes in."""
        event = hall([(f"Sector {number}", 1, 3, "20.00") for number in range(20)])
        change(event.seats[:-3], status="BLOCKED")
        assert take_best(client, event, count="2").status_code == 303
        assert states(event) == list("B" * 57 + "LLA")

    def test_a_price_is_not_passed(self, client: FlaskClient) -> None:
        event = hall([("Lejos", 1, 4, "20.00"), ("Cerca", 1, 5, "90.00")])
        assert take_best(client, event, count="2", price_max="20.00").status_code == 303
        assert states(event)[:4].count("L") == 2

    def test_a_form_is_read_even_where_only_a_cookie_is_given(self, client: FlaskClient) -> None:
        """Else gunicorn, which cannot always throw it away in time, hangs up on the front."""
        form = BytesIO(b"count=2")
        answer = client.post(f"/events/{hall().id}/holds/best", input_stream=form, content_length=7)
        assert answer.status_code == 307
        assert form.tell() == 7

    def test_none_are_held_where_not_all_are_together(self, client: FlaskClient) -> None:
        event = hall([("Platea", 2, 3, "20.00")])
        answer = take_best(client, event, count="4")
        assert answer.status_code == 409
        assert "No quedan 4 asientos juntos" in answer.text
        assert states(event) == ["A"] * 6

    @pytest.mark.parametrize("count", ["", "0", "11", "-1", "2.5", "x", "٢"])
    def test_nonsense_is_refused(self, client: FlaskClient, count: str) -> None:
        event = hall()
        assert take_best(client, event, count=count).status_code == 422
        assert "L" not in states(event)

    @pytest.mark.parametrize("price", ["1e9", "-1", "50,00", "NaN", "x"])
    def test_a_price_that_makes_no_sense_is_refused(self, client: FlaskClient, price: str) -> None:
        """Taken for no limit, it could hold what is dearer than was asked."""
        event = hall()
        assert take_best(client, event, count="1", price_max=price).status_code == 422
        assert "L" not in states(event)

    def test_whoever_is_late_each_time_is_told_so(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There were seats together; that others were quicker is another thing than none left."""
        event = hall()
        late = Problem(409, "seat_unavailable", "", unavailable=event.seats[:1])
        monkeypatch.setattr(holds, "lock", lambda *_: late)
        monkeypatch.setattr(holds, "FREE_S", 0)
        answer = take_best(client, event, count="2")
        assert answer.status_code == 409
        assert "Alguien se llevó" in answer.text

    def test_many_who_ask_at_once_get_different_seats(self, app: Flask) -> None:
        event = hall([("Platea", 20, 20, "20.00")])
        phones = [app.test_client() for _ in range(100)]
        with ThreadPoolExecutor(16) as crowd:
            answers = list(
                crowd.map(lambda phone: take_best(phone, event, count="2").status_code, phones)
            )
        assert answers == [303] * 100
        assert states(event).count("L") == 200


def test_a_hold_is_extended_once(client: FlaskClient) -> None:
    event = hall()
    take(client, event, event.seats[:1])

    def ends() -> datetime:
        with owner() as connection:
            row = connection.execute(
                "SELECT held_until FROM catalog.seats WHERE id = %s", [event.seats[0]]
            ).fetchone()
        assert row
        moment: datetime = row[0]
        return moment

    before = ends()
    page = client.get(f"/events/{event.id}/checkout").text
    assert "Pedir 5 min más" in page
    for _ in range(2):
        assert client.post(f"/events/{event.id}/holds/extend").status_code == 303
        assert ends() - before == timedelta(minutes=5)
    assert "Pedir 5 min más" not in client.get(f"/events/{event.id}/checkout").text
