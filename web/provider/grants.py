"""Authlib's authorization-code grant over our tables: the client, codes, tokens."""

import hashlib
import secrets
from dataclasses import dataclass
from time import time
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc import jwt

from pipeline.connections import pool
from pipeline.settings import settings
from sql import Row, write
from web.provider import keys, users
from web.provider.users import User

CODE_S = 60
TOKEN_S = 900
AUDIENCE = "ticketbuster"


@dataclass(frozen=True)
class Client(ClientMixin):  # type: ignore[misc]  # Authlib ships no types
    """The one client there is: our own web."""

    client_id: str
    id_token_signed_response_alg: str = "RS256"  # noqa: S105  no password

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return f"{settings().public_url}/login/callback"

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(one for one in scope.split() if one in ("openid", "profile", "email"))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.get_default_redirect_uri()

    def check_client_secret(self, client_secret: str) -> bool:
        expected = settings().oidc_client_secret or settings().secret_key
        return secrets.compare_digest(client_secret, expected)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint == "token" and method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


def find_client(client_id: str) -> Client | None:
    """The client of this id."""
    return Client(client_id) if client_id == settings().oidc_client_id else None


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

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

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
