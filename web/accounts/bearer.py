"""Access tokens: signature by the issuer's keys, issuer, audience, time, and nothing unusual."""

import hashlib
import logging
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
from web.problems import Problem, busy

AUDIENCE = "ticketbuster"
ROLES = frozenset({"buyer", "organiser", "steward", "operator"})
TOKEN_LETTERS_MAX = 8_192
SUBJECT_LETTERS_MAX = 255
TEXT_LETTERS_MAX = 200
CACHED_MAX = 4_096
REFETCH_S = 10.0
HASTY_S = 1.0
"""The same where the issuer itself has just given us the token."""
KEYS_S = 600.0
"""So long a key counts that the issuer may have withdrawn meanwhile."""
LEEWAY_S = 2
"""Two clocks are never quite the same."""
TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
log = logging.getLogger(__name__)

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
        self._missing: set[str] = set()
        self._ask_at = self._hasty_at = self._old_at = 0.0

    def all(self, kid: str, *, at_once: bool = False) -> KeySet:
        """Keys, of which one has this id if the issuer has it. Raises requests' errors.

        One asks, and not again for some seconds whatever came of it; nobody waits for that who has
        keys to go on with. While the issuer does not answer, what it said last is good; but of a
        key that it was not asked for yet, nobody can say that it has none. `at_once` is for tokens
        that come from the issuer itself: no stranger can make us ask with those.
        """
        waits = self._set is None or at_once
        if self._is_due(kid, at_once) and self._lock.acquire(blocking=waits):
            try:
                if self._is_due(kid, at_once):
                    self._ask(kid)
            finally:
                self._lock.release()
        known = self._set
        if known is None:
            raise requests.ConnectionError("the issuer did not answer a moment ago")
        if kid and not self._has(kid) and kid not in self._missing:
            raise requests.ConnectionError("the issuer was not asked for this key yet")
        return known

    def _has(self, kid: str) -> bool:
        return self._set is not None and any(key.kid == kid for key in self._set.keys)

    def _is_due(self, kid: str, at_once: bool) -> bool:
        if self._has(kid):
            return monotonic() >= max(self._old_at, self._ask_at)
        return monotonic() >= (self._hasty_at if at_once else self._ask_at)

    def _ask(self, kid: str) -> None:
        try:
            self._set = KeySet.import_key_set(issuer.keys())
            self._old_at = monotonic() + KEYS_S
            if len(self._missing) >= CACHED_MAX:
                self._missing.clear()
            self._missing.add(kid)
        except (requests.RequestException, JoseError, ValueError, TypeError, KeyError) as error:
            log.warning("the issuer's keys could not be read: %s", type(error).__name__)
        finally:
            # Our own provider's keys lie beside us.
            self._ask_at = monotonic() + (0.0 if settings().local_mode else REFETCH_S)
            self._hasty_at = min(self._ask_at, monotonic() + HASTY_S)


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
    said = decoded(token)
    try:
        return read_claims(said)
    except (KeyError, TypeError, ValueError) as error:
        raise refused("The token does not say whose it is.") from error


def decoded(token: str, *, at_once: bool = False) -> dict[str, Any]:
    """What a valid access token says. Raises Problem 401, or 503 while keys are away.

    `at_once`: it comes from the issuer, which may have begun to sign with another key just now.
    """
    try:
        keys = keys_of(issuer.address()).all(_kid(token), at_once=at_once)
        found = jwt.decode(token, keys, algorithms=issuer.ALGORITHMS)
        jwt.JWTClaimsRegistry(
            now=int(time()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer.name()},
            aud={"essential": True, "values": [AUDIENCE, settings().oidc_client_id]},
            exp={"essential": True},
            sub={"essential": True},
        ).validate(found.claims)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise refused("The token is not valid, or not any more.") from error
    except requests.RequestException as error:
        raise busy("The identity provider does not answer.") from error
    if not _is_access_token(found.header, found.claims):
        raise refused("This is no access token for TicketBuster.")
    return dict(found.claims)


def _is_access_token(header: dict[str, Any], said: dict[str, Any]) -> bool:
    """Made for our client, and no ID token, which has the same issuer and keys (RFC 9068, 5).

    Keycloak writes the kind into the claim `typ` and the client into `azp`.
    """
    kind = str(header.get("typ", "JWT")).lower()
    client = said.get("azp", said.get("client_id", settings().oidc_client_id))
    of_an_id_token = kind == "jwt" and not said.get("typ") and said.keys() & {"nonce", "at_hash"}
    return (
        kind in TYPES
        and client == settings().oidc_client_id
        and said.get("typ", "Bearer") == "Bearer"
        and not of_an_id_token
    )


def _kid(token: str) -> str:
    from joserfc import jws  # noqa: PLC0415

    return str(jws.extract_compact(token.encode()).headers().get("kid", ""))


def read_claims(said: dict[str, Any]) -> Claims:
    """Who it is. Raises KeyError, TypeError and ValueError where that cannot be somebody."""
    sub = said["sub"]
    if not isinstance(sub, str) or not sub.isprintable() or not 0 < len(sub) <= SUBJECT_LETTERS_MAX:
        raise ValueError(sub)
    try:
        ends = datetime.fromtimestamp(int(said["exp"]), UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(said["exp"]) from error  # beyond all calendars
    return Claims(
        sub,
        _text(said.get("name") or said.get("preferred_username")),
        _text(said.get("email")),
        roles_in(said),
        ends,
    )


def roles_in(said: dict[str, Any]) -> frozenset[str]:
    """The roles that we know; Keycloak keeps them in `realm_access`."""
    realm = said.get("realm_access")
    listed = [said.get("roles"), realm.get("roles") if isinstance(realm, dict) else None]
    return frozenset(role for role in ROLES if any(role in _list(some) for some in listed))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    """A text that can be shown and stored, whatever the issuer took for a name."""
    letters = value if isinstance(value, str) else ""
    return "".join(one for one in letters if one.isprintable())[:TEXT_LETTERS_MAX]
