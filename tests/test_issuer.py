"""An issuer of one's own over real HTTP: keys that change, what it says of itself, roles, a client without a secret."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from pipeline.settings import settings
from web.accounts import bearer
from web.app import create_app


@dataclass
class Issuer:
    """What a test lets it say."""

    address: str = ""
    keys: list[Any] = field(default_factory=list)
    says: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    asked: list[str] = field(default_factory=list)
    posted: list[tuple[str, dict[str, list[str]], str]] = field(default_factory=list)

    def about(self, path: str) -> Any:
        """The body of an address."""
        if path == "/.well-known/openid-configuration":
            ends = ("authorization", "token", "revocation", "end_session")
            return {
                "issuer": self.address,
                "jwks_uri": f"{self.address}/jwks",
                **{f"{end}_endpoint": f"{self.address}/{end}" for end in ends},
                **self.says,
            }
        return KeySet(self.keys).as_dict(private=False) if path == "/jwks" else self.answer

    def token(self, key: Any = None, header: Any = None, **claims: Any) -> str:
        """A signed access token, of Keycloak's shape where the test says no more."""
        key = key or self.keys[0]
        now = int(time())
        said = {
            "iss": self.address, "aud": ["ticketbuster", "account"], "azp": "boleteria", "sub": "f:1:maria",
            "typ": "Bearer", "iat": now, "exp": now + 60, "name": "María", "email": "maria@people.example",
            "realm_access": {"roles": ["operator", "uma_authorization"]},
        }  # fmt: skip
        said = {name: value for name, value in {**said, **claims}.items() if value is not None}
        algorithm = {"RSA": "RS256", "EC": "ES256", "OKP": "Ed25519"}[key.key_type]
        head = {"alg": algorithm, "typ": "JWT", "kid": key.kid, **(header or {})}
        return jwt.encode(head, said, key, algorithms=[algorithm])


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """It runs on a port of its own."""
    says = Issuer(keys=[RSAKey.generate_key(2048, auto_kid=True)])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            says.asked.append(self.path)
            body = json.dumps(says.about(urlsplit(self.path).path)).encode()
            self.send_response(says.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            form = parse_qs(self.rfile.read(length).decode())
            says.posted.append((self.path, form, self.headers.get("Authorization", "")))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    says.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield says
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """Our web, with that issuer by nothing but its environment."""
    monkeypatch.setenv("OIDC_ISSUER", issuer.address)
    monkeypatch.setenv("OIDC_CLIENT_ID", "boleteria")
    monkeypatch.setenv("PAYMENTS", "simulated")
    monkeypatch.setenv("RATE_LIMITS", "on")
    settings.cache_clear()
    app: Flask = create_app()
    app.testing = True
    yield app.test_client()
    monkeypatch.undo()
    settings.cache_clear()


def me(client: FlaskClient, token: str) -> Any:
    return client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})


def test_keycloaks_roles_become_ours_and_no_others(client: FlaskClient, issuer: Issuer) -> None:
    said = me(client, issuer.token()).get_json()
    assert (said["sub"], said["name"], said["roles"]) == ("f:1:maria", "María", ["operator"])
    plain = issuer.token(roles=["steward", "root", 7, None], realm_access=None)
    assert me(client, plain).get_json()["roles"] == ["steward"]
    for odd in ("operator", {"operator": True}, 7, [["operator"]], {"roles": "operator"}):
        both = issuer.token(roles=odd, realm_access=odd)
        assert me(client, both).get_json()["roles"] == []


@pytest.mark.parametrize(
    "wrong",
    [{"azp": "another-client"}, {"azp": None, "client_id": "another-client"}, {"aud": "account"},
     {"aud": ["account", "other"]}, {"aud": None}, {"iss": "http://127.0.0.1:1"}, {"typ": "ID"}, {"typ": "Refresh"},
     {"typ": None, "nonce": "n"}, {"typ": None, "at_hash": "h"}, {"sub": 7}, {"sub": ""}, {"sub": "x" * 300},
     {"sub": "a\x00b"}, {"sub": ["x"]}, {"exp": "soon"}, {"exp": 10**30}, {"nbf": 10**10}, {"iat": 10**10}],
    ids=str,
)  # fmt: skip
def test_a_token_for_somebody_else_or_something_else_is_refused(
    client: FlaskClient, issuer: Issuer, wrong: dict[str, Any]
) -> None:
    answer = me(client, issuer.token(**wrong))
    assert (answer.status_code, answer.get_json()["error"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header",
    [{"typ": "at+jwt"}, {"typ": "application/at+jwt"}, {"typ": "dpop+jwt"}, {"typ": "logout+jwt"},
     {"kid": "../../etc/passwd"}, {"kid": "x" * 5000}],
    ids=str,
)  # fmt: skip
def test_a_header_says_what_the_token_is(
    client: FlaskClient, issuer: Issuer, header: dict[str, Any]
) -> None:
    right = str(header.get("typ", "")).endswith("at+jwt")
    assert me(client, issuer.token(header=header)).status_code == (200 if right else 401)


@pytest.mark.parametrize("key", [
    ECKey.generate_key("P-256", auto_kid=True), OKPKey.generate_key("Ed25519", auto_kid=True),
], ids=["ES256", "Ed25519"])  # fmt: skip
def test_other_kinds_of_public_keys_are_good_too(
    client: FlaskClient, issuer: Issuer, key: Any
) -> None:
    issuer.keys = [key]
    assert me(client, issuer.token()).status_code == 200


def test_a_new_key_is_found_and_a_stranger_cannot_make_us_ask_all_the_time(
    client: FlaskClient, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bearer, "REFETCH_S", 0.0)
    assert me(client, issuer.token()).status_code == 200
    issuer.keys.insert(0, RSAKey.generate_key(2048, auto_kid=True))
    assert me(client, issuer.token()).status_code == 200
    monkeypatch.setattr(bearer, "REFETCH_S", 60.0)
    stranger = RSAKey.generate_key(2048, auto_kid=True)
    assert me(client, issuer.token(stranger)).status_code == 401
    before = issuer.asked.count("/jwks")
    for _ in range(5):
        assert me(client, issuer.token(stranger)).status_code == 401
    assert issuer.asked.count("/jwks") == before


def test_a_withdrawn_key_counts_no_more_but_an_issuer_that_is_away_withdraws_nothing(
    client: FlaskClient, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = issuer.keys[0]
    monkeypatch.setattr(bearer, "KEYS_S", 0.0)
    monkeypatch.setattr(bearer, "REFETCH_S", 0.0)
    assert me(client, issuer.token(old, jti="1")).status_code == 200
    issuer.status = 500
    assert me(client, issuer.token(old, jti="2")).status_code == 200
    issuer.status = 200
    issuer.keys = [RSAKey.generate_key(2048, auto_kid=True)]
    assert me(client, issuer.token(old, jti="3")).status_code == 401


def test_while_the_issuer_was_never_heard_a_token_cannot_be_judged(
    client: FlaskClient, issuer: Issuer
) -> None:
    issuer.status = 503
    answer = me(client, issuer.token())
    assert (answer.status_code, answer.get_json()["error"]) == (503, "busy")
    assert client.get("/login").status_code == 503
    assert client.get("/").status_code == 200


def test_an_issuer_that_says_it_is_another_is_not_believed(
    client: FlaskClient, issuer: Issuer
) -> None:
    issuer.says = {"issuer": "https://evil.example"}
    assert client.get("/login").status_code == 503
    assert me(client, issuer.token()).status_code == 503


def signing_in(client: FlaskClient) -> dict[str, str]:
    asked = client.get("/login?next=/orders").headers["Location"]
    return {name: value for name, [value] in parse_qs(urlsplit(asked).query).items()}


def id_token(issuer: Issuer, asked: dict[str, str], key: Any = None, **more: Any) -> str:
    claims = {"aud": "boleteria", "nonce": asked["nonce"], "typ": None, "azp": None, **more}
    return issuer.token(key, **claims)


def come_back(client: FlaskClient, asked: dict[str, str], **more: str) -> Any:
    return client.get(
        "/login/callback", query_string={"state": asked["state"], "code": "c", **more}
    )


def test_a_client_without_a_secret_shows_none(client: FlaskClient, issuer: Issuer) -> None:
    asked = signing_in(client)
    assert asked["code_challenge_method"] == "S256"
    issuer.answer = {
        "access_token": "opaque", "token_type": "Bearer", "expires_in": 300,
        "id_token": id_token(issuer, asked),
    }  # fmt: skip
    assert come_back(client, asked, iss=issuer.address).headers["Location"] == "/orders"
    path, form, shown = issuer.posted[0]
    assert (path, form["client_id"], shown) == ("/token", ["boleteria"], "")
    assert "client_secret" not in form
    assert len(form["code_verifier"][0]) >= 43
    out = urlsplit(client.post("/logout").headers["Location"])
    assert f"{out.scheme}://{out.netloc}{out.path}" == f"{issuer.address}/end_session"
    assert parse_qs(out.query) == {
        "client_id": ["boleteria"],
        "post_logout_redirect_uri": [f"{settings().public_url}/"],
    }


def operator_signs_in(client: FlaskClient, issuer: Issuer) -> None:
    """Maria's roles stand in the access token alone; a refresh token r1 comes with it."""
    asked = signing_in(client)
    issuer.answer = {
        "access_token": issuer.token(), "token_type": "Bearer", "expires_in": 300,
        "id_token": id_token(issuer, asked, realm_access=None), "refresh_token": "r1",
    }  # fmt: skip
    assert come_back(client, asked).status_code == 303


def test_roles_of_the_access_token_count_at_sign_in(client: FlaskClient, issuer: Issuer) -> None:
    """Keycloak's ID token says nothing of roles unless somebody tells it to."""
    operator_signs_in(client, issuer)
    assert client.get("/api/auth/me").get_json()["roles"] == ["operator"]
    client.post("/api/auth/logout")
    assert ("/revocation", ["r1"]) in [(path, form.get("token")) for path, form, _ in issuer.posted]


@pytest.mark.parametrize("wrong", [
    {"nonce": "another"}, {"aud": "other"}, {"iss": "https://evil.example"}, {"exp": 1}, {"sub": None},
    {"sub": "somebody else's"}, {"at_hash": "not of this access token"}, {"exp": 10**18}, {"exp": float("inf")},
], ids=str)  # fmt: skip
def test_an_id_token_that_is_not_for_this_sign_in_signs_nobody_in(
    client: FlaskClient, issuer: Issuer, wrong: dict[str, Any]
) -> None:
    asked = signing_in(client)
    issuer.answer = {
        "access_token": issuer.token(), "token_type": "Bearer", "expires_in": 300,
        "id_token": id_token(issuer, asked, **wrong),
    }  # fmt: skip
    assert come_back(client, asked).status_code == 401
    assert client.get("/api/auth/me").status_code == 401


def test_an_answer_of_another_issuer_signs_nobody_in(client: FlaskClient, issuer: Issuer) -> None:
    asked = signing_in(client)
    assert come_back(client, asked, iss="https://evil.example").status_code == 400
    assert issuer.posted == []


def test_an_issuer_cannot_make_us_take_a_shared_secret_or_no_signature(
    client: FlaskClient, issuer: Issuer
) -> None:
    issuer.says = {"id_token_signing_alg_values_supported": ["none", "HS256", "RS256"]}
    asked = signing_in(client)
    head, body, _ = id_token(issuer, asked).split(".")
    from base64 import urlsafe_b64encode

    none = urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for forged in (f"{none}.{body}.", f"{head}.{body}."):
        issuer.answer = {"access_token": "a", "token_type": "Bearer", "id_token": forged}
        assert come_back(client, asked).status_code == 401
        asked = signing_in(client)


@pytest.mark.parametrize("answer", [
    {"error": "invalid_grant"}, {"error": "server_error"}, [], "text", {"access_token": "a", "token_type": "Bearer"},
    {"access_token": "a", "id_token": 7, "token_type": "Bearer"},
], ids=str)  # fmt: skip
def test_a_strange_answer_signs_nobody_in(client: FlaskClient, issuer: Issuer, answer: Any) -> None:
    asked = signing_in(client)
    issuer.answer = answer
    assert come_back(client, asked).status_code in (401, 503)
    assert client.get("/api/auth/me").status_code == 401
