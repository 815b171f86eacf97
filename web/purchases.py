"""What became of a purchase: running, refused and why, or on to its order."""

from flask import Blueprint, Response, make_response, render_template, url_for
from htmx_flask import request

from pipeline import orders
from web.accounts import signed_in
from web.fragments import see_other
from web.keys import checked_key, refusal_of
from web.problems import Problem

pages = Blueprint("purchases", __name__)


def _go(address: str) -> Response:
    """On to this page, for a browser and for the part of a page that asks every two seconds."""
    if request.htmx:
        return Response(headers={"HX-Redirect": address})
    return see_other(address)


@pages.get("/purchases/<key>")
def show(key: str) -> Response:
    """The purchase of this key, if it is the caller's; refreshes itself while it runs."""
    purchase = orders.find(str(signed_in().account), checked_key(key))
    if purchase is None:
        raise Problem(404, "not_found", "There is no such purchase, or it is not yours.")
    if purchase.answer and purchase.answer.status == 201:
        order_uuid = purchase.answer.body["order_uuid"]
        return _go(url_for("orders.show", order_uuid=order_uuid))
    if purchase.answer is None and request.htmx:
        return make_response("", 204)
    if request.htmx:
        return _go(request.path)
    page = render_template(
        "purchases/show.html",
        purchase=purchase,
        problem=refusal_of(purchase.answer) if purchase.answer else None,
    )
    response = make_response(page)
    response.cache_control.no_store = True
    return response
