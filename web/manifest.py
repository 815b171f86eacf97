"""What a phone needs to put us on its home screen: name, icons, pictures, ways in."""

from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask_babel import gettext

from web.assets import asset
from web.languages import language

pages = Blueprint("manifest", __name__)

KEPT_S = 3_600
PAPER = "#F6F6F2"
SVG, PNG, WEBP = "image/svg+xml", "image/png", "image/webp"
ICONS = (
    ("icons/192.png", "192x192", PNG, "any"),
    ("icons/512.png", "512x512", PNG, "any"),
    ("icons/maskable-512.png", "512x512", PNG, "maskable"),
    ("icons/app.svg", "any", SVG, "any"),
)
"""`python -m tests.icons` draws them."""
NARROW, WIDE = "780x1688", "1280x800"


@pages.get("/manifest.webmanifest")
def manifest() -> Response:
    """The app as the reader's language says it."""
    response = jsonify(_said())
    response.mimetype = "application/manifest+json"
    response.cache_control.public = True
    response.cache_control.max_age = KEPT_S
    response.vary.update(("Accept-Language", "Cookie"))
    response.add_etag()
    response.make_conditional(request)
    return response


def _said() -> dict[str, Any]:
    return {
        "id": "/",
        "name": gettext("TicketBuster, entradas numeradas"),
        "short_name": "TicketBuster",
        "description": gettext(
            "Entradas numeradas de conciertos, teatro, deporte y más: eliges el asiento en el"
            " plano, pagas y la entrada llega a tu teléfono."
        ),
        "lang": language(),
        "dir": "ltr",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "theme_color": PAPER,
        "background_color": PAPER,
        "categories": ["shopping", "entertainment"],
        "icons": [
            {"src": asset(name), "sizes": sizes, "type": kind, "purpose": purpose}
            for name, sizes, kind, purpose in ICONS
        ],
        "screenshots": [_picture(*one) for one in _pictures()],
        "shortcuts": [
            _way_in(gettext("Mis entradas"), "/orders"),
            _way_in(gettext("Cartelera"), "/"),
        ],
    }


def _pictures() -> tuple[tuple[str, str, str], ...]:
    """Form factor, page, what it shows; `python -m tests.icons` takes them."""
    season, seats = gettext("Toda la temporada"), gettext("Eliges el asiento en el plano")
    return (
        ("narrow", "list", season),
        ("narrow", "seats", seats),
        ("wide", "list", season),
        ("wide", "seats", seats),
    )


def _picture(form: str, page: str, label: str) -> dict[str, str]:
    return {
        "src": asset(f"screenshots/{language()}-{form}-{page}.webp"),
        "sizes": NARROW if form == "narrow" else WIDE,
        "type": WEBP,
        "form_factor": form,
        "label": label,
    }


def _way_in(name: str, address: str) -> dict[str, Any]:
    icon = {"src": asset("icons/192.png"), "sizes": "192x192", "type": PNG}
    return {"name": name, "url": address, "icons": [icon]}
