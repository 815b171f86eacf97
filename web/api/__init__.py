"""The JSON API: one blueprint, its modules by noun. Refusals are problem documents."""

from flask import Blueprint, request

from web.accounts import caller
from web.problems import Problem

api = Blueprint("api", __name__, url_prefix="/api")


@api.before_request
def check() -> None:
    """A bad token is refused everywhere, and so is an address that says two things at once."""
    if "Authorization" in request.headers and not request.path.startswith("/api/auth/"):
        caller()
    repeated = [name for name, values in request.args.lists() if len(values) > 1]
    if repeated:
        detail = "Each parameter can be given once."
        raise Problem(422, "invalid_parameter", detail, parameter=repeated[0][:PARAMETER_MAX])


PARAMETER_MAX = 50

from web.api import auth, events, holds, openapi, orders, purchases  # noqa: E402, F401  they add their addresses
