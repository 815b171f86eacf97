"""What a purchase that is sent later needs of the server: a method to pay with, a key, and whose it is."""

import re
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from pipeline.payments import BankUnreachableError
from tests.halls import Hall, hall
from tests.people import ANA, BRUNO, bearer, sign_in
from web.accounts.marks import mark
from web.api import purchases

pytestmark = pytest.mark.usefixtures("clean")

PAYS = "4242424242424242"
DECLINED = "4000000000000002"


def method(client: FlaskClient, card: str = PAYS) -> str:
    answer: Any = client.post(
        "/api/payment-methods", json={"card_number": card}, headers=bearer(ANA)
    )
    assert answer.status_code == 201
    return str(answer.json["id"])


def buy(client: FlaskClient, of: Hall, key: str, **body: Any) -> Any:
    headers = {**bearer(ANA), "Idempotency-Key": key}
    whole = {"event_id": of.id, "seat_ids": of.seats[:1], **body}
    return client.post("/api/orders", json=whole, headers=headers)


def became(client: FlaskClient, key: str, who: Any = ANA) -> Any:
    return client.get(f"/api/purchases/{key}", headers=bearer(who))


def test_a_method_pays_once(client: FlaskClient) -> None:
    one, other = hall(), hall()
    kept = method(client)
    assert re.fullmatch(r"pm_[!-~]+", kept)
    first = buy(client, one, uuid4().hex, payment={"method": kept})
    assert first.status_code == 201
    again = buy(client, other, uuid4().hex, payment={"method": kept})
    assert (again.status_code, again.json["error"]) == (422, "invalid_payment")


def test_a_method_needs_an_account_and_a_card(client: FlaskClient) -> None:
    assert client.post("/api/payment-methods", json={"card_number": PAYS}).status_code == 401
    for card in ("", "4242", "4242424242424241", None, 4242424242424242, [PAYS]):
        answer: Any = client.post(
            "/api/payment-methods", json={"card_number": card}, headers=bearer(ANA)
        )
        assert (answer.status_code, answer.json["error"]) == (422, "invalid_payment"), card


def test_a_bank_that_is_away_makes_no_method(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> str:
        raise BankUnreachableError("nobody")

    monkeypatch.setattr(purchases, "keep_method", away)
    answer: Any = client.post(
        "/api/payment-methods", json={"card_number": PAYS}, headers=bearer(ANA)
    )
    assert (answer.status_code, answer.json["error"]) == (503, "busy")
    assert answer.headers["Retry-After"]


def test_what_the_form_began_the_api_goes_on_with(client: FlaskClient) -> None:
    of = hall()
    sign_in(client, ANA)
    kept, key = method(client), uuid4().hex
    client.post(f"/events/{of.id}/holds", data={"seat": of.seats[0]})
    form = {
        "event_id": of.id, "seat": of.seats[0], "total": "80.00", "idempotency_key": key,
        "payment_method": kept, "account": mark(str(ANA.sub)),
    }  # fmt: skip
    answer: Any = client.post("/orders", data=form)
    assert answer.status_code == 303
    again = buy(client, of, key, payment={"method": kept}, total="80.00")
    assert again.status_code == 201
    assert again.headers["Idempotency-Replayed"] == "true"
    assert answer.headers["Location"].endswith(again.json["order_uuid"])


def test_another_total_is_stopped_before_any_charge(client: FlaskClient) -> None:
    of = hall()
    answer = buy(client, of, uuid4().hex, payment={"method": method(client)}, total="70.00")
    assert (answer.status_code, answer.json["error"]) == (409, "price_changed")
    assert (answer.json["shown"], answer.json["now"]) == ("70.00", "80.00")
    wrong: tuple[Any, ...] = ("", "1,5", "-1", 80, [], {})
    for total in wrong:
        answer = buy(client, of, uuid4().hex, payment={"card_number": PAYS}, total=total)
        assert (answer.status_code, answer.json["error"]) == (422, "invalid_total"), total


def test_the_key_alone_tells_what_became_of_a_purchase(client: FlaskClient) -> None:
    of = hall()
    bought, refused = uuid4().hex, uuid4().hex
    order = buy(client, of, bought, payment={"method": method(client)}).json["order_uuid"]
    other = hall()
    buy(client, other, refused, payment={"method": method(client, DECLINED)})
    assert became(client, bought).json == {"state": "bought", "order_uuid": order}
    told = became(client, refused).json
    assert (told["state"], told["problem"]["error"]) == ("refused", "payment_declined")
    assert became(client, uuid4().hex).status_code == 404
    assert became(client, bought, BRUNO).status_code == 404
    assert became(client, bought).headers["Cache-Control"] == "no-store"


def test_nothing_is_done_as_another_account_than_it_was_made_as(client: FlaskClient) -> None:
    of = hall()
    key = uuid4().hex
    whole = {"event_id": of.id, "seat_ids": of.seats[:1], "payment": {"card_number": PAYS}}
    headers = {**bearer(ANA), "Idempotency-Key": key, "If-Account": mark(str(BRUNO.sub))}
    answer: Any = client.post("/api/orders", json=whole, headers=headers)
    assert (answer.status_code, answer.json["error"]) == (412, "other_account")
    assert became(client, key).status_code == 404
    sign_in(client, ANA)
    form = {"event_id": of.id, "idempotency_key": key, "account": mark(str(BRUNO.sub))}
    assert client.post("/orders", data=form).status_code == 412
    hold: Any = client.post(
        f"/api/events/{of.id}/lock-seat",
        json={"seat_ids": of.seats[:1]},
        headers={"If-Account": mark(str(BRUNO.sub))},
    )
    assert hold.status_code == 412
    free: Any = client.get(f"/api/events/{of.id}").json
    assert free["available_seats"] == free["total_seats"]
    right = {**headers, "If-Account": mark(str(ANA.sub))}
    assert client.post("/api/orders", json=whole, headers=right).status_code == 201


def test_a_page_says_whose_it_is(client: FlaskClient) -> None:
    page = client.get("/events")
    assert page.headers["X-Account"] == "-"
    assert "data-account" not in page.text
    sign_in(client, ANA)
    page = client.get("/events")
    assert page.headers["X-Account"] == mark(str(ANA.sub))
    assert f'data-account="{mark(str(ANA.sub))}"' in page.text
    assert len({mark(str(ANA.sub)), mark(str(BRUNO.sub))}) == 2
    shell = client.get("/offline/en")
    assert "data-account" not in shell.text
    assert "X-Account" not in shell.headers
    assert shell.headers["Content-Language"] == "en"
