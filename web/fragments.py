"""One address gives a page or a fragment, from the same template."""

from flask import Response, make_response, render_template
from htmx_flask import request


def page_or_fragment(page: str, fragment: str, status: int = 200, **context: object) -> Response:
    """Render the fragment for an htmx swap and the page for everybody else."""
    htmx = request.htmx
    swapping = htmx and not htmx.boosted and not htmx.history_restore_request
    response = make_response(render_template(fragment if swapping else page, **context), status)
    # The two renderings share an address, so no cache may hand one out for the other.
    response.vary.update(("HX-Request", "Accept-Language", "Cookie"))
    return response
