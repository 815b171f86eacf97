"""Sign in at the identity provider and come back, and sign out."""

import hashlib
import secrets
from typing import Any

import requests
from authlib.common.urls import add_params_to_uri
from flask import Blueprint, Response, make_response, redirect, render_template, request

from pipeline.connections import pool
from pipeline.settings import settings
from sql import write
from web import accounts, patience
from web.accounts import audit, issuer, renewal, tokens, vault
from web.inputs import local_path
from web.problems import Problem, busy

pages = Blueprint("accounts", __name__)

SIGN_IN_S = 600
SIGN_INS_MAX = 20


@pages.route("/login", methods=["GET", "POST"])
def login() -> Response:
    """Off to the identity provider; `next` is where to be afterwards.

    It gives newcomers a session, so it asks them for what a first hold does, which is POSTed.
    """
    if accounts.session() is None and patience.needed():
        return patience.ask()
    response = make_response()
    response.headers["Location"] = authorization_url(response, request.values.get("next", ""))
    response.status_code = 303
    response.cache_control.no_store = True
    return response


def authorization_url(response: Response, following: str) -> str:
    """Where to sign in. Begins a session on the response where there is none."""
    found = accounts.session()
    key = found[0] if found else accounts.start_session(response)
    try:
        begun = issuer.client().create_authorization_url(
            _callback(), nonce=secrets.token_urlsafe(24)
        )
    except requests.RequestException as error:
        raise issuer_away() from error
    with pool("web").connection() as connection:
        write(
            connection,
            "accounts.begin_sign_in",
            state=_digest(begun["state"]),
            key=key,
            nonce=begun["nonce"],
            code_verifier=begun["code_verifier"],
            next=local_path(following),
            lifetime=SIGN_IN_S,
            most=SIGN_INS_MAX,
        )
    return str(begun["url"])


@pages.get("/login/callback")
def callback() -> Response:
    """Back from the provider: holds move, then the session changes its id, then on to the page."""
    begun = _begun()
    if begun is None or "error" in request.args or _from_another_issuer():
        page = render_template("accounts/again.html")
        return make_response(page, 400)
    grant = _grant(begun)
    response = make_response(redirect(begun.next, 303))
    response.cache_control.no_store = True
    found = accounts.session()
    if found is None:
        # Another tab was faster and its answer changed the cookie: a session more, same account.
        accounts.begin(response, **grant.columns())
        audit.record("signed_in", grant.claims.sub)
        return response
    key, row = found
    visitor = row.visitor
    if visitor is not None and accounts.move_holds(key, visitor, grant.claims.sub):
        visitor = None
    token = accounts.new_token()
    with pool("web").connection() as connection:
        rotated = write(
            connection,
            "accounts.sign_in",
            key=key,
            new_key=accounts.key_of(token),
            visitor=visitor,
            **grant.columns(),
        )
        audit.note(connection, "signed_in", grant.claims.sub)
    if not rotated:
        # Another tab was faster since we looked: a session more, same account.
        accounts.begin(response, **grant.columns())
        return response
    accounts.set_cookie(response, token)
    return response


@pages.post("/logout")
def logout() -> Response:
    """The session ends here, in the table and at the issuer, which may want to say goodbye too."""
    response = make_response()
    response.headers["Location"] = sign_out(response) or "/"
    response.status_code = 303
    return response


def sign_out(response: Response) -> str | None:
    """End the cookie's session and its refresh token; gives the issuer's page that ends its own.

    That page leads back to us (OpenID Connect RP-Initiated Logout, 2).
    """
    token = request.cookies.get(accounts.cookie_name())
    accounts.delete_cookie(response)
    ended = renewal.end(accounts.key_of(token)) if token else None
    if ended is not None and ended.sub is not None:
        audit.record("signed_out", ended.sub)
    if ended is None or ended.issuer != issuer.address():
        return None
    refresh_token = vault.unseal(ended.refresh_token)
    if refresh_token:
        tokens.revoke(refresh_token)
    try:
        page = issuer.client().load_server_metadata().get("end_session_endpoint")
    except requests.RequestException:
        return None
    # No id_token_hint: a token has no place in an address. The issuer asks instead.
    asked = {
        "client_id": settings().oidc_client_id,
        "post_logout_redirect_uri": f"{settings().public_url}/",
    }
    return str(add_params_to_uri(page, asked)) if page else None


def _begun() -> Any:
    """The sign-in that this state belongs to, in this browser; used up by asking."""
    token, state = request.cookies.get(accounts.cookie_name()), request.args.get("state")
    if not token or not state:
        return None
    with pool("web").connection() as connection:
        rows = write(
            connection,
            "accounts.finish_sign_in",
            state=_digest(state),
            key=accounts.key_of(token),
            lifetime=SIGN_IN_S,
        )
    return rows[0] if rows else None


def _from_another_issuer() -> bool:
    """An answer that says whose it is, and it is not our issuer's (RFC 9207)."""
    said = request.args.get("iss")
    try:
        return said is not None and said != issuer.name()
    except requests.RequestException as error:
        raise issuer_away() from error


def _grant(begun: Any) -> tokens.Grant:
    """Change the code for tokens and read who it is. Raises Problem 401 and 503."""
    code = request.args.get("code", "")
    try:
        return tokens.change_code(code, _callback(), begun.code_verifier, begun.nonce)
    except requests.RequestException as error:
        raise issuer_away() from error
    except tokens.RefusedError as error:
        raise Problem(401, "unauthenticated", "The sign-in was not confirmed.") from error


def _callback() -> str:
    return f"{settings().public_url}/login/callback"


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()


def issuer_away() -> Problem:
    """The issuer does not answer just now."""
    return busy("The identity provider does not answer.")
