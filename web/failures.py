"""A line in the log for each request that failed or was turned away, and its answer's id."""

import logging
import secrets
from collections import Counter
from threading import Lock
from time import monotonic
from typing import Any

from flask import Flask, Response, g, has_request_context, request

log = logging.getLogger(__name__)

HEADER = "X-Request-Id"
TURNED_AWAY = frozenset({401, 403, 413, 429})
"""What tells of an attack or a misconfiguration; other refusals are a buyer's everyday."""
LINES_A_SECOND_MAX = 10
"""So many lines of one route and status, lest whoever is turned away fills the disk."""


class _Sparing:
    """Lets so many lines of a kind pass each second, and counts the others."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._second = 0
        self._seen: Counter[tuple[str, int]] = Counter()

    def left_out(self, kind: tuple[str, int]) -> tuple[bool, int]:
        """Whether this line is left out, and how many were in the second that ended with it."""
        with self._lock:
            before = 0
            if int(monotonic()) != self._second:
                before = sum(max(0, n - LINES_A_SECOND_MAX) for n in self._seen.values())
                self._second = int(monotonic())
                self._seen.clear()
            self._seen[kind] += 1
            return self._seen[kind] > LINES_A_SECOND_MAX, before


_sparing = _Sparing()


def request_id() -> str:
    """This request's id, made when first asked for; empty where a command asks, and no request."""
    if not has_request_context():
        return ""
    if "request_id" not in g:
        g.request_id = secrets.token_hex(8)
    return str(g.request_id)


def register(app: Flask) -> None:
    """Time each request and tell of those that failed."""
    app.before_request(_begin)
    app.after_request(_tell)


def _begin() -> None:
    g.begun = monotonic()


def _tell(response: Response) -> Response:
    status = response.status_code
    if status < 500 and status not in TURNED_AWAY:
        return response
    response.headers[HEADER] = request_id()
    # The rule, not the path: ids, search words and whatever else stands in an address stay out.
    route = request.url_rule.rule if request.url_rule else "no route"
    left_out, before = _sparing.left_out((route, status))
    if before:
        log.warning("%d lines more were left out", before)
    if not left_out:
        facts: dict[str, Any] = {
            "request": request_id(),
            "method": request.method,
            "route": route,
            "status": status,
            "ms": round(1000 * (monotonic() - g.get("begun", monotonic()))),
        }
        level = logging.ERROR if status >= 500 else logging.WARNING
        text = " ".join(f"{name}={fact}" for name, fact in facts.items())
        log.log(level, text, extra={"facts": facts})
    return response
