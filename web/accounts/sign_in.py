"""Sign in at the identity provider and come back, and sign out."""

import hashlib
import secrets
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from flask import Blueprint, Response, make_response, redirect, render_template, request
from joserfc.errors import JoseError

from pipeline.connections import pool
from pipeline.settings import settings
from sql import write
from web import accounts
from web.accounts import issuer
from web.accounts.bearer import Claims, read_claims
from web.inputs import local_path
from web.problems import Problem

pages = Blueprint("accounts", __name__)

SIGN_IN_S = 600
SIGN_INS_MAX = 20


@pages.get("/login")
def login() -> Response:
    """Off to the identity provider; `next` is where to be afterwards."""
    response = make_response()
    response.headers["Location"] = authorization_url(response, request.args.get("next", ""))
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
        raise _away() from error
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
    if begun is None or "error" in request.args:
        page = render_template("accounts/again.html")
        return make_response(page, 400)
    claims = _claims(begun)
    response = make_response(redirect(begun.next, 303))
    response.cache_control.no_store = True
    found = accounts.session()
    account: dict[str, Any] = {
        "sub": claims.sub,
        "name": claims.name,
        "email": claims.email,
        "roles": sorted(claims.roles),
    }
    if found is None:
        # Another tab was faster and its answer changed the cookie: a session more, same account.
        accounts.begin(response, **account)
        return response
    key, row = found
    visitor = row.visitor
    if visitor is not None and accounts.move_holds(key, visitor, claims.sub):
        visitor = None
    token = secrets.token_urlsafe(32)
    with pool("web").connection() as connection:
        write(
            connection,
            "accounts.sign_in",
            key=key,
            new_key=accounts.key_of(token),
            visitor=visitor,
            lifetime=accounts.LIFETIME.total_seconds(),
            **account,
        )
    accounts.set_cookie(response, token)
    return response


@pages.post("/logout")
def logout() -> Response:
    """The session ends here and in the table."""
    response = make_response(redirect("/", 303))
    end_session(response)
    return response


def end_session(response: Response) -> None:
    """End the cookie's session, if there is one."""
    token = request.cookies.get(accounts.COOKIE)
    if token:
        with pool("web").connection() as connection:
            write(connection, "accounts.end_session", key=accounts.key_of(token))
    response.delete_cookie(accounts.COOKIE, path="/", httponly=True, samesite="Lax")


def _begun() -> Any:
    """The sign-in that this state belongs to, in this browser; used up by asking."""
    token, state = request.cookies.get(accounts.COOKIE), request.args.get("state")
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


def _claims(begun: Any) -> Claims:
    """Change the code for tokens and read who it is. Raises Problem 401 and 503."""
    client = issuer.client()
    try:
        token = client.fetch_access_token(
            redirect_uri=_callback(),
            code=request.args.get("code", ""),
            code_verifier=begun.code_verifier,
        )
        return read_claims(dict(client.parse_id_token(token, nonce=begun.nonce)))
    except requests.RequestException as error:
        raise _away() from error
    except (AuthlibBaseError, JoseError, KeyError, ValueError) as error:
        raise Problem(401, "unauthenticated", "The sign-in was not confirmed.") from error


def _callback() -> str:
    return f"{settings().public_url}/login/callback"


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()


def _away() -> Problem:
    return Problem(503, "busy", "The identity provider does not answer.", {"Retry-After": "2"})
