"""How every process logs: a line an event, as text or JSON, never a card number, token or name."""

import json
import logging
import re
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from pipeline.settings import settings

CARD_DIGITS = range(13, 20)
TEN = 10
SECRETS = re.compile(
    r"(?P<query>\?[^\s\"'?]*=[^\s\"']*)"
    r"|(?P<bearer>\b(?:bearer|basic)\s+[\w.~+/=-]+)"
    r"|(?P<jwt>\beyJ[\w-]{6,}(?:\.[\w-]*){0,4})"
    r"|(?P<method>\bpm_[\w-]{8,})"
    r"|(?P<named>\b(?:set-cookie|cookie|authorization|(?:__Host-)?session|password|\w*secret|\w+_token"
    r"|code_verifier|card_number|email)[\"']?\s*[=:]\s*"
    r"(?:\"[^\"]*\"|'[^']*'|(?:(?:bearer|basic)\s+)?[^\s,;&)}\]]+))"
    r"|(?P<email>(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<card>(?<![\w.-])(?:\d{13,19}|\d{4}(?:[ -]\d{4}){2}[ -]\d{1,7}|\d{4}[ -]\d{6}[ -]\d{5})"
    r"(?![\w-]))",
    re.IGNORECASE,
)
"""What must not be in a log. Nothing of ours writes it there; a library's exception might."""


def redact(text: str) -> str:
    """The text with every card number, token, cookie, e-mail address and query string taken out."""
    return SECRETS.sub(_hidden, text)


def _hidden(found: re.Match[str]) -> str:
    kind = str(found.lastgroup)
    if kind == "card" and not _is_card(found.group()):
        return found.group()
    return f"[{kind}]"


def _is_card(text: str) -> bool:
    """Sixteen digits, or another length with a card's check digit: times and ids have neither."""
    digits = [int(letter) for letter in text if letter.isdigit()]
    if len(digits) == 16:  # noqa: PLR2004  what is printed on most cards
        return True
    doubled = [2 * digit - 9 * (2 * digit >= TEN) for digit in digits[-2::-2]]
    return len(digits) in CARD_DIGITS and (sum(digits[-1::-2]) + sum(doubled)) % TEN == 0


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class _Text(logging.Formatter):
    """A line as people read it; only an exception takes several."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        return _time(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name
        # What comes from outside may not begin a line of its own.
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _Json(logging.Formatter):
    """A line as machines read it, with the facts that a caller gave as `extra={"facts": …}`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": _time(record),
            "level": record.levelname.lower(),
            "where": record.name,
            "message": redact(record.getMessage()),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["error"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def configure() -> None:
    """Send this process's log to stderr, as LOG_FORMAT says; also what ends it or a thread."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if settings().log_format == "json" else _Text())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("rq.worker", "urllib3.connectionpool", "gunicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    sys.excepthook = _ended
    threading.excepthook = _failed


def _ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger(__name__).critical("ended by an error", exc_info=(kind, error, trace))


def _failed(thread: threading.ExceptHookArgs) -> None:
    if thread.exc_value is not None:
        _ended(thread.exc_type, thread.exc_value, thread.exc_traceback)
