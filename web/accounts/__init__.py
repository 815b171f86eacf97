"""Who asks: a visitor with a cookie, an account signed in, or the bearer of a token."""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID, uuid4

from flask import Flask, Response, current_app, g, redirect, request
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from werkzeug.exceptions import HTTPException

from pipeline.connections import pool
from pipeline.seatlock import client as seatlock
from pipeline.settings import settings
from sql import Row, read, write
from web.accounts import audit, bearer, issuer, renewal, tokens
from web.problems import Problem, busy

LIFETIME = timedelta(seconds=tokens.LIFETIME_S)
MOVE_AGAIN_S = 5.0

AWAY = (OperationalError, PoolTimeout)


@dataclass(frozen=True)
class Caller:
    """Who asks. `holder` is None for somebody with neither cookie nor token."""

    holder: str | None = None
    account: str | None = None
    name: str = ""
    email: str = ""
    roles: frozenset[str] = frozenset()
    bearer: bool = False
    expires_at: datetime | None = None
    session: bytes | None = None


NOBODY = Caller()


def caller() -> Caller:
    """Who sends this request, read once. A bad token is refused (Problem 401), never anonymous."""
    if "caller" not in g:
        g.caller = _by_token() if "Authorization" in request.headers else _by_cookie()
    found: Caller = g.caller
    return found


def signed_in() -> Caller:
    """The caller, who must have an account; a page leads to sign-in and back, the API says 401."""
    who = caller()
    if who.account is not None:
        return who
    known_now()
    if request.path.startswith("/api/"):
        raise Problem(401, "unauthenticated", "Sign in, or send a bearer token.", bearer.CHALLENGE)
    if "HX-Request" in request.headers:
        # The sign-in is a page, no part of one.
        here = _path(request.headers.get("HX-Current-URL", ""))
        leads = Response(headers={"HX-Redirect": f"/login?{urlencode({'next': here})}"})
        raise HTTPException(response=leads)
    address = f"/login?{urlencode({'next': _page_of_request()})}"
    raise HTTPException(response=redirect(address, 303))


def holder_now() -> str | None:
    """Who holds what this request's sender chose; None: a visitor who holds nothing. Raises 503."""
    holder = caller().holder
    known_now()
    return holder


def unknown_now() -> bool:
    """Whether it cannot be known who asks, or what of theirs they hold."""
    caller()
    return bool(g.get("accounts_away") or g.get("holds_elsewhere"))


def known_now() -> None:
    """Raises Problem 503 where it cannot be known who asks: nobody, or somebody signed in."""
    if unknown_now():
        raise busy("Nobody can be recognised now.")


def needs_role(role: str) -> Caller:
    """The caller, who must have this role. Raises Problem 403."""
    who = signed_in()
    if role not in who.roles:
        audit.record("role_refused", who.account, detail=role)
        raise Problem(403, "forbidden", f"This needs the role {role}.")
    return who


def start_session(response: Response) -> bytes:
    """Give a visitor a session: a row and its cookie. Gives the row's key."""
    return begin(response, visitor=uuid4())


NOBODYS: dict[str, Any] = {
    **dict.fromkeys(("sub", "issuer", "refresh_token", "fresh")),
    "name": "",
    "email": "",
    "roles": [],
    "lifetime": LIFETIME.total_seconds(),
}


def begin(response: Response, visitor: UUID | None = None, **account: Any) -> bytes:
    """A new session row, a visitor's or an account's, and its cookie on the response."""
    token = new_token()
    columns = {**NOBODYS, **account}
    with pool("web").connection() as connection:
        write(connection, "accounts.begin_session", key=key_of(token), visitor=visitor, **columns)
    set_cookie(response, token)
    return key_of(token)


def cookie_name() -> str:
    """Over https a name that no other host and no plain connection can set (RFC 6265bis, 4.1.3)."""
    return "__Host-session" if settings().over_https else "session"


def set_cookie(response: Response, token: str) -> None:
    """The cookie says nothing; it only names a row."""
    response.set_cookie(
        cookie_name(),
        token,
        max_age=LIFETIME,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=settings().over_https,
    )


def delete_cookie(response: Response) -> None:
    """The browser forgets it."""
    response.delete_cookie(
        cookie_name(), path="/", httponly=True, samesite="Lax", secure=settings().over_https
    )


def new_token() -> str:
    """A cookie's value: random, and marked as ours."""
    name = secrets.token_urlsafe(32)
    return f"{name}.{_mark(name)}"


def is_ours(token: str) -> bool:
    """Whether we gave this cookie; says nothing of whether its session still lives."""
    name, _, mark = token.partition(".")
    return hmac.compare_digest(_mark(name).encode(), mark.encode(errors="replace"))


def _mark(name: str) -> str:
    key = settings().secret_key.encode()
    return hmac.digest(key, b"cookie " + name.encode(errors="replace"), hashlib.sha256).hex()[:16]


def key_of(token: str) -> bytes:
    """Under which key the cookie's session stands."""
    return hashlib.sha256(token.encode()).digest()


def session() -> tuple[bytes, Row] | None:
    """The cookie's living session: its key and row."""
    token = request.cookies.get(cookie_name())
    if not token:
        return None
    with pool("web").connection() as connection:
        rows = read(connection, "accounts.session", key=key_of(token), issuer=issuer.address())
    return (key_of(token), rows[0]) if rows else None


def living(keys: Collection[bytes]) -> set[bytes]:
    """Which of these sessions can still be used. Raises psycopg's errors."""
    with pool("web").connection() as connection:
        rows = read(
            connection, "accounts.living_sessions", keys=list(keys), issuer=issuer.address()
        )
    return {bytes(row.key) for row in rows}


def _by_token() -> Caller:
    claims = bearer.claims_of(request.headers["Authorization"])
    return Caller(
        holder=f"account:{claims.sub}",
        account=claims.sub,
        name=claims.name,
        email=claims.email,
        roles=claims.roles,
        bearer=True,
        expires_at=claims.expires_at,
    )


def _by_cookie() -> Caller:
    try:
        return _by_session(_renewed(session()))
    except AWAY:
        # Public pages can be shown from the cache; whoever needs an account is told to wait.
        g.accounts_away = True
        return NOBODY


def _by_session(found: tuple[bytes, Row] | None) -> Caller:
    if found is None:
        return NOBODY
    key, row = found
    if row.sub is None:
        return Caller(holder=f"visitor:{row.visitor}", expires_at=row.expires_at)
    if row.visitor is not None and _asks_others():
        # Until they have moved, what the visitor holds is somebody else's for the account.
        g.holds_elsewhere = not move_holds(key, row.visitor, row.sub)
    return Caller(
        f"account:{row.sub}",
        row.sub,
        row.name,
        row.email,
        frozenset(row.roles),
        expires_at=row.expires_at,
        session=key,
    )


def _renewed(found: tuple[bytes, Row] | None) -> tuple[bytes, Row] | None:
    """The same session, after its issuer was asked if it is time to."""
    if found is None or not found[1].stale or not _asks_others():
        return found
    row = renewal.renew(*found)
    return (found[0], row) if row else None


def _asks_others() -> bool:
    """Whether this process may wait for seatlock and the issuer; `updates` may not."""
    return bool(current_app.config.get("ASKS_OTHERS", True))


_tried: dict[bytes, float] = {}
TRIED_MAX = 10_000


def move_holds(key: bytes, visitor: UUID, sub: str) -> bool:
    """Give the visitor's holds to the account; False when seatlock does not answer just now.

    The session keeps the visitor until then, and a later request tries again.
    """
    if monotonic() < _tried.get(key, 0.0):
        return False
    try:
        seatlock.move(f"visitor:{visitor}", f"account:{sub}")
    except seatlock.SeatlockUnreachableError:
        if len(_tried) >= TRIED_MAX:
            _tried.clear()
        _tried[key] = monotonic() + MOVE_AGAIN_S
        return False
    with pool("web").connection() as connection:
        write(connection, "accounts.holds_moved", key=key, visitor=visitor)
    return True


def _page_of_request() -> str:
    """Where somebody who has to sign in first wants to be afterwards."""
    if request.method == "GET":
        return request.full_path if request.query_string else request.path
    event_id = request.form.get("event_id", "")
    if event_id.isascii() and event_id.isdigit():
        return f"/events/{event_id}/checkout"
    return _path(request.headers.get("Referer", ""))


def _path(address: str) -> str:
    """The path of an address of ours, else that of my orders."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/orders"
    return parts.path if parts.netloc == request.host and parts.path else "/orders"


def register(app: Flask) -> None:
    """Sign-in, sign-out, and `caller` for the templates."""
    from web.accounts import sign_in  # noqa: PLC0415  it needs what stands above

    app.register_blueprint(sign_in.pages)
    app.context_processor(lambda: {"caller": known()})


def known() -> Caller:
    """The caller; nobody where a token is not accepted."""
    try:
        return caller()
    except Problem:
        # The page that says so is being drawn.
        return NOBODY
