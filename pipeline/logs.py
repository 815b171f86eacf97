"""How every process logs: a line an event, as text or JSON, never a card number, token or name."""

import json
import logging
import sys
from datetime import UTC, datetime

from pipeline.settings import settings


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "where": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure() -> None:
    """Send this process's log to stderr, as LOG_FORMAT says."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Json()
        if settings().log_format == "json"
        else logging.Formatter("%(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("rq.worker", "urllib3.connectionpool", "gunicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
