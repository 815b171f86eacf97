"""Access tokens: signature by the issuer's keys, issuer, audience, time, and nothing unusual."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from time import monotonic, time
from typing import Any

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pipeline.settings import settings
from web.accounts import issuer
from web.problems import Problem

ALGORITHMS = ["RS256", "ES256"]
AUDIENCE = "ticketbuster"
TOKEN_LETTERS_MAX = 8_192
CACHED_MAX = 4_096
REFETCH_S = 10.0
CHALLENGE = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True)
class Claims:
    """What a token says of its bearer."""

    sub: str
    name: str
    email: str
    roles: frozenset[str]
    expires_at: datetime


class _Cache:
    """Tokens that were checked already, by their digest, until they expire."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._claims: OrderedDict[bytes, Claims] = OrderedDict()

    def get(self, digest: bytes) -> Claims | None:
        with self._lock:
            claims = self._claims.get(digest)
        return claims if claims and claims.expires_at.timestamp() > time() else None

    def put(self, digest: bytes, claims: Claims) -> None:
        with self._lock:
            self._claims[digest] = claims
            if len(self._claims) > CACHED_MAX:
                self._claims.popitem(last=False)


_checked = _Cache()


class Keys:
    """The issuer's keys; asked for again when a token names one that is not among them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._set: KeySet | None = None
        self._ask_at = 0.0

    def all(self, kid: str) -> KeySet:
        """Keys, of which one has this id if the issuer has it. Raises requests' errors."""
        with self._lock:
            known = self._set is not None and any(key.kid == kid for key in self._set.keys)
            if not known and (self._set is None or monotonic() >= self._ask_at):
                self._ask_at = monotonic() + REFETCH_S
                self._set = KeySet.import_key_set(issuer.keys())
            assert self._set is not None
            return self._set


@cache
def keys_of(_issuer: str) -> Keys:
    """The keys of an issuer; the local one's address can change with PUBLIC_URL."""
    return Keys()


def claims_of(header: str) -> Claims:
    """The claims of an Authorization header. Raises Problem 401, or 503 while keys are away."""
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer" or not token or len(token) > TOKEN_LETTERS_MAX:
        raise refused("Send a bearer token.")
    digest = hashlib.sha256(f"{issuer.address()} {token}".encode()).digest()
    claims = _checked.get(digest)
    if claims is None:
        claims = _check(token)
        _checked.put(digest, claims)
    return claims


def refused(detail: str) -> Problem:
    """A token that is not accepted."""
    return Problem(401, "unauthenticated", detail, CHALLENGE)


def _check(token: str) -> Claims:
    try:
        kid = _kid(token)
        decoded = jwt.decode(token, keys_of(issuer.address()).all(kid), algorithms=ALGORITHMS)
        now = int(time())
        audiences = [AUDIENCE, settings().oidc_client_id]
        jwt.JWTClaimsRegistry(
            now=now,
            iss={"essential": True, "value": issuer.address()},
            aud={"essential": True, "values": audiences},
            exp={"essential": True},
            sub={"essential": True},
        ).validate(decoded.claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise refused("The token is not valid, or not any more.") from error
    except requests.RequestException as error:
        raise Problem(
            503, "busy", "The identity provider does not answer.", {"Retry-After": "2"}
        ) from error
    return read_claims(decoded.claims)


def _kid(token: str) -> str:
    from joserfc import jws  # noqa: PLC0415

    return str(jws.extract_compact(token.encode()).headers().get("kid", ""))


def read_claims(claims: dict[str, Any]) -> Claims:
    """Name, address and roles; Keycloak keeps its roles in `realm_access`."""
    realm = claims.get("realm_access")
    listed = [claims.get("roles"), realm.get("roles") if isinstance(realm, dict) else None]
    roles = {role for some in listed if isinstance(some, list) for role in some}
    return Claims(
        str(claims["sub"]),
        str(claims.get("name") or claims.get("preferred_username") or ""),
        str(claims.get("email") or ""),
        frozenset(role for role in roles if isinstance(role, str)),
        datetime.fromtimestamp(int(claims["exp"]), UTC),
    )
