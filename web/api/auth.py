"""Sign-in for machines and scripts of the page."""

from flask import Response, jsonify, make_response, redirect, request

from web.accounts import sign_in, signed_in
from web.api import api
from web.words import rfc3339


@api.post("/auth/login")
def begin_login() -> Response:
    """Where to sign in, and a cookie that the sign-in belongs to; a form is led there."""
    body = request.get_json() if request.is_json else request.form
    following = body.get("next") if hasattr(body, "get") else None
    response = make_response()
    address = sign_in.authorization_url(response, following if isinstance(following, str) else "/")
    answer = jsonify(authorization_url=address) if request.is_json else redirect(address, 303)
    for cookie in response.headers.getlist("Set-Cookie"):
        answer.headers.add("Set-Cookie", cookie)
    return make_response(answer)


@api.post("/auth/logout")
def end_login() -> Response:
    """The session ends."""
    response = make_response("", 204)
    sign_in.end_session(response)
    return response


@api.get("/auth/me")
def me() -> Response:
    """Who asks."""
    who = signed_in()
    return jsonify(
        sub=who.account,
        name=who.name,
        email=who.email,
        roles=sorted(who.roles),
        expires_at=rfc3339(who.expires_at) if who.expires_at else None,
    )
