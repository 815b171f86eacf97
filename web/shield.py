"""What a browser may do with our answers, and from which pages it may send us something."""

from functools import lru_cache
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask_cors import CORS

from pipeline.settings import LOOPBACK, settings
from web.accounts import issuer
from web.problems import Problem

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FEATURES = ("camera", "screen-wake-lock")
"""What pages of ours use, or the gate will; sharing needs no leave of ours."""
UNUSED = (
    "clipboard-read",
    "clipboard-write",
    "display-capture",
    "geolocation",
    "hid",
    "microphone",
    "midi",
    "payment",
    "usb",
)
"""A name that Chromium does not know on every machine would be an error in its console."""
PERMISSIONS = ", ".join([f"{one}=(self)" for one in FEATURES] + [f"{one}=()" for one in UNUSED])
SHARED = "events.picture"
"""An event's picture stands in other people's link previews; a ticket's does not."""
DATA = "default-src 'none'; frame-ancestors 'none'"
EXPOSED = [
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "Retry-After",
    "X-Account",
    "X-From-Cache",
    "X-Request-Id",
]
ALLOWED = ["Authorization", "Content-Type", "Idempotency-Key", "If-Account", "If-None-Match"]
PREFLIGHT_S = 600


def register(app: Flask) -> None:
    """Guard every answer of this app and every request that changes something."""
    origins = list(settings().cors_origins)
    if origins:
        # No credentials: a page elsewhere brings a bearer token of its own, never our cookie.
        CORS(
            app,
            resources={r"/api/.*": {}},
            origins=origins,
            expose_headers=EXPOSED,
            allow_headers=ALLOWED,
            max_age=PREFLIGHT_S,
            supports_credentials=False,
        )
    # `/events//1` would be led to `/events/1` of whatever name the Host header says.
    app.url_map.merge_slashes = False
    app.before_request(_refuse_other_sites)
    app.after_request(_guard)


def _refuse_other_sites() -> None:
    """Whoever acts with a cookie must do so from a page of ours. Raises Problem 403.

    A browser says from where a request comes, in Sec-Fetch-Site, else Origin, else Referer; what
    says none of them is no browser, and whoever can make it send our cookie needs no trick.
    Nothing expires, so a page that was left open and a replay of a service worker are as good as
    new.
    """
    if request.method in SAFE or "Authorization" in request.headers:
        return
    site = request.headers.get("Sec-Fetch-Site")
    page = request.headers.get("Origin") or request.headers.get("Referer")
    fine = site in ("same-origin", "none") if site else page is None or is_ours(page)
    if not fine:
        raise Problem(403, "cross_site", "This was sent from another site. Nothing was changed.")


def is_ours(page: str) -> bool:
    """Whether an address or origin is ours, as PUBLIC_URL says: a Host header can say anything."""
    try:
        here, there = urlsplit(settings().public_url), urlsplit(page)
        same = (here.scheme, here.port) == (there.scheme, there.port)
    except ValueError:
        return False
    names = {here.hostname, there.hostname}
    return same and (len(names) == 1 or names <= LOOPBACK)


def _guard(response: Response) -> Response:
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    shared = request.endpoint == SHARED
    headers["Cross-Origin-Resource-Policy"] = "cross-origin" if shared else "same-origin"
    if settings().hsts:
        headers["Strict-Transport-Security"] = settings().hsts
    if response.mimetype == "text/html":
        headers["Content-Security-Policy"] = policy(settings().public_url, issuer.origins())
        headers["Permissions-Policy"] = PERMISSIONS
        headers["X-Frame-Options"] = "DENY"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    elif response.mimetype != "text/javascript":
        # A worker's own policy is its script's; anything else is data, and nobody frames it.
        headers["Content-Security-Policy"] = DATA
    return response


@lru_cache(maxsize=8)
def policy(public_url: str, issuers: frozenset[str]) -> str:
    """The content policy: files of ours, our socket, our forms, and no inline script or style.

    A form may lead on to the identity provider, which Chromium counts as the form's own aim.
    """
    parts = urlsplit(public_url)
    socket = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"
    said = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": f"'self' {socket}",
        "manifest-src": "'self'",
        "worker-src": "'self'",
        "form-action": " ".join(["'self'", *sorted(issuers)]),
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    if parts.scheme == "https":
        said["upgrade-insecure-requests"] = ""
    return "; ".join(f"{name} {value}".strip() for name, value in said.items())
