"""Refresh tokens of the embedded provider: each is good once, a second use ends its family."""

import hashlib
import secrets
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from authlib.oauth2.rfc6749.grants import RefreshTokenGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint

from pipeline.connections import pool
from pipeline.settings import settings
from sql import Row, read, write
from web.provider import users
from web.provider.clients import SHOWN_AS
from web.provider.users import User

LIFETIME_S = 30 * 86_400
LONGEST_S = 90 * 86_400
"""However often it is renewed: then a password is asked for again."""
LETTERS_MAX = 200


class Credential:
    """A refresh token that was just used up, as Authlib asks about it."""

    def __init__(self, row: Row) -> None:
        self.sub: str = getattr(row, "sub", "")
        self.family: UUID = row.family
        self.family_ends_at = getattr(row, "family_ends_at", None)
        self._scope: str = getattr(row, "scope", "")

    def get_scope(self) -> str:
        return self._scope

    def check_client(self, _client: Any) -> bool:
        """There is but one client."""
        return True


def new(**_: Any) -> str:
    """A refresh token for Authlib's token response."""
    return secrets.token_urlsafe(48)


def save(token: dict[str, Any], asked: Any) -> None:
    """Keep the digest of a refresh token that is given out, in the family of what it came from."""
    before = asked.refresh_token if isinstance(asked.refresh_token, Credential) else None
    with pool("web").connection() as connection:
        write(
            connection,
            "accounts.add_refresh_token",
            token=_digest(token["refresh_token"]),
            family=before.family if before else family_of(asked.form["code"]),
            sub=asked.user.sub,
            issuer=settings().public_url,
            scope=token.get("scope", ""),
            family_ends_at=before.family_ends_at if before else None,
            lifetime=LIFETIME_S,
            longest=LONGEST_S,
        )


def family_of(code: str) -> UUID:
    """All that comes of an authorization code is of this family."""
    return uuid5(NAMESPACE_OID, _digest(code).hex())


def end(family: UUID) -> None:
    """Nothing of this family is good any more, nor what is given out for it just now."""
    with pool("web").connection() as connection:
        write(connection, "accounts.end_refresh_tokens", family=family)


class RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]  # Authlib ships no types
    """A refresh token for a new pair."""

    INCLUDE_NEW_REFRESH_TOKEN = True
    TOKEN_ENDPOINT_AUTH_METHODS = SHOWN_AS

    def authenticate_refresh_token(self, refresh_token: str) -> Credential | None:
        if len(refresh_token) > LETTERS_MAX:
            return None
        with pool("web").connection() as connection:
            rows = write(
                connection,
                "accounts.use_refresh_token",
                token=_digest(refresh_token),
                issuer=settings().public_url,
            )
            # Asked afterwards, to see the use of somebody for whom this one had to wait.
            known = read(connection, "accounts.refresh_token_family", token=_digest(refresh_token))
        if not rows and known and known[0].used_at:
            # Whoever shows a used one has a copy (RFC 9700, 4.14.2).
            end(known[0].family)
        return Credential(rows[0]) if rows else None

    def authenticate_user(self, credential: Credential) -> User | None:
        return users.with_sub(credential.sub)

    def revoke_old_credential(self, _credential: Credential) -> None:
        """Used up already, by asking for it: two askers cannot both have it."""


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """Whoever signs out ends the whole family."""

    CLIENT_AUTH_METHODS = SHOWN_AS

    def query_token(self, token: str, _hint: str | None) -> Credential | None:
        with pool("web").connection() as connection:
            rows = read(connection, "accounts.refresh_token_family", token=_digest(token))
        return Credential(rows[0]) if rows else None

    def revoke_token(self, token: Credential, _request: Any) -> None:
        end(token.family)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
