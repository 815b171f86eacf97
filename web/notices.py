"""A word about what was just done: said once, on the next page, carried there by a cookie."""

from flask import Flask, Response, g, request

from pipeline.settings import settings
from web.sayings import N_
from web.words import said

COOKIE = "said"
COOKIE_S = 30

NOTICES = {
    "taken": N_("Son tuyos. Paga antes de que se acabe el tiempo: nadie más puede tomarlos."),
    "out_everywhere": N_("Cerramos tus sesiones en todas partes."),
    "erased": N_("Tu cuenta está borrada. Tus compras ya no llevan nombre."),
    "released": N_("Asientos sueltos: cualquiera puede tomarlos otra vez."),
}


def tell(response: Response, what: str) -> Response:
    """Let the page that this answer leads to say it."""
    response.set_cookie(
        COOKIE,
        what,
        max_age=COOKIE_S,
        path="/",
        samesite="Lax",
        httponly=True,
        secure=settings().over_https,
    )
    return response


def register(app: Flask) -> None:
    """Give `notice()` to the templates; whatever page says it uses it up."""
    app.jinja_env.globals["notice"] = _notice
    app.after_request(_said)


def _notice() -> str:
    what = request.cookies.get(COOKIE) if request else None
    if what not in NOTICES:
        return ""
    g.noticed = True
    return said(NOTICES[what])


def _said(response: Response) -> Response:
    if g.get("noticed"):
        response.delete_cookie(COOKIE, path="/", samesite="Lax", httponly=True)
    return response
