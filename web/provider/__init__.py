"""The embedded OpenID provider: local mode signs people in with nothing to install."""

import os
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Blueprint, Flask, Response, jsonify, make_response, render_template, request

from pipeline.settings import settings
from web import limits, patience
from web.accounts import audit
from web.problems import Problem
from web.provider import clients, grants, keys, refreshing, users
from web.provider.registration import TAKEN, read_applicant

pages = Blueprint("provider", __name__)

SOMEBODYS = frozenset({"email", "name", "password"})
"""Fields that somebody types, which their own checks read; all others are the client's."""


def register(app: Flask) -> None:
    """Add the provider's addresses to the app. Raises RuntimeError beside another issuer."""
    if not settings().local_mode:
        raise RuntimeError("OIDC_ISSUER is set: there can be no second provider.")
    if settings().public_url.startswith("http:"):
        # Authlib refuses plain http otherwise; local mode is on loopback.
        os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    app.config["OAUTH2_ACCESS_TOKEN_GENERATOR"] = grants.access_token
    app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = refreshing.new
    app.config["OAUTH2_TOKEN_EXPIRES_IN"] = dict.fromkeys(clients.GRANTS, grants.TOKEN_S)
    server = AuthorizationServer(app, query_client=clients.find_client, save_token=refreshing.save)
    server.register_grant(
        grants.CodeGrant, [CodeChallenge(required=True), grants.IdToken(require_nonce=True)]
    )
    server.register_grant(refreshing.RefreshGrant)
    server.register_endpoint(refreshing.Revocation)
    app.extensions["provider"] = server
    app.register_blueprint(pages)


def _server() -> Any:
    from flask import current_app  # noqa: PLC0415

    return current_app.extensions["provider"]


@pages.get("/.well-known/openid-configuration")
def configuration() -> Response:
    """Where everything is."""
    issuer = settings().public_url
    return jsonify(
        issuer=issuer,
        authorization_endpoint=f"{issuer}/provider/authorize",
        token_endpoint=f"{issuer}/provider/token",
        jwks_uri=f"{issuer}/provider/jwks",
        response_types_supported=["code"],
        revocation_endpoint=f"{issuer}/provider/revoke",
        grant_types_supported=list(clients.GRANTS),
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=["RS256"],
        scopes_supported=["openid", "profile", "email"],
        code_challenge_methods_supported=["S256"],
        token_endpoint_auth_methods_supported=list(clients.SHOWN_AS),
        revocation_endpoint_auth_methods_supported=list(clients.SHOWN_AS),
    )


@pages.route("/provider/authorize", methods=["GET", "POST"])
def authorize() -> Response:
    """Who are you? A right answer goes back to the client with a code."""
    grant = _grant()
    if request.method == "GET":
        return _asked(200)
    often = limits.guessed_often()
    if often and not patience.shown():
        return _asked(429, often=True)
    email = request.form.get("email", "")
    user = users.with_password(email, request.form.get("password", ""))
    if user is not None:
        return _back_to_the_client(grant, user)
    audit.record("sign_in_refused", None, audit.About(email=email))
    return _asked(401, often=often)


def _asked(status: int, *, often: bool = False) -> Response:
    """The form; where an account was tried often it carries what its next sending waits for."""
    task, seconds = patience.begun() if often else ("", 0)
    page = render_template(
        "accounts/sign_in.html",
        wrong=status == 401,
        wait=status == 429,
        task=task,
        email=request.form.get("email", ""),
        other=_same_request("register"),
        demo=not settings().reachable,
    )
    response = _kept_by_nobody(page, status)
    if status == 429:
        response.headers["Retry-After"] = str(seconds)
    return response


@pages.route("/provider/register", methods=["GET", "POST"])
def register_somebody() -> Response:
    """A new account, signed in at once; what is wrong is said beside its field."""
    grant = _grant()
    applicant, wrong = read_applicant(request.form)
    if request.method == "GET":
        wrong = {}
    elif not wrong:
        user = users.add(applicant.email, applicant.name, applicant.password)
        if user is not None:
            audit.record("registered", user.sub)
            return _back_to_the_client(grant, user)
        wrong = {"email": TAKEN}
    other = _same_request("authorize")
    page = render_template("accounts/register.html", applicant=applicant, wrong=wrong, other=other)
    return _kept_by_nobody(page, 422 if wrong else 200)


def _grant() -> Any:
    """What the client asks for. Raises Problem 400 where it may not."""
    # What cannot be stored is told before a password is, and not after it was right.
    asked = chain(request.args.items(multi=True), request.form.items(multi=True))
    if not all(text.isprintable() for name, text in asked if name not in SOMEBODYS):
        raise Problem(400, "bad_request", "What the client asks for cannot be read.")
    try:
        return _server().get_consent_grant(end_user=None)
    except OAuth2Error as error:
        raise Problem(400, "bad_request", str(error.description or error.error)) from error


def _back_to_the_client(grant: Any, user: users.User) -> Response:
    return make_response(_server().create_authorization_response(grant_user=user, grant=grant))


def _same_request(page: str) -> str:
    return f"/provider/{page}?{urlencode(list(request.args.items(multi=True)))}"


def _kept_by_nobody(page: str, status: int) -> Response:
    response = make_response(page, status)
    response.cache_control.no_store = True
    return response


@pages.post("/provider/token")
def token() -> Response:
    """A code, or a refresh token, for tokens."""
    return make_response(_server().create_token_response())


@pages.post("/provider/revoke")
def revoke() -> Response:
    """A refresh token, and all that came of the same sign-in, is good no more (RFC 7009)."""
    return make_response(_server().create_endpoint_response("revocation"))


@pages.get("/provider/jwks")
def jwks() -> Response:
    """The keys that verify our tokens."""
    return jsonify(keys.public())
