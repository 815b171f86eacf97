"""What somebody whom nobody knows shows when too many come at once: a little work, or time.

The work is a number that makes the SHA-256 of task and number begin with zero bits (Hashcash): a
phone finds it in a moment, a machine that wants thousands of sessions pays for each. Whoever has no
script waits instead.
"""

import hashlib
import secrets
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from time import monotonic

from flask import Response, make_response, render_template, request
from itsdangerous import BadData, URLSafeTimedSerializer
from redis import RedisError

from pipeline.connections import redis_client
from pipeline.settings import settings

WORK_BITS = 13
"""Some eight thousand tries: a third of a second on a slow phone."""
WAIT_S = 8
TASK_S = 600
WORK_LETTERS_MAX = 12
SPENT_MAX = 10_000
FIELDS_MAX = 40
FIELD_LETTERS_MAX = 200


class _Spent:
    """Tasks that were used already, for as long as Redis cannot say so."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._until: dict[str, float] = {}

    def spend(self, name: str) -> bool:
        """Whether it was not spent before."""
        now = monotonic()
        with self._lock:
            if len(self._until) >= SPENT_MAX:
                self._until = {one: end for one, end in self._until.items() if end > now}
            fresh = self._until.get(name, 0.0) <= now and len(self._until) < SPENT_MAX
            self._until[name] = now + TASK_S
        return fresh


_spent = _Spent()


def shown() -> bool:
    """Whether this form carries a task of ours, worked on or waited for, and not used yet."""
    task = request.form.get("task", "")
    try:
        name, begun = _serializer(settings().secret_key).loads(
            task, max_age=TASK_S, return_timestamp=True
        )
    except BadData:
        return False
    waited = (datetime.now(UTC) - begun).total_seconds() >= WAIT_S
    return (waited or is_work(task, request.form.get("work", ""))) and _spend(name)


def ask() -> Response:
    """The page that works or waits, with everything that the form carried."""
    fields = [
        (name, value[:FIELD_LETTERS_MAX])
        for name, value in request.form.items(multi=True)
        if name not in ("task", "work")
    ]
    page = render_template(
        "holds/patience.html",
        task=new_task(),
        bits=WORK_BITS,
        seconds=WAIT_S,
        fields=fields[:FIELDS_MAX],
    )
    response = make_response(page, 429)
    response.headers["Retry-After"] = str(WAIT_S)
    response.cache_control.no_store = True
    return response


def new_task() -> str:
    """A task, signed, with its time."""
    signed = _serializer(settings().secret_key).dumps(secrets.token_urlsafe(9))
    return signed if isinstance(signed, str) else signed.decode()


def is_work(task: str, work: str) -> bool:
    """Whether somebody tried as often as the task asks for."""
    if not work.isdecimal() or not work.isascii() or len(work) > WORK_LETTERS_MAX:
        return False
    digest = hashlib.sha256(f"{task}:{work}".encode()).digest()
    return int.from_bytes(digest[:4]) >> (32 - WORK_BITS) == 0


def _spend(name: str) -> bool:
    try:
        return bool(redis_client().set(f"patience:{name}", "spent", nx=True, ex=TASK_S))
    except RedisError:
        return _spent.spend(name)


@lru_cache(maxsize=1)
def _serializer(secret_key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret_key, salt="patience")
