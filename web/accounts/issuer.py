"""The identity provider: which it is and how it is reached, the embedded one without a network."""

import io
from functools import cache
from time import time
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.integrations.flask_client import FlaskOAuth2App, OAuth
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask, current_app
from requests.adapters import BaseAdapter, HTTPAdapter
from werkzeug.test import Client, EnvironBuilder

from pipeline.settings import settings
from web.provider import keys as provider_keys

TIMEOUT_S = 3.0
METADATA_S, METADATA_RETRY_S = 3_600, 60
ALGORITHMS = ["RS256", "PS256", "ES256", "Ed25519", "EdDSA"]
"""What a token may be signed with: public keys only, whatever an issuer or a token says."""


class IssuerError(requests.RequestException):
    """The issuer says something about itself that cannot be right."""


def address() -> str:
    """Where the issuer is, as it was configured."""
    return settings().oidc_issuer or settings().public_url


def name() -> str:
    """The issuer as its tokens name it. Raises requests' errors."""
    if settings().local_mode:
        return settings().public_url
    return str(client().load_server_metadata()["issuer"])


INSIDE = "ticketbuster.inside"
"""Marks a request from one part of us to another; no header can set it."""


class InProcess(BaseAdapter):
    """Hands requests for our own provider to this very app.

    A server that calls itself over HTTP waits for its own threads.
    """

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self._app = app

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        parts = urlsplit(str(request.url))
        asked = EnvironBuilder(
            path=parts.path,
            query_string=parts.query,
            base_url=f"{parts.scheme}://{parts.netloc}",
            method=request.method or "GET",
            # Nobody would unpack the answer again on the way from one part of us to another.
            headers=[one for one in request.headers.items() if one[0] != "Accept-Encoding"],
            data=request.body or b"",
            environ_base={"REMOTE_ADDR": "127.0.0.1", INSIDE: True},
        )
        answer = Client(self._app).open(asked)
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers.update(answer.headers.items())
        response.raw = io.BytesIO(answer.get_data())
        response.url = str(request.url)
        response.request = request
        return response

    def close(self) -> None:
        """Nothing is open."""


class _Deadline(HTTPAdapter):
    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        return super().send(request, **{**options, "timeout": TIMEOUT_S})


class _Session(OAuth2Session):  # type: ignore[misc]  # Authlib ships no types
    """Authlib's session, which reaches the issuer as we do."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if settings().local_mode:
            self.mount(address(), InProcess(_app()))
        else:
            for scheme in ("https://", "http://"):
                self.mount(scheme, _Deadline())


class _App(FlaskOAuth2App):  # type: ignore[misc]
    client_cls = _Session
    server_metadata: dict[str, Any]

    def load_server_metadata(self) -> Any:
        """What the issuer says of itself, asked again each hour; meanwhile what it said last."""
        known = self.server_metadata
        if time() - known.get("_loaded_at", 0) < METADATA_S:
            return known
        try:
            with self._get_session() as session:
                answer = session.get(self._server_metadata_url, withhold_token=True)
                answer.raise_for_status()
                said = answer.json()
        except requests.RequestException:
            if "_loaded_at" not in known:
                raise
            known["_loaded_at"] = time() - METADATA_S + METADATA_RETRY_S
            return known
        if not isinstance(said, dict) or str(said.get("issuer")).rstrip("/") != address():
            raise IssuerError(f"{address()} does not say that it is this issuer.")
        offered = said.get("id_token_signing_alg_values_supported") or ALGORITHMS
        said["id_token_signing_alg_values_supported"] = [
            one for one in ALGORITHMS if one in offered
        ]
        self.server_metadata = {**said, "_loaded_at": time()}
        return self.server_metadata


class _OAuth(OAuth):  # type: ignore[misc]
    oauth2_client_cls = _App


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001


@cache
def _client(app: Flask, issuer: str) -> Any:
    now = settings()
    secret = provider_keys.client_secret() if now.local_mode else now.oidc_client_secret
    scope: dict[str, Any] = {"scope": now.oidc_scopes, "code_challenge_method": "S256"}
    if not secret:
        scope["token_endpoint_auth_method"] = "none"  # noqa: S105  a public client, PKCE alone
    # OpenID Connect Core, 11: who wants to come back later has to ask for it openly.
    openly = {"prompt": "consent"} if "offline_access" in now.oidc_scopes.split() else None
    return _OAuth(app).register(
        "issuer",
        client_id=now.oidc_client_id,
        client_secret=secret or None,
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs=scope,
        authorize_params=openly,
    )


def client() -> Any:
    """Authlib's client for the issuer."""
    return _client(_app(), address())


def origins() -> frozenset[str]:
    """Where the issuer's pages are, as far as that is known already."""
    if settings().local_mode:
        return frozenset()
    known = client().server_metadata
    pages = [address(), known.get("authorization_endpoint"), known.get("end_session_endpoint")]
    parts = [urlsplit(page) for page in pages if page]
    return frozenset(f"{one.scheme}://{one.netloc}" for one in parts)


def ask(what: str, **how: Any) -> Any:
    """Ask an endpoint by one of the methods of Authlib's session. Raises requests' errors.

    An `OAuth2Error` says that the issuer refuses.
    """
    asked = client()
    with asked._get_oauth_client(**asked.load_server_metadata()) as session:  # noqa: SLF001  Authlib has no public name for it
        return getattr(session, what)(**how)


def keys() -> Any:
    """The issuer's public keys, as its JWKS says them. Raises requests' errors."""
    if settings().local_mode:
        return provider_keys.public()
    return client().fetch_jwk_set(force=True)
