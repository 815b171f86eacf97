"""A word about what was just done is said on the next page, and once."""

import pytest
from flask.testing import FlaskClient

from tests.halls import hall
from tests.phones import take

pytestmark = pytest.mark.usefixtures("clean")


def test_taking_and_letting_go_are_said_once(client: FlaskClient) -> None:
    event = hall()
    page = f"/events/{event.id}"
    take(client, event, event.seats[:2])
    first, second = (client.get(f"{page}/checkout").text for _ in range(2))
    assert 'class="toast"' in first
    assert "Son tuyos." in first
    assert 'class="toast"' not in second
    client.post(f"{page}/holds/release")
    first, second = client.get(page).text, client.get(page).text
    assert "Asientos sueltos" in first
    assert 'class="toast"' not in second


def test_what_freed_nothing_says_nothing(client: FlaskClient) -> None:
    event = hall()
    client.post(f"/events/{event.id}/holds/release")
    assert 'class="toast"' not in client.get(f"/events/{event.id}").text


def test_a_forged_word_is_not_said(client: FlaskClient) -> None:
    client.set_cookie("said", "<script>alert(1)</script>")
    assert 'class="toast"' not in client.get("/events").text
