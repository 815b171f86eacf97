"""What an issuer's token answer says: who somebody is, for how long, and how to ask again."""

from collections import ChainMap
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from joserfc.errors import JoseError

from web.accounts import bearer, issuer, vault
from web.accounts.bearer import Claims
from web.problems import Problem

FRESH_S_MIN, FRESH_S_MAX = 60, 3_600
LIFETIME_S = 30 * 86_400
LONGEST_S = 90 * 86_400
"""Nobody stays signed in longer than this without giving a password again."""
HINT = "refresh_token"
UNASKED_S = 12 * 3_600
"""Without a refresh token nobody can find out whether the account still stands, so it ends soon."""


class RefusedError(Exception):
    """The issuer says no; or what it says cannot be believed."""


@dataclass(frozen=True)
class Grant:
    """Who it is, and the tokens that stay on the server."""

    claims: Claims
    access_token: str
    refresh_token: str | None
    expires_s: int

    def columns(self) -> dict[str, Any]:
        """The session's columns."""
        return {
            "sub": self.claims.sub,
            "name": self.claims.name,
            "email": self.claims.email,
            "roles": sorted(self.claims.roles),
            "issuer": issuer.address(),
            "refresh_token": vault.seal(self.refresh_token),
            "fresh": min(max(self.expires_s, FRESH_S_MIN), FRESH_S_MAX),
            "lifetime": LIFETIME_S if self.refresh_token else UNASKED_S,
        }


def change_code(code: str, redirect_uri: str, code_verifier: str, nonce: str) -> Grant:
    """The grant of an authorization code. Raises RefusedError and requests' errors."""
    client = issuer.client()
    try:
        token = client.fetch_access_token(
            redirect_uri=redirect_uri, code=code, code_verifier=code_verifier
        )
        said = client.parse_id_token(token, nonce=nonce)
    except requests.RequestException:
        raise
    except (AuthlibBaseError, JoseError, KeyError, ValueError, RecursionError) as error:
        raise RefusedError from error
    if not said:
        raise RefusedError
    return _grant(token, dict(said), None)


def refresh(
    refresh_token: str, known: Claims | None = None, keep: Callable[[str], None] | None = None
) -> Grant:
    """A new grant for a refresh token. Raises RefusedError and requests' errors.

    What the issuer does not tell again is still as it was. One that is itself in trouble counts
    as one that does not answer. The next refresh token is given to `keep` before anything else can
    fail: this one is good no more.
    """
    client = issuer.client()
    try:
        endpoint = client.load_server_metadata()["token_endpoint"]
        token = issuer.ask("refresh_token", url=endpoint, refresh_token=refresh_token)
        if keep and token.get("refresh_token"):
            keep(str(token["refresh_token"]))
        said = client.parse_id_token(token, nonce=None)
    except requests.RequestException:
        raise
    except AuthlibBaseError as error:
        if getattr(error, "error", "") == "invalid_grant":
            raise RefusedError from error
        raise requests.RequestException(str(error)) from error
    except (JoseError, KeyError, ValueError, RecursionError) as error:
        raise RefusedError from error
    return _grant(token, dict(said or {}), known)


def revoke(refresh_token: str) -> None:
    """Tell the issuer that a refresh token is not used any more; whether it hears is its affair."""
    with suppress(requests.RequestException, AuthlibBaseError, ValueError, KeyError):
        endpoint = issuer.client().load_server_metadata()["revocation_endpoint"]
        issuer.ask("revoke_token", url=endpoint, token=refresh_token, token_type_hint=HINT)


def _grant(token: dict[str, Any], id_token: dict[str, Any], known: Claims | None) -> Grant:
    """Put together what ID token, access token and userinfo say, all of the same subject."""
    sources = [id_token, _access_token(token)]
    readable = any(sources)
    if not any(one.get("name") and one.get("email") for one in sources):
        sources.append(_userinfo(token))
    told = [one for one in sources if one]
    if known:
        told.append({"sub": known.sub, "name": known.name, "email": known.email})
    if len({str(one.get("sub")) for one in told}) != 1:
        raise RefusedError
    try:
        claims = bearer.read_claims({"exp": 0, **dict(ChainMap(*told))})
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError from error
    said = [one for one in told if "roles" in one or "realm_access" in one]
    roles = frozenset().union(*map(bearer.roles_in, said))
    # A token that can be read and names no role says that there is none any more.
    untold = not said and not readable
    expires = str(token.get("expires_in", ""))
    return Grant(
        replace(claims, roles=known.roles if known and untold else roles),
        str(token.get("access_token", "")),
        token.get("refresh_token"),
        int(expires) if expires.isdecimal() else FRESH_S_MIN,
    )


def _access_token(token: dict[str, Any]) -> dict[str, Any]:
    """What the access token says: Keycloak tells roles there alone, others' may be no JWT."""
    try:
        return bearer.decoded(str(token.get("access_token", "")), at_once=True)
    except Problem as problem:
        if problem.status == 503:
            raise requests.RequestException(problem.detail) from problem
        return {}


def _userinfo(token: dict[str, Any]) -> dict[str, Any]:
    """What the issuer tells of the account beside the tokens, if it does."""
    client = issuer.client()
    endpoint = client.load_server_metadata().get("userinfo_endpoint")
    if not endpoint:
        return {}
    try:
        answer = client.get(endpoint, token=token)
        answer.raise_for_status()
        said = answer.json()
    except (requests.RequestException, AuthlibBaseError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
