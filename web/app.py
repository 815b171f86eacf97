"""create_app(): settings in, pages and API registered."""

from pathlib import Path

from flask import Flask
from htmx_flask import Htmx

from pipeline.settings import settings
from web import (
    accounts,
    events,
    health,
    holds,
    orders,
    problems,
    provider,
    purchases,
    tickets,
    words,
)
from web.api import api

ROOT = Path(__file__).parent.parent
BODY_BYTES_MAX = 64 * 1024


def create_app() -> Flask:
    """The Flask app that `web` serves: everything but `/ws`, which is the process `updates`."""
    app = Flask(
        "web", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "web/static")
    )
    app.config.update(MAX_CONTENT_LENGTH=BODY_BYTES_MAX, MAX_FORM_MEMORY_SIZE=BODY_BYTES_MAX)
    Htmx(app)
    problems.register(app)
    words.register(app)
    accounts.register(app)
    for pages in (events, holds, orders, purchases, tickets, health):
        app.register_blueprint(pages.pages)
    app.register_blueprint(api)
    if settings().local_mode:
        provider.register(app)
    return app
