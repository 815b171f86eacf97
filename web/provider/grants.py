"""Authlib's authorization-code grant over our tables: the client, codes, tokens."""

import hashlib
import secrets
from time import time
from typing import Any

from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc import jwt

from pipeline.connections import pool
from pipeline.settings import settings
from sql import Row, write
from web.provider import keys, refreshing, users
from web.provider.clients import SHOWN_AS, Client
from web.provider.users import User

CODE_S = 60
TOKEN_S = 900
AUDIENCE = "ticketbuster"


class Code:
    """A used code, as Authlib asks about it."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.sub: str = row.sub
        self.code_challenge: str = row.code_challenge
        self.code_challenge_method = "S256"

    def get_redirect_uri(self) -> str:
        return str(self._row.redirect_uri)

    def get_scope(self) -> str:
        return str(self._row.scope)

    def get_nonce(self) -> str:
        return str(self._row.nonce)

    def get_auth_time(self) -> int:
        return int(self._row.auth_time)

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> list[str]:
        return ["pwd"]


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """Codes live in Postgres, a minute, and are gone with their first use."""

    TOKEN_ENDPOINT_AUTH_METHODS = SHOWN_AS

    def save_authorization_code(self, code: str, asked: Any) -> None:
        data = asked.payload.data
        with pool("web").connection() as connection:
            write(
                connection,
                "accounts.add_code",
                code=_digest(code),
                sub=asked.user.sub,
                redirect_uri=asked.payload.redirect_uri or asked.client.get_default_redirect_uri(),
                scope=asked.payload.scope or "",
                nonce=data.get("nonce", ""),
                code_challenge=data["code_challenge"],
            )

    def query_authorization_code(self, code: str, _client: Client) -> Code | None:
        with pool("web").connection() as connection:
            rows = write(connection, "accounts.use_code", code=_digest(code), lifetime=CODE_S)
        if not rows:
            # A used code in other hands: what came of it is good no more (RFC 6749, 4.1.2).
            refreshing.end(refreshing.family_of(code))
        return Code(rows[0]) if rows else None

    def delete_authorization_code(self, _code: Code) -> None:
        """Gone already: asking for it used it up, so two askers cannot both have it."""

    def authenticate_user(self, code: Code) -> User | None:
        return users.with_sub(code.sub)


class IdToken(OpenIDCode):  # type: ignore[misc]
    """The ID token: who it is and which roles they have."""

    def resolve_client_private_key(self, _client: Client) -> Any:
        return keys.signing()

    def get_client_algorithm(self, _client: Client) -> str:
        return "RS256"

    def get_encode_header(self, _client: Client) -> dict[str, Any]:
        return {"alg": "RS256", "kid": keys.signing().kid}

    def get_client_claims(self, _client: Client) -> dict[str, Any]:
        return {"iss": settings().public_url}

    def exists_nonce(self, _nonce: str, _request: Any) -> bool:
        """Whether it was seen before: nobody needs to know.

        The client checks that the ID token carries its sign-in's nonce, and a code is used once.
        """
        return False

    def generate_user_info(self, user: User, _scope: str) -> UserInfo:
        return UserInfo(sub=user.sub, email=user.email, name=user.name, roles=list(user.roles))


def access_token(*, user: User, **_: Any) -> str:
    """An access token for Authlib's token response."""
    return token_for(user, TOKEN_S)


def token_for(user: User, seconds: int) -> str:
    """A signed access token (RFC 9068) of this user."""
    now = int(time())
    claims = {
        "iss": settings().public_url,
        "aud": AUDIENCE,
        "client_id": settings().oidc_client_id,
        "sub": user.sub,
        "name": user.name,
        "email": user.email,
        "roles": list(user.roles),
        "iat": now,
        "exp": now + seconds,
        "jti": secrets.token_hex(8),
    }
    header = {"alg": "RS256", "kid": keys.signing().kid, "typ": "at+jwt"}
    return str(jwt.encode(header, claims, keys.signing()))


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
