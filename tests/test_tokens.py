"""Tokens made by hand: each trick that a JWT allows, tried on the API; refused, and never a failure of ours."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from time import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask.testing import FlaskClient
from joserfc import jwe, jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from pipeline.settings import settings
from tests.people import ANA, BRUNO, token_of
from web.provider import keys

STRANGER = RSAKey.generate_key(2048, auto_kid=True)


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**more: Any) -> dict[str, Any]:
    now = int(time())
    return {
        "iss": settings().public_url, "aud": "ticketbuster", "sub": ANA.sub, "roles": ["buyer"],
        "iat": now, "exp": now + 60, **more,
    }  # fmt: skip


def by_hand(head: Any = None, body: Any = None, key: RSAKey | None = None) -> str:
    """A token that no library would make, with a signature that is right (of our key, unless said)."""
    head = {"alg": "RS256", "kid": keys.signing().kid} if head is None else head
    body = claims() if body is None else body
    parts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in (head, body)]
    to_sign = ".".join(encoded(part) for part in parts)
    pem = (key or keys.signing()).as_pem(private=True)
    private = serialization.load_pem_private_key(pem, None)
    assert isinstance(private, rsa.RSAPrivateKey)
    signature = private.sign(to_sign.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{to_sign}.{encoded(signature)}"


def head(**more: Any) -> dict[str, Any]:
    return {"alg": "RS256", "kid": keys.signing().kid, **more}


def public_of(key: Any) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


def encrypted() -> str:
    to = RSAKey.import_key(keys.signing().as_pem(private=False))
    return str(jwe.encrypt_compact({"alg": "RSA-OAEP", "enc": "A256GCM"}, json.dumps(claims()), to))


def of_another_kind() -> str:
    """ES256 under the id of our RSA key."""
    key = ECKey.generate_key("P-256")
    return str(jwt.encode({"alg": "ES256", "kid": keys.signing().kid}, claims(), key))


def under_an_empty_secret() -> str:
    key = OctKey.import_key("a" * 32)
    return str(jwt.encode({"alg": "HS256", "kid": keys.signing().kid}, claims(), key))


def told_its_key(**how: Any) -> Callable[[], str]:
    """Signed by a stranger, whose key the header brings along."""
    return lambda: by_hand({"alg": "RS256", **how}, key=STRANGER)


EVIL = "http://127.0.0.1:9/jwks"
BAD: dict[str, Callable[[], str]] = {
    "its own key in the header": told_its_key(jwk=public_of(STRANGER)),
    "its own key under our id": told_its_key(jwk=public_of(STRANGER), kid="ours"),
    "the address of its own keys": told_its_key(jku=EVIL, kid=STRANGER.kid),
    "the address of a certificate": told_its_key(x5u=EVIL, kid=STRANGER.kid),
    "a certificate": told_its_key(x5c=["MIIB"], kid=STRANGER.kid),
    "no key id and a stranger's signature": told_its_key(),
    "a key id that is a path": told_its_key(kid="../../provider-key.pem"),
    "a key id that is a query": told_its_key(kid="x' OR '1'='1"),
    "a key id that is a list": lambda: by_hand(head(kid=["x"])),
    "a key id that is null": told_its_key(kid=None),
    "something critical that nobody knows": lambda: by_hand(head(crit=["evil"], evil=1)),
    "an unencoded payload": lambda: by_hand(head(crit=["b64"], b64=False)),
    "encrypted": encrypted,
    "another kind of key under our id": of_another_kind,
    "a shared secret": under_an_empty_secret,
    "alg None": lambda: by_hand(head(alg="None")),
    "alg nOnE": lambda: by_hand(head(alg="nOnE")),
    "alg a list": lambda: by_hand(head(alg=["RS256"])),
    "alg missing": lambda: by_hand({"kid": keys.signing().kid}),
    "alg RS1": lambda: by_hand(head(alg="RS1")),
    "alg PS256 under an RS256 signature": lambda: by_hand(head(alg="PS256")),
    "typ a number": lambda: by_hand(head(typ=7)),
    "a header that is a list": lambda: by_hand(b"[]"),
    "a header that is no JSON": lambda: by_hand(b"{"),
    "a header as deep as a well": lambda: by_hand(b"[" * 4_000),
    "objects as deep as a well": lambda: by_hand(b'{"a":' * 1_000),
    "a header of a huge number": lambda: by_hand(b'{"alg":' + b"9" * 5_000 + b"}"),
    "a header in Latin": lambda: by_hand('{"alg":"RS256","ñ":1}'.encode("latin-1")),
    "half of an emoji": lambda: by_hand(b'{"alg":"RS256","kid":"\\ud83c"}'),
    "a body that is a list": lambda: by_hand(body=[]),
    "a body that is null": lambda: by_hand(body=b"null"),
    "a body that is no JSON": lambda: by_hand(body=b"sub=ana"),
    "a body as deep as a well": lambda: by_hand(body=b"[" * 4_000),
    "an end beyond all calendars": lambda: by_hand(body=claims(exp=10**18)),
    "an end that is no number": lambda: by_hand(body=claims(exp="tomorrow")),
    "an end that is nothing": lambda: by_hand(body=claims(exp=None)),
    "an end that is true": lambda: by_hand(body=claims(exp=True)),
    "an end that never comes": lambda: by_hand(body=claims(exp=float("inf"))),
    "an end that is no number at all": lambda: by_hand(body=claims(exp=float("nan"))),
    "issued tomorrow": lambda: by_hand(body=claims(iat=int(time()) + 86_400)),
    "good from tomorrow on": lambda: by_hand(body=claims(nbf=int(time()) + 86_400)),
    "an issuer that is a list": lambda: by_hand(body=claims(iss=[settings().public_url])),
    "an issuer with a slash more": lambda: by_hand(body=claims(iss=f"{settings().public_url}/")),
    "an audience that is an object": lambda: by_hand(body=claims(aud={"ticketbuster": 1})),
    "an audience that begins like ours": lambda: by_hand(body=claims(aud="ticketbuster2")),
    "an audience inside a list": lambda: by_hand(body=claims(aud=[["ticketbuster"]])),
    "a subject that is an object": lambda: by_hand(body=claims(sub={"$ne": None})),
    "a subject with a line of its own": lambda: by_hand(body=claims(sub="ana\nadmin")),
    "a subject that turns letters": lambda: by_hand(body=claims(sub="\u202eana")),
    "half of a subject's emoji": lambda: by_hand(body=claims(sub="\ud83c")),
    "a client that is a list": lambda: by_hand(body=claims(azp=["ticketbuster"])),
    "no signature": lambda: token_of(ANA).rpartition(".")[0] + ".",
    "two parts": lambda: token_of(ANA).rpartition(".")[0],
    "four parts": lambda: token_of(ANA) + ".x",
    "the signature of another token": lambda: ".".join(
        [*token_of(ANA).split(".")[:2], token_of(BRUNO).split(".")[2]]
    ),
    "dots alone": lambda: "..",
    "a comma and a second one": lambda: f"{token_of(ANA)}, Bearer {token_of(BRUNO)}",
    "a second word": lambda: f"{token_of(ANA)} {token_of(BRUNO)}",
}  # fmt: skip


def me(client: FlaskClient, authorization: str) -> Any:
    return client.get("/api/auth/me", headers={"Authorization": authorization})


@pytest.mark.parametrize("token", BAD.values(), ids=BAD.keys())
def test_a_trick_is_refused(client: FlaskClient, token: Callable[[], str]) -> None:
    answer = me(client, f"Bearer {token()}")
    assert (answer.status_code, answer.get_json()["error"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_same_made_honestly_is_taken(client: FlaskClient) -> None:
    """Otherwise all of the above could be refused for some other reason."""
    assert me(client, f"Bearer {by_hand()}").get_json()["sub"] == ANA.sub
    assert me(client, f"Bearer {by_hand(head(typ='at+jwt'))}").status_code == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "BeArEr"])
def test_the_scheme_is_written_as_one_likes(client: FlaskClient, scheme: str) -> None:
    """RFC 9110, 11.1."""
    assert me(client, f"{scheme} {token_of(ANA)}").status_code == 200


@pytest.mark.parametrize(
    "header",
    ["", " ", "Bearer", "Bearer ", "Basic YW5hOmRlbW8=", "Token x", "{token}", "Bearer\t{token}", "Bearer={token}",
     "Bearer {token}\t", "Bearer  ", "Bearer {token}, Bearer {token}", "Digest x, Bearer {token}", "Bearer " + "x" * 100_000],
    ids=lambda header: repr(header)[:40],
)  # fmt: skip
def test_a_header_that_is_not_one_bearer_token_is_refused(client: FlaskClient, header: str) -> None:
    assert me(client, header.replace("{token}", token_of(ANA))).status_code == 401


def test_two_headers_are_neither_of_them(client: FlaskClient) -> None:
    """Which of two a proxy and we would take is nothing to find out."""
    for first, second in ((ANA, BRUNO), (ANA, ANA)):
        both = [("Authorization", f"Bearer {token_of(person)}") for person in (first, second)]
        answer = client.get("/api/auth/me", headers=both)
        assert answer.status_code == 401


def test_a_token_is_nowhere_but_in_its_header(client: FlaskClient) -> None:
    token = token_of(ANA)
    assert client.get("/api/auth/me", query_string={"access_token": token}).status_code == 401
    form = {"access_token": token}
    assert client.post("/api/orders", data=form).status_code in (401, 415)
    client.set_cookie("session", token)
    assert client.get("/api/auth/me").status_code == 401
