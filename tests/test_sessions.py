"""A session asks its issuer again: what is renewed, what ends, and what nobody can read or use twice."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from psycopg import OperationalError

from pipeline.settings import settings
from tests.halls import hall, owner
from tests.people import ANA, BRUNO, OLGA, bearer, sign_in
from tests.stations import one, rows
from web import accounts
from web.accounts import issuer, tokens, vault
from web.accounts.bearer import Claims
from web.provider import keys

pytestmark = pytest.mark.usefixtures("clean")


@pytest.fixture(autouse=True)
def _roles_as_they_were() -> Iterator[None]:
    yield
    change("UPDATE accounts.users SET roles = '{buyer}', name = 'Ana' WHERE sub = %s", ANA.sub)


def change(statement: str, *parameters: object) -> None:
    with owner() as connection:
        connection.execute(statement.encode(), parameters)


def me(client: FlaskClient, **headers: str) -> Any:
    return client.get("/api/auth/me", headers=headers)


def key_of(client: FlaskClient) -> bytes:
    found = client.get_cookie("session")
    assert found
    return accounts.key_of(str(found.value))


def grow_stale(client: FlaskClient) -> None:
    """A quarter of an hour passes."""
    change(
        "UPDATE accounts.sessions SET fresh_until = now() - interval '1 s' WHERE key = %s",
        key_of(client),
    )


def refresh_token_of(client: FlaskClient) -> str:
    sealed = one("SELECT refresh_token FROM accounts.sessions WHERE key = %s", key_of(client))
    token = vault.unseal(sealed)
    assert token
    return token


def test_a_stale_session_asks_again_and_says_what_is_true_now(client: FlaskClient) -> None:
    sign_in(client, ANA)
    first = refresh_token_of(client)
    change(
        "UPDATE accounts.users SET roles = '{buyer,steward}', name = 'Ana María' WHERE sub = %s",
        ANA.sub,
    )
    assert me(client).get_json()["roles"] == ["buyer"]
    grow_stale(client)
    said = me(client).get_json()
    assert (said["roles"], said["name"]) == (["buyer", "steward"], "Ana María")
    assert refresh_token_of(client) != first
    assert rows("SELECT 1 FROM accounts.sessions WHERE key = %s AND fresh_until > now()",
                key_of(client))  # fmt: skip


def test_an_account_that_is_gone_is_signed_out_at_the_next_question(
    client: FlaskClient, app: Flask
) -> None:
    sign_in(client, ANA)
    change("DELETE FROM accounts.refresh_tokens WHERE sub = %s", ANA.sub)
    assert me(client).status_code == 200
    grow_stale(client)
    assert me(client).status_code == 401
    assert client.get("/orders").status_code == 303
    assert rows("SELECT 1 FROM accounts.sessions WHERE key = %s", key_of(client)) == []


def test_while_the_issuer_does_not_answer_nobody_is_signed_out(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client, ANA)
    kept = refresh_token_of(client)

    def away(*_: object, **__: object) -> None:
        raise requests.ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(issuer, "ask", away)
        grow_stale(client)
        assert me(client).status_code == 200
        assert client.post("/api/auth/refresh").status_code == 200, "somebody asks already"
    assert refresh_token_of(client) == kept
    change("UPDATE accounts.sessions SET refreshing_until = now() WHERE key = %s", key_of(client))
    assert me(client).status_code == 200
    assert refresh_token_of(client) != kept


@pytest.mark.parametrize("address", ["/events/{}/holds", "/events/{}/holds/best", "/api/events/{}/lock-seat"])  # fmt: skip
def test_while_nobody_can_be_recognised_a_hold_overwrites_no_cookie(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """A shortage of a moment would sign the account out, and part it from its holds."""
    event = hall()
    sign_in(client, ANA)

    def away() -> None:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(accounts, "session", away)
        body = {"json": {"seat_ids": event.seats[:1]}} if "api" in address else {}
        answer = client.post(address.format(event.id), **body)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "Set-Cookie" not in answer.headers
    assert me(client).status_code == 200


def test_many_tabs_at_once_ask_once_and_all_stay_signed_in(client: FlaskClient, app: Flask) -> None:
    sign_in(client, ANA)
    grow_stale(client)
    given = one("SELECT count(*) FROM accounts.refresh_tokens WHERE sub = %s", ANA.sub)
    token = client.get_cookie("session")
    assert token

    def tab(_: int) -> int:
        other = app.test_client()
        other.set_cookie("session", str(token.value))
        return int(me(other).status_code + other.post("/api/auth/refresh").status_code)

    with ThreadPoolExecutor(8) as tabs:
        assert set(tabs.map(tab, range(16))) == {400}
    asked = one("SELECT count(*) FROM accounts.refresh_tokens WHERE sub = %s", ANA.sub) - given
    assert 1 <= asked <= 17
    assert me(client).status_code == 200
    used = one("SELECT count(*) FROM accounts.refresh_tokens WHERE sub = %s AND used_at IS NULL",
               ANA.sub)  # fmt: skip
    assert used >= 1


def test_a_session_never_outlives_its_longest(client: FlaskClient) -> None:
    sign_in(client, ANA)
    change("UPDATE accounts.sessions SET signed_in_at = now() - interval '89 days 23 hours',"
          " created_at = now() - interval '90 days' WHERE key = %s", key_of(client))  # fmt: skip
    assert client.post("/api/auth/refresh").status_code == 200
    left = one("SELECT extract(epoch FROM expires_at - now()) FROM accounts.sessions WHERE key = %s",
               key_of(client))  # fmt: skip
    assert 0 < left < 3_700


def test_renewing_moves_the_end_and_says_it(client: FlaskClient) -> None:
    assert client.post("/api/auth/refresh").status_code == 401
    client.post("/api/auth/login", json={})
    assert client.post("/api/auth/refresh").status_code == 401, "a visitor has nothing to renew"
    sign_in(client, ANA)
    change("UPDATE accounts.sessions SET expires_at = now() + interval '1 day' WHERE key = %s",
          key_of(client))  # fmt: skip
    before = me(client).get_json()["expires_at"]
    answer = client.post("/api/auth/refresh")
    assert answer.status_code == 200
    assert answer.get_json()["expires_at"] > before
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_refresh_token_is_changed_for_a_pair_and_good_once(client: FlaskClient) -> None:
    sign_in(client, BRUNO)
    first = refresh_token_of(client)
    pair = client.post("/api/auth/refresh", json={"refresh_token": first}).get_json()
    assert set(pair) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert pair["expires_in"] == 900
    assert me(client, Authorization=f"Bearer {pair['access_token']}").get_json()["sub"] == BRUNO.sub
    thief = client.post("/api/auth/refresh", json={"refresh_token": first})
    assert (thief.status_code, thief.get_json()["error"]) == (401, "unauthenticated")
    # A second use means that two have it: nothing of the family is good any more.
    robbed = client.post("/api/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    assert robbed.status_code == 401
    grow_stale(client)
    assert me(client).status_code == 401


def test_a_refresh_token_of_another_family_is_not_harmed(client: FlaskClient, app: Flask) -> None:
    other = app.test_client()
    sign_in(client, BRUNO)
    sign_in(other, BRUNO)
    first = refresh_token_of(client)
    for _ in range(2):
        client.post("/api/auth/refresh", json={"refresh_token": first})
    grow_stale(client)
    grow_stale(other)
    assert me(client).status_code == 401
    assert me(other).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [({"refresh_token": "x"}, 401), ({"refresh_token": "\ud83c\x00"}, 401), ({"refresh_token": ""}, 422),
     ({"refresh_token": 7}, 422), ({"refresh_token": "x" * 9_000}, 422), ({}, 422), ([], 422)],
)  # fmt: skip
def test_what_is_no_refresh_token_is_refused(
    client: FlaskClient, body: object, status: int
) -> None:
    assert client.post("/api/auth/refresh", json=body).status_code == status


def test_signing_out_ends_the_refresh_token_too(client: FlaskClient) -> None:
    for leave in ("/logout", "/api/auth/logout"):
        sign_in(client, BRUNO)
        token, key = refresh_token_of(client), key_of(client)
        assert client.post(leave).status_code in (204, 303)
        again = client.post("/api/auth/refresh", json={"refresh_token": token})
        assert again.status_code == 401
        assert rows("SELECT 1 FROM accounts.sessions WHERE key = %s", key) == []


def test_a_refresh_token_in_the_body_is_signed_out(client: FlaskClient) -> None:
    sign_in(client, BRUNO)
    pair = client.post(
        "/api/auth/refresh", json={"refresh_token": refresh_token_of(client)}
    ).get_json()
    client.delete_cookie("session")
    gone = client.post("/api/auth/logout", json={"refresh_token": pair["refresh_token"]})
    assert gone.status_code == 204
    assert client.post("/api/auth/refresh", json=pair | {"x": 1}).status_code == 401


def test_tokens_lie_encrypted_and_never_reach_the_browser(client: FlaskClient) -> None:
    answer = sign_in(client, ANA)
    sealed = one("SELECT refresh_token FROM accounts.sessions WHERE key = %s", key_of(client))
    token = refresh_token_of(client)
    assert token.encode() not in bytes(sealed)
    assert rows("SELECT 1 FROM accounts.refresh_tokens WHERE token = %s", token.encode()) == []
    seen = json.dumps(list(answer.headers)) + client.get("/orders").text + me(client).text
    assert token not in seen
    assert "eyJ" not in seen


def test_with_another_secret_key_a_session_asks_for_a_new_sign_in() -> None:
    sealed = vault.seal("token")
    assert vault.unseal(sealed) == "token"
    assert vault.unseal(b"something else") is None
    assert vault.unseal(None) is None
    assert vault.seal(None) is None


def test_a_session_counts_only_for_its_issuer(client: FlaskClient) -> None:
    """A tunnel's new address is a new issuer: old sessions end, and nothing breaks."""
    sign_in(client, ANA)
    change("UPDATE accounts.sessions SET issuer = 'https://before.example' WHERE key = %s",
          key_of(client))  # fmt: skip
    assert me(client).status_code == 401
    assert client.get("/").status_code == 200
    assert client.post("/logout").headers["Location"] == "/"
    sign_in(client, ANA)
    assert me(client).status_code == 200


def test_an_end_without_renewal_comes_soon_where_nobody_can_be_asked() -> None:
    grant = tokens.Grant(
        Claims("x", "X", "x@example.com", frozenset(), datetime.now(UTC)),
        "", None, 900,
    )  # fmt: skip
    assert grant.columns()["lifetime"] == tokens.UNASKED_S < tokens.LIFETIME_S


def test_a_code_used_twice_ends_what_came_of_it(client: FlaskClient, app: Flask) -> None:
    from tests.test_provider import change as changed
    from tests.test_provider import code

    given = code(client)
    first = changed(client, given).get_json()
    assert changed(client, given).status_code == 400
    robbed = client.post(
        "/provider/token",
        data={"grant_type": "refresh_token", "refresh_token": first["refresh_token"]},
        auth=("ticketbuster", keys.client_secret()),
    )
    assert (robbed.status_code, robbed.get_json()["error"]) == (400, "invalid_grant")


def test_a_refresh_token_without_the_clients_secret_is_worth_nothing(client: FlaskClient) -> None:
    sign_in(client, OLGA)
    token = refresh_token_of(client)
    for secret in ("", "x", settings().secret_key):
        for address in ("/provider/token", "/provider/revoke"):
            answer = client.post(
                address,
                data={"grant_type": "refresh_token", "refresh_token": token, "token": token},
                auth=("ticketbuster", secret),
            )
            assert answer.status_code in (400, 401)
    grow_stale(client)
    assert me(client).status_code == 200
    assert me(client, **bearer(OLGA)).status_code == 200


def test_while_sessions_cannot_be_read_nobody_is_told_that_their_seats_are_gone(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout without seats, an end of the hold, or nothing given back would all be untrue."""
    event = hall()
    sign_in(client, ANA)
    seats = event.seats[:2]
    assert client.post(f"/events/{event.id}/holds", data={"seat": seats}).status_code == 303

    def away() -> None:
        raise OperationalError

    monkeypatch.setattr(accounts, "session", away)
    body = {"seat_ids": seats}
    pages = (
        client.get(f"/events/{event.id}/checkout"),
        client.post(f"/events/{event.id}/holds", data={"seat": event.seats[2:3]}),
        client.post(f"/events/{event.id}/holds/best", data={"count": "1"}),
        client.post(f"/events/{event.id}/holds/release"),
        client.post(f"/events/{event.id}/holds/extend"),
    )
    for answer in (
        *pages,
        client.post(f"/api/events/{event.id}/lock-seat", json=body),
        client.post(f"/api/events/{event.id}/unlock-seat", json=body),
        client.post(f"/api/events/{event.id}/extend-hold", json=body),
    ):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2"), (
            answer.request.path
        )
    for answer in pages:
        assert "lo que tenías sigue como estaba" in answer.text
    assert "Probar otra vez" in pages[0].text
    part = client.get(f"/events/{event.id}", headers={"HX-Request": "true"})
    assert part.status_code == 503
    page = client.get(f"/events/{event.id}")
    assert (page.status_code, page.headers["X-From-Cache"]) == (200, "true")
    monkeypatch.undo()
    checkout = client.get(f"/events/{event.id}/checkout").text
    assert [f'name="seat" value="{seat}"' in checkout for seat in seats] == [True, True]
    assert "X-From-Cache" not in client.get(f"/events/{event.id}").headers
