"""create_app(): settings in, pages and API registered."""

from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, make_response, redirect, request
from flask_compress import Compress
from htmx_flask import Htmx

from pipeline.settings import LOOPBACK, settings
from web import (
    accounts,
    events,
    failures,
    fragments,
    health,
    holds,
    languages,
    limits,
    looks,
    manifest,
    notices,
    offline,
    orders,
    problems,
    provider,
    purchases,
    shield,
    status,
    tickets,
    words,
)
from web.accounts import marks, privacy
from web.api import api
from web.updates import polling

ROOT = Path(__file__).parent.parent
BODY_BYTES_MAX = 64 * 1024
FOR_MACHINES = ("/api/", "/health", "/serving", "/ready", "/.well-known/", "/provider/jwks")


def create_app() -> Flask:
    """The Flask app that `web` serves: everything but `/ws`, which is the process `updates`."""
    app = Flask(
        "web", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "web/static")
    )
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_BYTES_MAX,
        MAX_FORM_MEMORY_SIZE=BODY_BYTES_MAX,
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_MIMETYPES=["text/html", "application/json", "application/problem+json"],
    )
    Htmx(app)
    failures.register(app)
    problems.register(app)
    languages.register(app)
    words.register(app)
    looks.register(app)
    notices.register(app)
    accounts.register(app)
    shield.register(app)
    limits.register(app)
    marks.register(app)
    offline.register(app)
    for pages in (events, languages, manifest, polling, holds, orders, purchases, tickets, health):
        app.register_blueprint(pages.pages)
    app.register_blueprint(privacy.pages)
    app.register_blueprint(status.pages)
    app.register_blueprint(api)
    if settings().local_mode:
        provider.register(app)
    app.before_request(_lead_to_the_one_address)
    app.after_request(fragments.keep_private)
    Compress(app)
    return app


def _lead_to_the_one_address() -> Response | None:
    """A page opened under another name of this machine goes where its cookie and socket work."""
    here, there = urlsplit(request.host_url), urlsplit(settings().public_url)
    page = request.method == "GET" and not request.path.startswith(FOR_MACHINES)
    names = {here.hostname, there.hostname}
    if not page or len(names) == 1 or not names <= LOOPBACK:
        return None
    path = request.full_path if request.query_string else request.path
    return make_response(redirect(f"{settings().public_url}{path}"))
