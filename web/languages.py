"""Spanish and English: which one somebody reads, and how they change it."""

from pathlib import Path

from flask import Blueprint, Flask, Response, request
from flask_babel import Babel, get_locale

from pipeline.settings import settings
from web.fragments import see_other
from web.inputs import local_path

pages = Blueprint("languages", __name__)

LANGUAGES = (("es", "ES", "Español"), ("en", "EN", "English"))
CODES = tuple(code for code, _, _ in LANGUAGES)
COOKIE = "language"
COOKIE_S = 365 * 86_400
TRANSLATIONS = Path(__file__).parent / "translations"


def chosen() -> str:
    """What was chosen before, else the browser's first language that we have, else Spanish."""
    kept = request.cookies.get(COOKIE)
    return kept if kept in CODES else request.accept_languages.best_match(CODES) or CODES[0]


def language() -> str:
    """The language of what is being drawn."""
    locale = get_locale()
    return locale.language if locale else CODES[0]


@pages.post("/language")
def change() -> Response:
    """Keep the chosen language and go back to the page."""
    response = see_other(local_path(request.form.get("back", "/")))
    wanted = request.form.get("to")
    if wanted in CODES:
        response.set_cookie(
            COOKIE,
            wanted,
            max_age=COOKIE_S,
            path="/",
            samesite="Lax",
            httponly=True,
            secure=settings().over_https,
        )
    return response


def register(app: Flask) -> None:
    """Catalogues, and the words of the language switch for the templates."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(TRANSLATIONS)
    app.config["BABEL_DEFAULT_LOCALE"] = CODES[0]
    Babel(app, locale_selector=_selected)
    app.context_processor(lambda: {"language": language(), "languages": LANGUAGES})


def _selected() -> str | None:
    return chosen() if request else None
