"""The service worker, and the page that it lays in for when there is no network."""

from flask import Blueprint, Flask, Response, make_response, redirect, render_template, send_file
from flask_babel import force_locale

from web import assets
from web.languages import CODES, language
from web.problems import Problem

pages = Blueprint("offline", __name__)

SHELL_S = 300


@pages.get("/service-worker.js")
def worker() -> Response:
    """The worker of this release; a browser asks each time whether there is a newer one."""
    if not assets.has_worker():
        raise Problem(404, "not_found", "The service worker was not built.")
    response = send_file(assets.BUILT / "service-worker.js", mimetype="text/javascript")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Service-Worker-Allowed"] = "/"
    return response


@pages.get("/offline")
def here() -> Response:
    """The page in the reader's language."""
    return make_response(redirect(f"/offline/{language()}", 302))


@pages.get("/offline/<spoken>")
def show(spoken: str) -> Response:
    """The page for no network, the same for everybody, with the shapes that other pages take."""
    if spoken not in CODES:
        raise Problem(404, "not_found", "There is no such page.")
    with force_locale(spoken):
        # Laid in once for whoever uses this browser: it must not say who that was.
        response = make_response(render_template("offline/show.html", caller=None, notice=None))
    response.headers["Content-Language"] = spoken
    response.cache_control.public = True
    response.cache_control.max_age = SHELL_S
    return response


def register(app: Flask) -> None:
    """The pages, and for each template whether there is a worker."""
    app.register_blueprint(pages)
    app.context_processor(lambda: {"has_worker": assets.has_worker()})
    app.after_request(_spoken)


def _spoken(response: Response) -> Response:
    """The worker keeps an answer for readers of its language."""
    if response.mimetype == "text/html" and "Content-Language" not in response.headers:
        response.headers["Content-Language"] = language()
    return response
