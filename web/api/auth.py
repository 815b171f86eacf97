"""Sign-in for machines and scripts of the page."""

from urllib.parse import urlencode

import requests
from flask import Response, jsonify, make_response, redirect, request

from web import patience
from web.accounts import renewal, session, signed_in, tokens
from web.accounts.bearer import TOKEN_LETTERS_MAX, refused
from web.accounts.sign_in import authorization_url, issuer_away, sign_out
from web.api import api
from web.api.contract import HOLDER, SESSION, contract
from web.api.schemas import LOGIN_BODY, REFRESH_BODY
from web.fragments import asked_again
from web.inputs import ADDRESS_LETTERS_MAX, json_body
from web.problems import Problem
from web.words import rfc3339


@api.post("/auth/login")
@contract(
    "Where to sign in, and a cookie that the sign-in belongs to; a form is led there by 303.",
    {200: "Authorization", 303: None},
    who=SESSION,
    takes=LOGIN_BODY,
    body_needed=False,
)
def begin_login() -> Response:
    """Where to sign in, and a cookie that the sign-in belongs to; a form is led there."""
    body = json_body() if request.is_json else request.form
    patience.carried()
    following = body.get("next", "/")
    if not isinstance(following, str) or len(following) > ADDRESS_LETTERS_MAX:
        raise Problem(422, "invalid_body", "next is the path of a page of ours.")
    if session() is None and patience.needed():
        if request.is_json:
            raise patience.refusal()
        return make_response(redirect(f"/login?{urlencode({'next': following})}", 303))
    response = make_response()
    address = authorization_url(response, following)
    answer = jsonify(authorization_url=address) if request.is_json else redirect(address, 303)
    for cookie in response.headers.getlist("Set-Cookie"):
        answer.headers.add("Set-Cookie", cookie)
    return make_response(answer)


@api.post("/auth/logout")
@contract(
    "The session ends, and its refresh token; so does a refresh token in the body.",
    {204: None},
    who=SESSION,
    takes=REFRESH_BODY,
    body_needed=False,
)
def end_login() -> Response:
    """The session and its refresh token end; a refresh token in the body ends too."""
    response = make_response("", 204)
    sign_out(response)
    named = _named_token()
    if named:
        tokens.revoke(named)
    return response


@api.post("/auth/refresh")
@contract(
    "Renews the cookie's session, or changes a refresh token for a new pair.",
    {200: "Renewal"},
    who=SESSION,
    takes=REFRESH_BODY,
    body_needed=False,
)
def renew_login() -> Response:
    """The cookie's session is renewed, or a refresh token is changed for a new pair."""
    named = _named_token()
    try:
        answer = _new_pair(named) if named else _renewed_session()
    except tokens.RefusedError as error:
        raise refused("This is over: sign in again.") from error
    except requests.RequestException as error:
        raise issuer_away() from error
    answer.cache_control.no_store = True
    return answer


def _new_pair(refresh_token: str) -> Response:
    grant = tokens.refresh(refresh_token)
    return jsonify(
        access_token=grant.access_token,
        token_type="Bearer",  # noqa: S106  a kind of token
        expires_in=grant.expires_s,
        refresh_token=grant.refresh_token,
    )


def _renewed_session() -> Response:
    found = session()
    if found is None or found[1].sub is None:
        raise tokens.RefusedError
    row = renewal.renew(*found)
    if row is None:
        raise tokens.RefusedError
    return jsonify(expires_at=rfc3339(row.expires_at))


def _named_token() -> str:
    """The refresh token of the body; none where there is no body. Raises Problem 422."""
    if not request.get_data():
        return ""
    named = json_body().get("refresh_token")
    if not isinstance(named, str) or not 0 < len(named) <= TOKEN_LETTERS_MAX:
        raise Problem(422, "invalid_body", "refresh_token must be a text.")
    return named


@api.get("/auth/me")
@contract("Who asks.", {200: "Me"}, who=HOLDER)
def me() -> Response:
    """Who asks."""
    who = signed_in()
    answer = jsonify(
        sub=who.account,
        name=who.name,
        email=who.email,
        roles=sorted(who.roles),
        expires_at=rfc3339(who.expires_at) if who.expires_at else None,
    )
    return asked_again(answer)
