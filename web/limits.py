"""How often somebody may ask: by visitor, by account, and by address only as a wide last bound."""

import logging
from collections.abc import Iterator
from functools import cache, lru_cache
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import time
from typing import Any

import limits as engine
from flask import Flask, Response, current_app, g, make_response, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded, RequestLimit
from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline import orders
from pipeline.settings import settings
from web import accounts
from web.accounts import issuer, marks
from web.lots import Lots
from web.problems import Problem, answer
from web.provider.users import LETTERS_MAX
from web.proxies import client_address

log = logging.getLogger(__name__)

PER_VISITOR = "100 per minute"
PER_ADDRESS = "6000 per minute"
"""A whole mobile carrier can stand behind one address: this only stops a single machine's flood."""
LOTS = 100
"""An address is counted by the hundredth of what it may: nearly no request asks Redis for it."""
ORDERS_PER_ACCOUNT = "10 per minute"
METHODS_PER_ACCOUNT = "30 per minute"
GUESSES_PER_ACCOUNT_AND_ADDRESS = "10 per minute"
GUESSES_PER_ACCOUNT = "300 per hour"
"""From everywhere: above this patience is asked for. A refusal would shut the owner out, too."""
SIGN_INS_PER_ADDRESS = "600 per minute"
NEW_VISITORS_PER_ADDRESS = "120 per minute"
"""So many of them from one address: else one machine could bring all others into that."""
NEW_VISITORS = "600 per minute"
"""So many sessions of people nobody knows may begin before they are asked to show some patience."""
REDIS_S = 0.1
"""So long is Redis waited for, once; then this process counts alone for a while."""

ORDERING = frozenset({"orders.create", "api.create_order"})
SIGN_IN = "provider.authorize"
GUESSING = frozenset({SIGN_IN, "provider.register_somebody"})
"""What makes a digest that is slow on purpose."""
UNCOUNTED = frozenset({
    "health.alive", "health.serving", "health.ready",
    "polling.show",  # what a page without a socket asks every few seconds, from memory
    "provider.jwks",  # whoever verifies our tokens, from memory
})  # fmt: skip


def register(app: Flask) -> None:
    """Count the requests of this app. RATE_LIMITS=off counts none."""
    if not settings().rate_limits:
        return
    # It writes down who was limited, address and all.
    logging.getLogger("flask-limiter").setLevel(logging.WARNING)
    # Handed on to redis-py as it is.
    waiting: dict[str, Any] = {
        "socket_timeout": REDIS_S,
        "socket_connect_timeout": REDIS_S,
        "retry": Retry(NoBackoff(), 0),
    }
    limiter = Limiter(
        _here,
        application_limits=[
            _limit("visitor", lambda: PER_VISITOR, _visitor),
            _limit("address", lambda: PER_ADDRESS, _here, Lots()),
            _limit("orders", lambda: ORDERS_PER_ACCOUNT, _buyer),
            _limit("methods", lambda: METHODS_PER_ACCOUNT, _payer),
            _limit("guesses", lambda: GUESSES_PER_ACCOUNT_AND_ADDRESS, _guess_from_here),
            _limit("sign-ins", lambda: SIGN_INS_PER_ADDRESS, _sign_in_from_here),
        ],
        strategy="sliding-window-counter",
        storage_uri=settings().redis_url.replace("unix://", "redis+unix://"),
        storage_options=waiting,
        in_memory_fallback_enabled=True,
        key_prefix="limits",
        request_identifier=lambda: request.endpoint or "nowhere",
    )
    limiter.request_filter(
        lambda: request.endpoint in UNCOUNTED or issuer.INSIDE in request.environ
    )
    limiter.init_app(app)
    app.extensions["limits"] = limiter
    app.register_error_handler(RateLimitExceeded, _exceeded)


class _Limit(ApplicationLimit):
    """A limit that costs nothing where it counts nothing: the library reads all at each request."""

    def __iter__(self) -> Iterator[Any]:
        return iter(()) if self.exempt_when and self.exempt_when() else super().__iter__()


def _limit(scope: str, amount: Any, key: Any, lots: Lots | None = None) -> _Limit:
    """A limit that does not count whoever has no such key; with lots it counts many together."""

    def once() -> tuple[str, int]:
        """The key, and how many to count; the library asks more than once a request."""
        known: dict[str, tuple[str, int]] = g.setdefault("limits", {})
        if scope not in known:
            name = key()
            lot = max(1, amount_of(amount()) // LOTS)
            known[scope] = name, lots.add(name, lot) if lots and name else 1
        return known[scope]

    def refused(_: RequestLimit) -> None:
        if lots:
            lots.refused(once()[0])

    return _Limit(
        limit_provider=amount,
        key_function=lambda: once()[0],
        scope=scope,
        exempt_when=lambda: not all(once()),
        cost=lambda: once()[1],
        on_breach=refused,
    )


def _visitor() -> str:
    """Whose request this is; an order is counted as one, and not here as well."""
    return "" if _buyer() else _asker()


def _asker() -> str:
    """A bearer's subject, or a cookie that we gave; whoever has neither has no count of their own.

    Else many who share an address would share one small allowance, and an invented cookie would
    be a new one.
    """
    # A header that is no token counts for nothing: the cookie beside it still says who this is.
    if "Authorization" in request.headers and (account := _account()):
        return account
    token = request.cookies.get(accounts.cookie_name(), "")
    return accounts.key_of(token).hex() if token and accounts.is_ours(token) else ""


def _account() -> str:
    try:
        return accounts.caller().account or ""
    except Problem:
        # A token that is not accepted: the answer says so.
        return ""


def _buyer() -> str:
    return _account() if request.endpoint in ORDERING else ""


def _payer() -> str:
    return _account() if request.endpoint == "api.create_payment_method" else ""


def _guess() -> str:
    """The account whose password somebody tries."""
    trying = request.method == "POST" and request.endpoint == SIGN_IN
    email = request.form.get("email", "") if trying else ""
    return email.strip().lower()[:LETTERS_MAX]


def _guess_from_here() -> str:
    return f"{_here()} {_guess()}" if _guess() else ""


def _sign_in_from_here() -> str:
    """The address, whatever the form names: an empty field costs as much work as a full one."""
    return _here() if request.method == "POST" and request.endpoint in GUESSING else ""


def _here() -> str:
    """Whom an address stands for: of IPv6 everybody has a whole /64 (RFC 6177)."""
    return _counted_as(client_address())


@lru_cache(maxsize=4_096)
def _counted_as(address: str) -> str:
    found = ip_address(address)
    return f"{IPv6Address(int(found) >> 64 << 64)}/64" if found.version == 6 else address


def under_pressure() -> bool:
    """Whether more newcomers come than usual, here or from everywhere; counts one."""
    if not _counted(NEW_VISITORS_PER_ADDRESS, "new-visitors", _here()):
        return True
    return not _counted(NEW_VISITORS, "new-visitors")


def guessed_often() -> bool:
    """Whether the password of the account that this form names was tried often; counts one."""
    return bool(_guess()) and not _counted(GUESSES_PER_ACCOUNT, "account", _guess())


def first_time(name: str, seconds: int) -> bool:
    """Whether nobody has said this name here in the last so many seconds."""
    return _counted(f"1 per {seconds} second", name)


def amount_of(limit: str) -> int:
    """How many a limit allows."""
    return _parsed(limit).amount


def _counted(limit: str, *names: str) -> bool:
    """Whether one more is within the limit; in this process alone while Redis is away."""
    limiter: Limiter | None = current_app.extensions.get("limits")
    if limiter is None:
        return True
    try:
        return limiter.limiter.hit(_parsed(limit), "limits", *names)
    except RedisError:
        # What the limiter does itself when it is the first to see it; a test holds this in place.
        log.warning("Redis is away: this process counts alone")
        limiter._storage_dead = True  # noqa: SLF001
        return limiter.limiter.hit(_parsed(limit), "limits", *names)


@cache
def _parsed(amount: str) -> engine.RateLimitItem:
    return engine.parse(amount)


def _exceeded(error: RateLimitExceeded) -> Response:
    """429 with the contract's body; but a purchase that is asked about again is no further one."""
    limiter: Limiter = current_app.extensions["limits"]
    ordering = error.limit is not None and error.limit.scope == "orders"
    # What is no order is a request like any.
    if ordering and _counted(PER_VISITOR, _asker(), "visitor") and _is_a_repeat():
        return _answered_again()
    hit = limiter.current_limit
    seconds = min(max(1, ceil(hit.reset_at - time())), hit.limit.get_expiry()) if hit else 1
    detail = f"That was too often. Try again in {seconds} seconds."
    return answer(too_many(detail, seconds, hit.limit.amount if hit else 0))


def too_many(detail: str, seconds: int, amount: int) -> Problem:
    """429 as the contract has it."""
    return Problem(
        429,
        "too_many_requests",
        detail,
        {"Retry-After": str(seconds)},
        retryAfter=seconds,
        remaining=0,
        limit=amount,
    )


def _answered_again() -> Response:
    """What the view says after all: a refusal, too, which nobody else would catch in here."""
    view = current_app.view_functions[str(request.endpoint)]
    try:
        marks.hold_to_account()
        return make_response(view(**(request.view_args or {})))
    except Exception as error:  # noqa: BLE001  the app knows what to say of each
        return make_response(current_app.handle_user_exception(error))


def _is_a_repeat() -> bool:
    key = request.headers.get("Idempotency-Key") or request.form.get("idempotency_key") or ""
    return bool(key.isprintable() and key and orders.find(_account(), key))
