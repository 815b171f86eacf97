"""One address gives a page or a fragment, from the same template."""

from flask import Response, make_response, render_template, request


def page_or_fragment(page: str, fragment: str, status: int = 200, **context: object) -> Response:
    """Render the fragment for an htmx swap and the page for everybody else."""
    swapping = (
        request.headers.get("HX-Request") == "true"
        and request.headers.get("HX-Boosted") != "true"
        and request.headers.get("HX-History-Restore-Request") != "true"
    )
    response = make_response(render_template(fragment if swapping else page, **context), status)
    # The two renderings share an address, so no cache may hand one out for the other.
    response.vary.add("HX-Request")
    return response
