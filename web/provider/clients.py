"""The one client of the embedded provider: our own web, as Authlib asks about it."""

import secrets
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import ClientMixin

from pipeline.settings import settings
from web.provider import keys

GRANTS = ("authorization_code", "refresh_token")
SHOWN_AS = ("client_secret_basic", "client_secret_post")
"""How the client may show its secret."""


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
        return secrets.compare_digest(client_secret.encode(), keys.client_secret().encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint in ("token", "revocation") and method in SHOWN_AS

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in GRANTS


def find_client(client_id: str) -> Client | None:
    """The client of this id."""
    return Client(client_id) if client_id == settings().oidc_client_id else None
