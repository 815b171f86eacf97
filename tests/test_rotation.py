"""An issuer that gives new keys and refresh tokens: nothing is lost on the way, and no role outlives it."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey

from tests.halls import owner
from tests.stations import one
from tests.test_issuer import (
    Issuer,
    client,
    issuer,
    me,
    operator_signs_in,
)
from web.accounts import bearer, vault

__all__ = ["client", "issuer"]


def signed_in(client: FlaskClient, issuer: Issuer) -> None:
    operator_signs_in(client, issuer)
    assert roles(client) == ["operator"]


def roles(client: FlaskClient) -> Any:
    answer = client.get("/api/auth/me")
    assert answer.status_code == 200
    return answer.get_json()["roles"]


def grow_stale() -> None:
    with owner() as connection:
        connection.execute(
            "UPDATE accounts.sessions SET fresh_until = now() - interval '1 s', refreshing_until = NULL"
        )


def kept() -> str | None:
    newest = "SELECT refresh_token FROM accounts.sessions ORDER BY created_at DESC LIMIT 1"
    return vault.unseal(one(newest))


def answer(issuer: Issuer, refresh_token: str, **claims: Any) -> None:
    issuer.answer = {
        "access_token": issuer.token(**claims), "token_type": "Bearer", "expires_in": 300,
        "refresh_token": refresh_token,
    }  # fmt: skip


def test_a_refresh_token_is_kept_though_the_keys_do_not_come(
    client: FlaskClient, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in(client, issuer)
    grow_stale()
    issuer.keys = [RSAKey.generate_key(2048, auto_kid=True)]
    answer(issuer, "r2")
    with monkeypatch.context() as patch:
        patch.setattr("web.accounts.issuer.keys", lambda: {"keys": "none"})
        bearer.keys_of(issuer.address)._hasty_at = 0.0  # noqa: SLF001  a second passes
        assert roles(client) == ["operator"], "as it was said last"
    assert kept() == "r2", "the one before is used up"
    grow_stale()
    answer(issuer, "r3", realm_access={"roles": ["steward"]})
    bearer.keys_of(issuer.address)._hasty_at = 0.0  # noqa: SLF001
    assert roles(client) == ["steward"]
    assert kept() == "r3"
    posted = [form["refresh_token"] for _, form, _ in issuer.posted if "refresh_token" in form]
    assert posted == [["r1"], ["r2"]]


def test_a_token_without_a_role_takes_the_roles_away(client: FlaskClient, issuer: Issuer) -> None:
    """Keycloak leaves the claim out where there is nothing to say."""
    signed_in(client, issuer)
    grow_stale()
    answer(issuer, "r2", realm_access=None)
    assert roles(client) == []


def test_what_nobody_can_read_takes_nothing_away(client: FlaskClient, issuer: Issuer) -> None:
    signed_in(client, issuer)
    grow_stale()
    issuer.answer = {"access_token": "opaque", "token_type": "Bearer", "refresh_token": "r2"}
    assert roles(client) == ["operator"]


def test_a_key_that_is_a_moment_old_is_asked_for_or_said_to_be_unknown_yet(
    client: FlaskClient, issuer: Issuer
) -> None:
    """Whoever is told that their token is bad throws it away."""
    signed_in(client, issuer)
    assert me(client, issuer.token(RSAKey.generate_key(2048, auto_kid=True))).status_code == 503
    issuer.keys = [RSAKey.generate_key(2048, auto_kid=True)]
    later = me(client, issuer.token())
    assert (later.status_code, later.headers["Retry-After"]) == (503, "2")
    grow_stale()
    answer(issuer, "r2", realm_access={"roles": ["steward"]})
    bearer.keys_of(issuer.address)._hasty_at = 0.0  # noqa: SLF001  a second passes
    assert roles(client) == ["steward"], "what the issuer itself gives is looked up at once"
    assert me(client, issuer.token()).status_code == 200
