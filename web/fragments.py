"""How pages answer: a page or its fragment, the way on, and what nobody else may keep."""

from flask import Response, make_response, redirect, render_template
from htmx_flask import request


def page_or_fragment(page: str, fragment: str, status: int = 200, **context: object) -> Response:
    """Render the fragment for an htmx swap and the page for everybody else."""
    htmx = request.htmx
    swapping = htmx and not htmx.boosted and not htmx.history_restore_request
    response = make_response(render_template(fragment if swapping else page, **context), status)
    # The two renderings share an address, so no cache may hand one out for the other.
    response.vary.update(("HX-Request", "Accept-Language", "Cookie"))
    return response


def see_other(address: str) -> Response:
    """After a form: on to this address, by GET."""
    return make_response(redirect(address, 303))


def private(response: Response) -> Response:
    """The buyer's browser alone may keep it, and asks each time whether it is still so."""
    response.cache_control.private = True
    response.cache_control.no_cache = True
    response.vary.add("Cookie")
    return response


def asked_again(response: Response) -> Response:
    """The caller's own, with an ETag by which a program asks whether it changed."""
    private(response).vary.add("Authorization")
    response.add_etag()
    response.make_conditional(request)
    return response


def keep_private(response: Response) -> Response:
    """What does not say who may keep it is the asker's alone: a cache may ignore Vary."""
    if "Cache-Control" not in response.headers:
        private(response)
    return response
