"""Buying on pages alone, as a browser without JavaScript does it: form, answer, back button."""

import re
from datetime import datetime, tzinfo
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.halls import Hall, change, hall, owner
from tests.people import ANA, BRUNO, CARLA, sign_in
from tests.stations import DECLINED, PAYS, one, rows, run_all
from tests.test_purchases import LATE, lapse
from web.cards import read_card

pytestmark = pytest.mark.usefixtures("clean")


CARD = {
    "card_number": PAYS,
    "card_expiry": "12 / 99",
    "card_code": "123",
    "card_name": "Ana Quispe Rojas",
}


def hold(client: FlaskClient, event: Hall, seats: list[int]) -> None:
    answer = client.post(f"/events/{event.id}/holds", data={"seat": seats})
    if answer.status_code == 307:
        answer = client.post(answer.headers["Location"], data={"seat": seats})
    assert answer.headers["Location"] == f"/events/{event.id}/checkout"


def form_of(page: str) -> dict[str, Any]:
    """What the form of the checkout would send."""
    form = page.partition('action="/orders"')[2].partition("</form>")[0]
    fields = re.findall(r'name="(\w+)" value="([^"]*)"', form)
    return {
        **dict(fields),
        "seat": [value for name, value in fields if name == "seat"],
        **CARD,
    }


def checkout(client: FlaskClient, event: Hall) -> dict[str, Any]:
    answer = client.get(f"/events/{event.id}/checkout")
    assert answer.headers["Cache-Control"] == "no-store"
    return form_of(answer.text)


def test_the_whole_way_without_javascript(client: FlaskClient) -> None:
    event = hall()
    hold(client, event, event.seats[:2])
    anonymous = client.get(f"/events/{event.id}/checkout").text
    assert f'href="/login?next=/events/{event.id}/checkout"' in anonymous
    assert "160.00" in anonymous
    sign_in(client, ANA, f"/events/{event.id}/checkout")
    paid = client.post("/orders", data=checkout(client, event))
    assert paid.status_code == 303
    order = paid.headers["Location"]
    waiting = client.get(order).text
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in waiting
    assert "Estamos dibujando tus 2 entradas" in waiting
    assert '<progress max="2" value="0"' in waiting
    run_all()
    done = client.get(order).text
    assert 'http-equiv="refresh"' not in done
    pictures = re.findall(r'src="(/tickets/[^"]+\.png)"', done)
    assert len(pictures) == 2
    assert client.get(pictures[0]).mimetype == "image/png"
    assert "A\N{NO-BREAK SPACE}1" in client.get(pictures[0].removesuffix(".png")).text
    assert "Susurros del Ande" in client.get("/orders").text


def test_back_and_pay_again_is_always_the_finished_order(client: FlaskClient) -> None:
    """H10: same card or another one, before and after the ticket is drawn."""
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    form = checkout(client, event)
    order = client.post("/orders", data=form).headers["Location"]
    assert client.post("/orders", data=form).headers["Location"] == order
    assert (
        client.post("/orders", data={**form, "card_number": "4000000000000127"}).headers["Location"]
        == order
    )
    run_all()
    assert client.post("/orders", data=form).headers["Location"] == order
    assert rows("SELECT count(*) FROM orders.orders") == [(1,)]
    assert "No tienes asientos" in client.get(f"/events/{event.id}/checkout").text


def test_a_declined_card_keeps_the_seats_and_offers_a_new_try(client: FlaskClient) -> None:
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    form = checkout(client, event)
    declined = client.post("/orders", data={**form, "card_number": DECLINED})
    assert declined.status_code == 402
    assert "El banco dijo no" in declined.text
    new = form_of(declined.text)
    assert new["idempotency_key"] != form["idempotency_key"]
    old_page = client.post("/orders", data={**form, "card_number": PAYS})
    assert old_page.status_code == 422
    assert form_of(old_page.text)["idempotency_key"] != form["idempotency_key"]
    assert client.post("/orders", data=new).status_code == 303


WRONG_FIELDS = [
    ("card_number", "", "revisa las cifras"),
    ("card_number", "1234", "Faltan cifras"),
    ("card_number", "4242 4242 4242 4241", "revisa las cifras"),
    ("card_number", "<script>", "revisa las cifras"),
    ("card_number", "٤٢٤٢ 4242 4242 4242", "revisa las cifras"),
    ("card_number", "x" * 5000, "revisa las cifras"),
    ("card_expiry", "", "mes y año"),
    ("card_expiry", "13/30", "mes y año"),
    ("card_expiry", "00/30", "mes y año"),
    ("card_expiry", "02 / 25", "Ya venció"),
    ("card_code", "", "3 o 4 cifras"),
    ("card_code", "12a", "3 o 4 cifras"),
    ("card_name", "  ", "el nombre que está"),
    ("card_name", "x" * 101, "el nombre que está"),
    ("card_name", "Ana\x00", "el nombre que está"),
]


@pytest.mark.parametrize(("field", "text", "said"), WRONG_FIELDS)
def test_what_is_wrong_with_the_card_is_said_beside_its_field(
    client: FlaskClient, field: str, text: str, said: str
) -> None:
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    answer = client.post("/orders", data={**checkout(client, event), field: text})
    assert answer.status_code == 422
    errors = re.findall(r'<span class="error" id="(\w+)-error">([^<]+)<', answer.text)
    assert [name for name, _ in errors] == [field.removeprefix("card_").replace("number", "card")]
    assert said in errors[0][1]
    assert answer.text.count('aria-invalid="true" autofocus') == 1
    assert "<script>" not in answer.text.replace('<script src="', "")
    # What was typed stays, but for number and code, which no page of ours repeats.
    kept = "Ana Quispe Rojas" if field != "card_name" else "12 / 99"
    assert f'value="{kept}"' in answer.text
    assert "4242 4242 4242 4241" not in answer.text
    assert rows("SELECT 1 FROM orders.purchases") == []
    assert client.post("/orders", data=form_of(answer.text)).status_code == 303


@pytest.mark.parametrize("name", ["李小龙", "Łukasz", "Zoë Ñandú", "X", "n" * 100])
def test_a_name_is_anybodys(client: FlaskClient, name: str) -> None:
    """H48."""
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    form = {**checkout(client, event), "card_name": name}
    refused = client.post("/orders", data={**form, "card_code": ""})
    assert f'value="{name}"' in refused.text
    assert (
        client.post("/orders", data={**form_of(refused.text), "card_name": name}).status_code == 303
    )


@pytest.mark.parametrize("expiry", ["1/99", "0199", "01/2099", " 01 / 99 ", "01-99", "01.99"])
def test_an_expiry_may_be_typed_as_people_do(client: FlaskClient, expiry: str) -> None:
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    form = {**checkout(client, event), "card_expiry": expiry, "card_number": " 4242-4242 42424242 "}
    assert client.post("/orders", data=form).status_code == 303


def test_a_card_is_good_to_the_end_of_its_month(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Then(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Then":
            return cls(2027, 2, 28, 23, 59, tzinfo=tz)

    monkeypatch.setattr("web.cards.datetime", Then)
    assert read_card({**CARD, "card_expiry": "02/27"})[1] == {}
    assert read_card({**CARD, "card_expiry": "01/27"})[1].keys() == {"card_expiry"}


def test_a_hold_that_is_over_is_never_paid_from_an_old_page(client: FlaskClient) -> None:
    """H05: free again or taken by Bruno, an honest "choose again"."""
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    form = checkout(client, event)
    with owner() as connection:
        connection.execute(
            "UPDATE catalog.seats SET held_until = now() - interval '1 s' WHERE status = 'LOCKED'"
        )
    answer = client.post("/orders", data=form)
    assert answer.status_code == 409
    assert "Se acabó el tiempo" in answer.text
    assert rows("SELECT 1 FROM orders.orders") == []


def test_a_price_that_changed_stops_with_both_sums(client: FlaskClient) -> None:
    """H57."""
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    form = checkout(client, event)
    change(event.seats[:1], price="99.00")
    answer = client.post("/orders", data=form)
    assert answer.status_code == 409
    assert "80.00" in answer.text
    assert "99.00" in answer.text
    assert client.post("/orders", data=form_of(answer.text)).status_code == 303
    assert one("SELECT total_amount::text FROM orders.orders") == "99.00"


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"event_id": "x"}, 404),
        ({"event_id": "999999999"}, 404),
        ({"idempotency_key": ""}, 400),
        ({"idempotency_key": "x" * 101}, 400),
        ({"seat": []}, 422),
        ({"seat": ["x"]}, 422),
        ({"seat": ["1", "1"]}, 422),
        ({"seat": ["999999999"]}, 422),
        ({"total": ""}, 422),
        ({"total": "NaN"}, 422),
        ({"total": "1e999999999"}, 422),
        ({"total": "-1"}, 422),
        ({"total": "1.00"}, 409),
    ],
)
def test_a_form_that_was_tampered_with_changes_nothing(
    client: FlaskClient, wrong: dict[str, Any], status: int
) -> None:
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    answer = client.post("/orders", data={**checkout(client, event), **wrong})
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert rows("SELECT 1 FROM orders.orders") == []


def test_free_seats_are_confirmed_without_a_card(client: FlaskClient) -> None:
    event = hall([("Sala", 1, 4, "0.00")])
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    page = client.get(f"/events/{event.id}/checkout").text
    assert "card_number" not in page
    form = {**form_of(page), "card_number": ""}
    assert client.post("/orders", data=form).status_code == 303


def test_a_purchase_that_still_runs_has_a_page_of_its_own(client: FlaskClient, app: Flask) -> None:
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    form = checkout(client, event)
    answer = client.post("/orders", data={**form, "card_number": LATE})
    running = f"/purchases/{form['idempotency_key']}"
    assert answer.headers["Location"] == running
    assert 'http-equiv="refresh"' in client.get(running).text
    again = client.post("/orders", data={**form, "card_number": LATE})
    assert again.headers["Location"] == running
    stranger = app.test_client()
    sign_in(stranger, CARLA)
    assert stranger.get(running).status_code == 404
    with owner() as connection:
        connection.execute("UPDATE orders.purchases SET created_at = now() - interval '61 s'")
    lapse()
    client.post("/orders", data={**form, "card_number": LATE})
    refused = client.get(running).text
    assert 'http-equiv="refresh"' not in refused
    assert "Ahora no podemos" in refused


def test_what_a_key_bought_is_found_by_the_key(client: FlaskClient) -> None:
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    form = checkout(client, event)
    order = client.post("/orders", data=form).headers["Location"]
    asked = client.get(f"/purchases/{form['idempotency_key']}", headers={"HX-Request": "true"})
    assert (asked.headers["HX-Redirect"], asked.text) == (order, "")
    assert client.get(f"/purchases/{form['idempotency_key']}").headers["Location"] == order
    assert client.get("/purchases/unknown").status_code == 404


def test_cancelling_asks_first_and_says_what_became_of_the_money(client: FlaskClient) -> None:
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    order = client.post("/orders", data=checkout(client, event)).headers["Location"]
    run_all()
    assert "¿Anular esta compra?" in client.get(f"{order}/cancel").text
    assert client.post(f"{order}/cancel").headers["Location"] == order
    assert "Estamos devolviendo el dinero" in client.get(order).text
    run_all()
    assert "El dinero está devuelto" in client.get(order).text
    ticket = one("SELECT ticket_uuid FROM orders.tickets")
    assert "No vale" in client.get(f"/tickets/{ticket}").text
    assert client.get(f"/tickets/{ticket}.png").status_code == 404


def test_pages_of_somebody_else_are_not_there(client: FlaskClient, app: Flask) -> None:
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    order = client.post("/orders", data=checkout(client, event)).headers["Location"]
    run_all()
    ticket = one("SELECT ticket_uuid FROM orders.tickets")
    bruno = app.test_client()
    sign_in(bruno, BRUNO)
    for path in (order, f"{order}/cancel", f"/tickets/{ticket}", f"/tickets/{ticket}.png"):
        assert bruno.get(path).status_code == 404
    assert bruno.post(f"{order}/cancel").status_code == 404
    assert "Aún no tienes entradas" in bruno.get("/orders").text


def test_an_address_gives_a_page_or_its_fragment(client: FlaskClient) -> None:
    event = hall()
    sign_in(client, ANA)
    hold(client, event, event.seats[:1])
    order = client.post("/orders", data=checkout(client, event)).headers["Location"]
    page, fragment = client.get(order), client.get(order, headers={"HX-Request": "true"})
    assert "<!doctype html>" in page.text
    assert fragment.text.lstrip().startswith('<section id="order-')
    assert fragment.text.strip() in page.text
    assert "HX-Request" in page.headers["Vary"]
