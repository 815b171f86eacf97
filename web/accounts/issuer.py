"""The identity provider: which it is and how it is reached, the embedded one without a network."""

import io
from functools import cache
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
SCOPE = "openid profile email"


def address() -> str:
    """The issuer's address, as tokens carry it."""
    return settings().oidc_issuer or settings().public_url


class InProcess(BaseAdapter):
    """Hands requests for our own provider to this very app.

    A server that calls itself over HTTP waits for its own threads.
    """

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self._app = app

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        parts = urlsplit(str(request.url))
        environ = EnvironBuilder(
            path=parts.path,
            query_string=parts.query,
            base_url=f"{parts.scheme}://{parts.netloc}",
            method=request.method or "GET",
            # Nobody would unpack the answer again on the way from one part of us to another.
            headers=[one for one in request.headers.items() if one[0] != "Accept-Encoding"],
            data=request.body or b"",
        ).get_environ()
        answer = Client(self._app).open(environ)
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


def adapter(app: Flask) -> BaseAdapter:
    """How the issuer is reached."""
    return InProcess(app) if settings().local_mode else _Deadline()


class _Session(OAuth2Session):  # type: ignore[misc]  # Authlib ships no types
    """Authlib's session, which reaches the issuer as we do."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.mount(address(), adapter(_app()))


class _App(FlaskOAuth2App):  # type: ignore[misc]
    client_cls = _Session


class _OAuth(OAuth):  # type: ignore[misc]
    oauth2_client_cls = _App


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001


@cache
def _client(app: Flask, issuer: str) -> Any:
    registry = _OAuth(app)
    return registry.register(
        "issuer",
        client_id=settings().oidc_client_id,
        client_secret=settings().oidc_client_secret or settings().secret_key,
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": SCOPE, "code_challenge_method": "S256"},
    )


def client() -> Any:
    """Authlib's client for the issuer."""
    return _client(_app(), address())


def keys() -> Any:
    """The issuer's public keys, as its JWKS says them. Raises requests' errors."""
    if settings().local_mode:
        return provider_keys.public()
    with requests.Session() as session:
        session.mount(address(), _Deadline())
        known = session.get(f"{address()}/.well-known/openid-configuration")
        known.raise_for_status()
        answer = session.get(known.json()["jwks_uri"])
        answer.raise_for_status()
        return answer.json()
