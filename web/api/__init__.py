"""The JSON API: one blueprint, its modules by noun. Refusals are problem documents."""

from flask import Blueprint

api = Blueprint("api", __name__, url_prefix="/api")

from web.api import auth, events, holds, orders  # noqa: E402, F401  they add their addresses
