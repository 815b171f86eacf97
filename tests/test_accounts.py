"""Signing in and out: tabs, stolen and used things, holds that move, tokens that are refused."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from time import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from psycopg import OperationalError

from pipeline.seatlock import client as seatlock
from pipeline.settings import settings
from tests.halls import Hall, hall
from tests.people import (
    ANA,
    BRUNO,
    PASSWORD,
    bearer,
    begin_sign_in,
    finish_sign_in,
    local,
    sign_in,
    token_of,
)
from tests.stations import one, rows
from web import accounts
from web.accounts.marks import mark
from web.inputs import local_path
from web.provider import keys

pytestmark = pytest.mark.usefixtures("clean")


def me(client: FlaskClient, **headers: str) -> Any:
    return client.get("/api/auth/me", headers=headers)


def cookie(client: FlaskClient) -> str:
    found = client.get_cookie("session")
    assert found
    return str(found.value)


def test_sign_in_leads_back_to_the_page(client: FlaskClient) -> None:
    answer = sign_in(client, ANA, "/orders?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/orders?x=1")
    said = me(client).get_json()
    assert (said["sub"], said["email"], said["roles"]) == (ANA.sub, ANA.email, ["buyer"])
    assert "Ana" in client.get("/orders").text


def test_a_wrong_password_says_so_and_signs_nobody_in(client: FlaskClient) -> None:
    provider = begin_sign_in(client)
    for email, password in ((ANA.email, "wrong"), ("nobody@example.com", PASSWORD), ("", "")):
        answer = client.post(provider, data={"email": email, "password": password})
        assert answer.status_code == 401
        assert "no van juntos" in answer.text
    assert me(client).status_code == 401


def test_the_session_changes_its_id_at_sign_in_and_the_old_one_is_dead(app: Flask) -> None:
    client = app.test_client()
    provider = begin_sign_in(client)
    before = cookie(client)
    finish_sign_in(client, provider, ANA)
    assert cookie(client) != before
    thief = app.test_client()
    thief.set_cookie("session", before)
    assert me(thief).status_code == 401


def test_a_cookie_is_opaque_and_shut(client: FlaskClient) -> None:
    answer = client.get("/login")
    header = answer.headers["Set-Cookie"]
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    assert "Path=/" in header
    assert one("SELECT count(*) FROM accounts.sessions WHERE key = %s",
               accounts.key_of(cookie(client))) == 1  # fmt: skip


def test_three_tabs_finished_in_another_order_all_end_signed_in(client: FlaskClient) -> None:
    """H36."""
    tabs = [begin_sign_in(client, f"/events?q=tab{n}") for n in (1, 2, 3)]
    for n in (2, 1, 3):
        answer = finish_sign_in(client, tabs[n - 1], ANA)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/events?q=tab{n}")
        assert me(client).status_code == 200


def test_two_tabs_that_come_back_at_once_with_the_same_cookie_both_end_signed_in(
    app: Flask,
) -> None:
    client = app.test_client()
    tabs = [begin_sign_in(client, "/orders") for _ in range(2)]
    left_with = cookie(client)
    assert finish_sign_in(client, tabs[0], ANA).status_code == 303
    slow = app.test_client()
    slow.set_cookie("session", left_with)
    assert finish_sign_in(slow, tabs[1], ANA).status_code == 303
    assert me(slow).get_json()["sub"] == ANA.sub
    assert me(client).get_json()["sub"] == ANA.sub


def test_a_tab_that_another_overtook_at_the_last_moment_is_signed_in_too(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other tab's answer changes the session's id after this one has found it."""
    client, slow = app.test_client(), app.test_client()
    tabs = [begin_sign_in(client, "/orders") for _ in range(2)]
    slow.set_cookie("session", cookie(client))
    move_holds = accounts.move_holds

    def overtaken(*arguments: Any) -> bool:
        monkeypatch.setattr(accounts, "move_holds", move_holds)
        finish_sign_in(client, tabs[0], ANA)
        return move_holds(*arguments)

    monkeypatch.setattr(accounts, "move_holds", overtaken)
    assert finish_sign_in(slow, tabs[1], ANA).status_code == 303
    assert me(slow).status_code == 200
    assert me(client).status_code == 200


def callback_of(client: FlaskClient, person: Any = ANA) -> str:
    provider = begin_sign_in(client)
    answer = client.post(provider, data={"email": person.email, "password": PASSWORD})
    return local(answer.headers["Location"])


def test_a_used_callback_gives_a_page(client: FlaskClient) -> None:
    callback = callback_of(client)
    assert client.get(callback).status_code == 303
    again = client.get(callback)
    assert again.status_code == 400
    assert "ya se usó" in again.text
    assert me(client).status_code == 200


@pytest.mark.parametrize(
    "query", ["", "?state=x", "?state=x&code=y", "?error=access_denied", "?code=" + "x" * 9000]
)
def test_a_callback_from_nowhere_gives_a_page(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/login/callback{query}")
    assert answer.status_code == 400
    assert 'href="/login"' in answer.text


def test_a_callback_begun_in_another_browser_signs_nobody_in(app: Flask) -> None:
    """Otherwise Bruno could sign Ana's browser into his own account."""
    bruno, ana = app.test_client(), app.test_client()
    callback = callback_of(bruno, BRUNO)
    ana.get("/login")
    assert ana.get(callback).status_code == 400
    assert me(ana).status_code == 401


@pytest.mark.parametrize(
    "following",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)",
     "/\tevil", "/a\\b", "", "orders", "/" + "x" * 3000],
)  # fmt: skip
def test_nobody_is_led_elsewhere(client: FlaskClient, following: str) -> None:
    assert local_path(following) == "/"
    assert sign_in(client, ANA, following).headers["Location"] == "/"


def held_by_a_visitor(client: FlaskClient, count: int) -> Hall:
    """A hall of which somebody without an account holds the first seats."""
    event = hall()
    take = client.post(f"/events/{event.id}/holds", data={"seat": event.seats[:count]})
    client.post(take.headers["Location"], data={"seat": event.seats[:count]})
    return event


def seatlock_is_away(*_: object) -> None:
    raise seatlock.SeatlockUnreachableError


def test_holds_move_to_the_account(client: FlaskClient) -> None:
    event = held_by_a_visitor(client, 2)
    before = rows(
        "SELECT id, held_until, fence FROM catalog.seats WHERE status = 'LOCKED' ORDER BY id"
    )
    sign_in(client, ANA, f"/events/{event.id}/checkout")
    assert rows(
        "SELECT id, held_until, fence FROM catalog.seats WHERE holder = %s ORDER BY id",
        f"account:{ANA.sub}",
    ) == before  # fmt: skip
    assert "Pagar" in client.get(f"/events/{event.id}/checkout").text


def test_holds_move_later_when_seatlock_is_away(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = held_by_a_visitor(client, 1)
    with monkeypatch.context() as patch:
        patch.setattr(seatlock, "move", seatlock_is_away)
        assert sign_in(client, ANA).status_code == 303
        assert me(client).status_code == 200
        # Nobody says that the seats are gone, or somebody else's, while they wait.
        assert client.get(f"/events/{event.id}/checkout").status_code == 503
        lengthened = f"/api/events/{event.id}/extend-hold"
        assert client.post(lengthened, json={"seat_ids": event.seats[:1]}).status_code == 503
        page = client.get(f"/events/{event.id}")
        assert (page.status_code, page.headers["X-From-Cache"]) == (200, "true")
        # Whose page it is, is known all the same.
        assert page.headers["X-Account"] == mark(ANA.sub)
    accounts._tried.clear()  # noqa: SLF001  five seconds pass
    assert me(client).status_code == 200
    holder = one("SELECT holder FROM catalog.seats WHERE id = %s", event.seats[0])
    assert holder == f"account:{ANA.sub}"


def test_a_move_that_cannot_be_written_down_is_no_error_of_every_page(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = held_by_a_visitor(client, 1)

    def unwritable(*_: object) -> None:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(seatlock, "move", seatlock_is_away)
        sign_in(client, ANA)
        patch.setattr(accounts, "move_holds", unwritable)
        assert client.get("/").status_code == 200
        assert client.get(f"/events/{event.id}").status_code == 200
        assert client.get(f"/events/{event.id}/checkout").status_code == 503
    accounts._tried.clear()  # noqa: SLF001  five seconds pass
    assert "Pagar" in client.get(f"/events/{event.id}/checkout").text


def test_signing_out_ends_the_session_everywhere(app: Flask) -> None:
    client, thief = app.test_client(), app.test_client()
    sign_in(client, ANA)
    thief.set_cookie("session", cookie(client))
    assert client.post("/logout").status_code == 303
    assert me(client).status_code == 401
    assert me(thief).status_code == 401
    assert client.post("/logout").status_code == 303


def test_a_page_of_ones_own_leads_to_sign_in_and_back(client: FlaskClient) -> None:
    """H38: never silence, never a bare error."""
    for path in ("/orders", "/orders?x=y"):
        answer = client.get(path)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/login?next=%2Forders")
    event = hall()
    paid = client.post("/orders", data={"event_id": event.id, "seat": event.seats[:1]})
    assert paid.headers["Location"] == f"/login?next=%2Fevents%2F{event.id}%2Fcheckout"


def test_machines_get_an_address_and_a_cookie(client: FlaskClient) -> None:
    answer = client.post("/api/auth/login", json={"next": "/orders"})
    assert answer.status_code == 200
    provider = local(answer.get_json()["authorization_url"])
    assert finish_sign_in(client, provider, ANA).headers["Location"] == "/orders"
    form = client.post("/api/auth/login", data={"next": "/"})
    assert form.status_code == 303
    assert client.post("/api/auth/logout").status_code == 204
    assert me(client).status_code == 401


# tokens


def claims(**more: Any) -> dict[str, Any]:
    now = int(time())
    return {
        "iss": settings().public_url,
        "aud": "ticketbuster",
        "sub": ANA.sub,
        "iat": now,
        "exp": now + 60,
        **more,
    }


def signed(said: dict[str, Any], key: Any = None, algorithm: str = "RS256", **header: Any) -> str:
    key = key or keys.signing()
    return jwt.encode(
        {"alg": algorithm, "kid": keys.signing().kid, **header}, said, key, algorithms=[algorithm]
    )


def unsigned(said: dict[str, Any], algorithm: str = "none") -> str:
    parts = [{"alg": algorithm, "kid": keys.signing().kid}, said]
    return ".".join([*(encoded(json.dumps(part).encode()) for part in parts), ""])


def by_public_key(said: dict[str, Any]) -> str:
    """HS256 with what everybody knows for a secret; no library makes such a token any more."""
    to_sign = unsigned(said, "HS256").removesuffix(".")
    secret = keys.signing().as_pem(private=False)
    return f"{to_sign}.{encoded(hmac.digest(secret, to_sign.encode(), 'sha256'))}"


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def tampered() -> str:
    head, body, signature = token_of(ANA).split(".")
    said = json.loads(urlsafe_b64decode(body + "=="))
    said["sub"] = BRUNO.sub
    return ".".join([head, encoded(json.dumps(said).encode()), signature])


BAD_TOKENS = {
    "expired": lambda: signed(claims(exp=int(time()) - 5)),
    "not yet valid": lambda: signed(claims(nbf=int(time()) + 600)),
    "of another issuer": lambda: signed(claims(iss="https://evil.example")),
    "for another audience": lambda: signed(claims(aud="somebody-else")),
    "without an end": lambda: signed({k: v for k, v in claims().items() if k != "exp"}),
    "without a subject": lambda: signed({k: v for k, v in claims().items() if k != "sub"}),
    "unsigned": lambda: unsigned(claims()),
    "signed by the public key as a secret": lambda: by_public_key(claims()),
    "signed by another key": lambda: signed(claims(), RSAKey.generate_key(2048)),
    "with an unknown key id": lambda: signed(claims(), RSAKey.generate_key(2048), kid="other"),
    "tampered with": tampered,
    "nonsense": lambda: "x.y.z",
    "empty": lambda: "",
    "huge": lambda: "x" * 20_000,
}


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_a_token_that_is_not_ours_and_valid_is_refused(client: FlaskClient, token: Any) -> None:
    sign_in(client, ANA)
    answer = me(client, Authorization=f"Bearer {token()}")
    assert (answer.status_code, answer.get_json()["error"]) == (401, "unauthenticated")


def test_a_valid_token_says_who_it_is(client: FlaskClient) -> None:
    said = me(client, **bearer(ANA)).get_json()
    assert (said["sub"], said["name"], said["roles"]) == (ANA.sub, "Ana", ["buyer"])
    keycloak = signed(claims(realm_access={"roles": ["operator"]}))
    assert me(client, Authorization=f"Bearer {keycloak}").get_json()["roles"] == ["operator"]


def test_a_bad_token_never_holds_anything(client: FlaskClient) -> None:
    event = hall()
    answer = client.post(
        f"/api/events/{event.id}/lock-seat",
        json={"seat_ids": event.seats[:1]},
        headers={"Authorization": "Bearer x.y.z"},
    )
    assert answer.status_code == 401
    assert one("SELECT status FROM catalog.seats WHERE id = %s", event.seats[0]) == "AVAILABLE"
