"""Refusals: a problem document (RFC 9457) for machines, a page for people, never a stack trace."""

import json
import logging
from typing import Any

from flask import Flask, Response, render_template, request
from psycopg import OperationalError
from werkzeug.exceptions import HTTPException

from web.failures import request_id

log = logging.getLogger(__name__)

RETRY_S = 2


class Problem(Exception):  # noqa: N818  RFC 9457 calls it a problem, not an error
    """A request that is refused: status, stable code, a sentence, the code's own members."""

    def __init__(
        self,
        status: int,
        error: str,
        detail: str,
        headers: dict[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.detail = detail
        self.headers = headers or {}
        self.members = members


def busy(detail: str, seconds: int = RETRY_S) -> Problem:
    """Somebody who is needed is away, or there are too many: come back after so many seconds."""
    return Problem(503, "busy", detail, {"Retry-After": str(seconds)})


def members_of(problem: Problem) -> dict[str, Any]:
    """What a problem document says."""
    return {
        "type": "about:blank",
        "title": problem.error.replace("_", " "),
        "status": problem.status,
        "detail": problem.detail,
        "error": problem.error,
        **problem.members,
    }


def document(problem: Problem) -> Response:
    """The problem as `application/problem+json`."""
    body = members_of(problem)
    response = Response(json.dumps(body), problem.status, mimetype="application/problem+json")
    response.headers.update(problem.headers)
    return response


def _wants_document() -> bool:
    return request.path.startswith("/api/")


def answer(problem: Problem) -> Response:
    """The problem as a page, or as a document under /api."""
    if _wants_document():
        return document(problem)
    page = render_template("problem.html", problem=problem)
    response = Response(page, problem.status, mimetype="text/html")
    response.headers.update(problem.headers)
    return response


CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_type",
}


def _http(error: HTTPException) -> Response:
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()  # type: ignore[return-value]  # a redirect is its own answer
    status = error.code or 500
    headers = {name: text for name, text in error.get_headers() if name in ("Allow", "Retry-After")}
    return answer(Problem(status, CODES.get(status, "refused"), error.description or "", headers))


def _away(error: OperationalError) -> Response:
    log.warning("Postgres does not answer: %s", str(error).partition("\n")[0])
    return answer(busy(f"Nobody could look that up just now. Try again in {RETRY_S} seconds."))


def _bug(error: Exception) -> Response:
    log.error("unexpected, request %s", request_id(), exc_info=error)
    return answer(
        Problem(
            500,
            "internal_error",
            "Something broke on our side. Nothing was charged by this request.",
        )
    )


def register(app: Flask) -> None:
    """Let every refusal of this app, expected or not, be answered in the right form."""
    app.register_error_handler(Problem, answer)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(OperationalError, _away)
    app.register_error_handler(Exception, _bug)
