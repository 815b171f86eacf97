"""A buyer's own data: downloaded whole and nobody else's with it, and erased so that nothing leads back."""

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pipeline import sweeper
from pipeline.orders import begin
from pipeline.payments import Payment
from pipeline.purchases import Wish
from pipeline.seatlock import client as seatlock
from tests.halls import Hall, change, hall, owner
from tests.people import ANA, BRUNO, CARLA, PASSWORD, Person, bearer, begin_sign_in, local, sign_in
from tests.phones import states, take
from tests.stations import DECLINED, bought, ledger, one, purchase, relay, rows, run_all
from web import trail
from web.accounts import privacy
from web.provider import users

pytestmark = pytest.mark.usefixtures("clean")

Somebody = Callable[[str], tuple[FlaskClient, Person]]


@pytest.fixture
def somebody(app: Flask) -> Somebody:
    """Registers a buyer and signs them in; gives their browser and who they are."""

    def register(name: str) -> tuple[FlaskClient, Person]:
        phone, email = app.test_client(), f"{name.lower()}.{uuid4().hex[:8]}@example.com"
        user = users.add(email, name, PASSWORD)
        assert user is not None
        person = Person(user.sub, email, name)
        sign_in(phone, person)
        return phone, person

    return register


def data_of(phone: FlaskClient) -> Any:
    answer = phone.get("/account/data.json")
    assert answer.status_code == 200
    return answer.get_json()


def over(event: Hall) -> None:
    """The event has been."""
    with owner() as connection:
        connection.execute(
            "UPDATE catalog.events SET starts_at = now() - interval '2 days',"
            " ends_at = now() - interval '1 day' WHERE id = %s",
            [event.id],
        )


def erase(phone: FlaskClient, person: Person) -> Any:
    return phone.post("/account/erase", data={"phrase": person.email})


def traces(*secrets: str) -> list[str]:
    """Every table of ours in which one of these texts stands in any column."""
    tables = rows(
        "SELECT table_schema || '.' || table_name FROM information_schema.tables"
        " WHERE table_schema IN ('catalog', 'orders', 'accounts') AND table_type = 'BASE TABLE'"
    )
    return [
        f"{table}: {text}"
        for (table,) in tables
        for text in secrets
        if one(f"SELECT count(*) FROM {table} AS t WHERE strpos(t::text, %s) > 0", text)
    ]


def test_the_page_says_what_we_know_and_leads_on(somebody: Somebody, app: Flask) -> None:
    phone, dora = somebody("Dora")
    sign_in(app.test_client(), dora)
    page = phone.get("/account").text
    for text in (dora.name, dora.email, "Estás dentro en 2 navegadores", "/account/data.json"):
        assert text in page
    assert 'href="/account"' in phone.get("/orders").text
    assert phone.get("/account").headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", ["/account", "/account/data.json", "/account/erase"])
def test_nobody_sees_it_without_an_account(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Location"][:12]) == (303, "/login?next=")


def test_a_download_has_everything(somebody: Somebody) -> None:
    phone, dora = somebody("Dora")
    event, other = hall(title="Noche"), hall()
    orders = [bought(event, number, person=dora) for number in range(3)]
    run_all()
    purchase(other, other.seats[:1], dora, card=DECLINED)
    take(phone, other, other.seats[1:3])
    answer = phone.get("/account/data.json")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="ticketbuster.json"'
    assert answer.headers["Cache-Control"] == "private, no-store"
    data = answer.get_json()
    assert data["account"] == {
        "sub": dora.sub, "name": "Dora", "email": dora.email, "roles": ["buyer"]
    }  # fmt: skip
    assert [order["order_uuid"] for order in data["orders"]] == orders[::-1]
    first = data["orders"][0]
    assert first["event"]["title"] == "Noche"
    assert first["tickets"][0]["code"]
    assert [step["new_status"] for step in first["history"]] == [
        "PENDING", "PROCESSING", "COMPLETED"
    ]  # fmt: skip
    assert sorted(one["step"] for one in data["purchases"]) == ["PLACED"] * 3 + ["REFUSED"]
    assert {hold["seat_id"] for hold in data["holds"]} >= set(other.seats[1:3])
    assert [session["this_one"] for session in data["sessions"]] == [True]
    assert [deed["action"] for deed in data["deeds"]] == ["data_downloaded", "signed_in"]
    assert "card" not in answer.text


def test_a_download_goes_on_after_a_page_of_orders(
    somebody: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "ORDERS_A_PAGE", 2)
    phone, dora = somebody("Dora")
    event = hall()
    orders = [bought(event, number, person=dora) for number in range(5)]
    assert [order["order_uuid"] for order in data_of(phone)["orders"]] == orders[::-1]
    monkeypatch.setattr(privacy, "ORDERS_MAX", 3)
    assert len(data_of(phone)["orders"]) == 3


def test_nobody_elses_data_is_in_a_download(somebody: Somebody) -> None:
    """Two buyers who do the same in the same halls: no id of the one is in the file of the other."""
    both = [somebody("Dora"), somebody("Elmo")]
    events = [hall() for _ in range(3)]
    for number, event in enumerate(events):
        for place, (phone, person) in enumerate(both):
            bought(event, 2 * number % 4 + place, person=person)
            purchase(event, [event.seats[6 + place]], person, card=DECLINED)
            take(phone, event, [event.seats[8 + place]])
    run_all()
    files = [json.dumps(data_of(phone)) for phone, _ in both]
    for mine, (_, other) in zip(files, both[::-1], strict=True):
        foreign = {other.sub, other.email, other.name} | {
            str(one)
            for query in (
                "SELECT order_uuid FROM orders.purchases WHERE buyer = %s",
                "SELECT idempotency_key FROM orders.purchases WHERE buyer = %s",
                "SELECT ticket_uuid FROM orders.tickets JOIN orders.orders USING (order_uuid) WHERE buyer = %s",
                "SELECT code FROM orders.tickets JOIN orders.orders USING (order_uuid) WHERE buyer = %s",
            )
            for (one,) in rows(query, other.sub)
        }
        assert len(foreign) > 15
        assert {text for text in foreign if text in mine} == set()
        # The same texts are in their owner's file, so the search can find them.
        theirs = files[1 - files.index(mine)]
        assert {text for text in foreign if text not in theirs} == set()


def test_signed_out_everywhere_is_every_browser_of_the_account_alone(
    somebody: Somebody, app: Flask
) -> None:
    (phone, dora), (others, _) = somebody("Dora"), somebody("Elmo")
    second = app.test_client()
    sign_in(second, dora)
    answer = phone.post("/account/sessions/end")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert [one.get("/account").status_code for one in (phone, second, others)] == [303, 303, 200]
    assert one("SELECT count(*) FROM accounts.refresh_tokens WHERE sub = %s", dora.sub) == 0
    assert "Cerramos tus sesiones" in phone.get("/").text
    sign_in(phone, dora)
    assert phone.get("/account").status_code == 200


def test_an_erased_account_leaves_no_trace_and_the_books_add_up(
    somebody: Somebody, app: Flask
) -> None:
    phone, dora = somebody("Dora")
    sign_in(app.test_client(), dora)
    event, other, coming = hall(), hall(), hall()
    key = uuid4().hex
    kept = bought(event, 0, person=dora, key=key)
    cancelled = bought(other, 0, person=dora)
    run_all()
    phone.post(f"/orders/{cancelled}/cancel")
    run_all()
    purchase(event, event.seats[3:4], dora, card=DECLINED)
    take(phone, coming, coming.seats[:2])
    take(phone, coming, coming.seats[4:5])
    phone.post(f"/events/{coming.id}/holds/release", data={"seat": coming.seats[4]})
    change(coming.seats[6:7], status="AVAILABLE", holder=f"account:{dora.sub}")
    mine = bought(event, 1, person=ANA)
    run_all()
    over(event)
    phone.post(begin_sign_in(phone), data={"email": dora.email, "password": PASSWORD})
    before, digest = ledger(), rows("SELECT count(*), sum(total_amount) FROM orders.orders")
    assert set(traces(dora.sub)) > {f"orders.orders: {dora.sub}", f"catalog.seats: {dora.sub}"}

    answer = erase(phone, dora)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert traces(dora.sub, dora.email, key) == []
    assert phone.get("/account").status_code == 303
    assert "Tu cuenta está borrada" in phone.get("/").text

    assert sweeper.check() == []
    assert ledger() == before
    assert rows("SELECT count(*), sum(total_amount) FROM orders.orders") == digest
    (stand_in,) = rows("SELECT DISTINCT buyer FROM orders.orders WHERE buyer <> %s", ANA.sub)[0]
    assert re.fullmatch(r"erased:[0-9a-f-]{36}", stand_in)
    assert {str(uuid) for (uuid,) in rows(
        "SELECT order_uuid FROM orders.orders WHERE buyer = %s", stand_in)} == {kept, cancelled}  # fmt: skip
    assert one("SELECT buyer FROM orders.orders WHERE order_uuid = %s", mine) == ANA.sub
    assert states(coming) == ["A"] * 10
    assert relay().run_once()

    # The log still tells one story, of somebody who has no name.
    story = trail.page(trail.Wanted("account", stand_in), trail.Place(), 99).deeds[::-1]
    actions = [deed.action for deed in story]
    assert (actions[0], actions[-1]) == ("signed_in", "account_erased")
    assert {"order_placed", "order_cancelled"} < set(actions)
    assert {deed.who for deed in story if deed.who != "worker"} == {stand_in}


def test_an_erased_account_is_gone_for_its_owner_too(somebody: Somebody, app: Flask) -> None:
    """Its password, its token, its address: nothing of it opens what was bought."""
    phone, dora = somebody("Dora")
    event = hall()
    order_uuid = bought(event, person=dora)
    run_all()
    over(event)
    token = bearer(dora)
    assert erase(phone, dora).status_code == 303

    again = phone.post(begin_sign_in(phone), data={"email": dora.email, "password": PASSWORD})
    assert again.status_code == 401
    fresh = app.test_client()
    assert fresh.get("/api/orders", headers=token).get_json()["orders"] == []
    assert fresh.get(f"/api/orders/{order_uuid}", headers=token).status_code == 404
    assert one("SELECT count(*) FROM accounts.users WHERE sub = %s", dora.sub) == 0

    there = begin_sign_in(phone).replace("/authorize?", "/register?")
    form = {"name": "Dora", "email": dora.email, "password": "ocho letras"}
    phone.get(local(phone.post(there, data=form).headers["Location"]))
    data = data_of(phone)
    assert data["account"]["email"] == dora.email
    assert (data["orders"], data["purchases"]) == ([], [])
    assert [deed["action"] for deed in data["deeds"]] == [
        "data_downloaded", "signed_in", "registered"
    ]  # fmt: skip


def test_what_is_still_to_come_is_named_and_nothing_is_erased(somebody: Somebody) -> None:
    """Tickets being drawn, tickets to come, money on its way; each in its words."""
    phone, dora = somebody("Dora")
    drawing = bought(hall(title="Aurora"), person=dora)

    def refused(*words: str) -> str:
        answer = erase(phone, dora)
        assert answer.status_code == 409
        for text in words:
            assert text in answer.text
        assert one("SELECT count(*) FROM accounts.users WHERE sub = %s", dora.sub) == 1
        assert one("SELECT buyer FROM orders.orders WHERE order_uuid = %s", drawing) == dora.sub
        return str(answer.text)

    page = refused("Aurora", "se están dibujando", f"/orders/{drawing}")
    assert f"/orders/{drawing}/cancel" not in page
    run_all()
    refused("aún no pasa", f"/orders/{drawing}/cancel")
    phone.post(f"/orders/{drawing}/cancel")
    refused("te estamos devolviendo")
    run_all()
    assert erase(phone, dora).status_code == 303


def test_a_ticket_of_an_event_that_has_begun_waits_for_its_end(somebody: Somebody) -> None:
    phone, dora = somebody("Dora")
    event = hall()
    order_uuid = bought(event, person=dora)
    run_all()
    with owner() as connection:
        connection.execute(
            "UPDATE catalog.events SET starts_at = now() - interval '1 hour' WHERE id = %s",
            [event.id],
        )
    page = phone.get("/account/erase").text
    assert "aún no termina" in page
    assert f"/orders/{order_uuid}/cancel" not in page


def test_a_purchase_under_way_is_waited_for(somebody: Somebody) -> None:
    phone, dora = somebody("Dora")
    event = hall()
    begun = begin(
        dora.sub, "key", Wish(event.id, event.seats[:1], Payment(card_number="4")), uuid4()
    )
    assert begun is not None
    answer = erase(phone, dora)
    assert answer.status_code == 409
    assert "Una compra en marcha" in answer.text
    assert one("SELECT count(*) FROM accounts.users WHERE sub = %s", dora.sub) == 1
    # What slips in between the look and the deed is refused by the statement itself.
    assert not privacy.forget(dora.sub)
    assert one("SELECT count(*) FROM orders.purchases WHERE buyer = %s", dora.sub) == 1


@pytest.mark.parametrize("phrase", ["", "x", "ana@example.com", "á\x00"])
def test_only_who_types_their_address_means_it(somebody: Somebody, phrase: str) -> None:
    phone, dora = somebody("Dora")
    answer = phone.post("/account/erase", data={"phrase": phrase})
    assert answer.status_code == 422
    assert "No se borró nada" in answer.text
    assert phone.get("/account").status_code == 200
    assert (
        phone.post("/account/erase", data={"phrase": f" {dora.email.upper()} "}).status_code == 303
    )


def test_a_token_alone_erases_nothing(client: FlaskClient) -> None:
    for method in (client.get, client.post):
        answer = method("/account/erase", headers=bearer(ANA), data={"phrase": ANA.email})
        assert answer.status_code == 403
    assert one("SELECT count(*) FROM accounts.users WHERE sub = %s", ANA.sub) == 1


def test_an_erasing_that_was_cut_off_is_finished_by_the_next(
    somebody: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seat service is away after the orders were made nobody's; later everything is done."""
    phone, dora = somebody("Dora")
    event, coming = hall(), hall()
    bought(event, person=dora)
    run_all()
    over(event)
    take(phone, coming, coming.seats[:1])
    with monkeypatch.context() as cut:

        def away(_: str) -> list[int]:
            raise seatlock.SeatlockUnreachableError("UNAVAILABLE")

        cut.setattr(seatlock, "forget", away)
        assert erase(phone, dora).status_code == 503
    (first,) = rows("SELECT DISTINCT buyer FROM orders.orders")
    assert phone.get("/account").status_code == 200
    assert erase(phone, dora).status_code == 303
    assert rows("SELECT DISTINCT buyer FROM orders.orders") == [first]
    assert traces(dora.sub, dora.email) == []
    assert states(coming)[0] == "A"


def test_two_who_are_erased_are_not_mixed_up(somebody: Somebody) -> None:
    event = hall()
    for number, name in enumerate(("Dora", "Elmo")):
        _, person = somebody(name)
        bought(event, number, person=person)
    run_all()
    over(event)
    subs = [sub for (sub,) in rows("SELECT DISTINCT buyer FROM orders.orders")]
    assert [privacy.forget(sub) for sub in subs] == [True, True]
    assert one("SELECT count(DISTINCT buyer) FROM orders.orders WHERE buyer ~ '^erased:'") == 2


def test_nobody_elses_holds_are_given_back(somebody: Somebody, app: Flask) -> None:
    phone, dora = somebody("Dora")
    event, bruno = hall(), app.test_client()
    take(bruno, event, event.seats[:1])
    sign_in(bruno, BRUNO)
    seatlock.lock(event.id, event.seats[1:2], f"account:{CARLA.sub}")
    take(phone, event, event.seats[2:3])
    erase(phone, dora)
    assert states(event)[:3] == ["L", "L", "A"]
