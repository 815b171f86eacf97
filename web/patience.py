"""What somebody whom nobody knows shows when too many come at once: a little work, or time.

The work is a number that makes the SHA-256 of task and number begin with zero bits (Hashcash): a
phone finds it in a moment, a machine that wants thousands of sessions pays for each. Whoever has no
script waits instead.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from math import ceil

from flask import Response, make_response, render_template, request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.exceptions import BadRequest

from pipeline.settings import settings
from web import limits
from web.inputs import json_body
from web.problems import Problem

WORK_BITS = 13
"""Some eight thousand tries: a third of a second on a slow phone."""
WAIT_S = 8
TASK_S = 600
WORK_LETTERS_MAX = 12
FIELDS_MAX = 40
FIELD_LETTERS_MAX = 200


def needed() -> bool:
    """Whether this newcomer, who is counted, has to show something first and has not."""
    return limits.under_pressure() and not shown()


def ask() -> Response:
    """The page that works or waits, with everything that the request carried."""
    fields = [
        (name, value[:FIELD_LETTERS_MAX])
        for name, value in request.values.items(multi=True)
        if name not in ("task", "work")
    ]
    task, seconds = begun()
    page = render_template(
        "patience.html", task=task, bits=WORK_BITS, seconds=seconds, fields=fields[:FIELDS_MAX]
    )
    response = make_response(page, 429)
    response.headers["Retry-After"] = str(seconds)
    response.cache_control.no_store = True
    return response


def refusal() -> Problem:
    """The same for a program, which does the work by itself, or waits."""
    task, seconds = begun()
    problem = limits.too_many(
        "Too many newcomers come at once. Sign in; or send this again with the members `task`, as"
        " it is here, and `work`, a number in decimal digits such that the SHA-256 of `task:work`"
        " begins with `bits` zero bits; or after so many seconds with `task` alone.",
        seconds,
        limits.amount_of(limits.NEW_VISITORS),
    )
    problem.members.update(task=task, bits=WORK_BITS)
    return problem


def begun() -> tuple[str, int]:
    """A task, the request's own if it carries one, and for how many seconds to wait with it."""
    return _going_on() or (new_task(), WAIT_S)


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


def shown() -> bool:
    """Whether this form carries a task of ours, worked on or waited for, and not used yet."""
    task, work = carried()
    age = _age(task)
    if age is None or not (age >= WAIT_S or is_work(task, work)):
        return False
    return limits.first_time(f"patience {task}", TASK_S)


def _going_on() -> tuple[str, int] | None:
    """The task of somebody who came back too early, and how long is left: nobody waits anew."""
    task, work = carried()
    age = _age(task)
    if age is None or age >= WAIT_S or is_work(task, work):
        return None
    return task, ceil(WAIT_S - age)


def carried() -> tuple[str, str]:
    """Task and work of this request. Raises Problem 422 for what is no text."""
    said: Mapping[str, object] = request.form
    if request.is_json:
        try:
            said = json_body()
        except (BadRequest, Problem):
            said = {}
    task, work = said.get("task", ""), said.get("work", "")
    if not (isinstance(task, str) and isinstance(work, str)):
        raise Problem(422, "invalid_body", "task and work are texts.")
    return task, work


def _age(task: str) -> float | None:
    """How many seconds ago we gave this task; None where it is not ours, or too old."""
    try:
        _, begun = _serializer(settings().secret_key).loads(
            task, max_age=TASK_S, return_timestamp=True
        )
    except BadData:
        return None
    return float((datetime.now(UTC) - begun).total_seconds())


@lru_cache(maxsize=1)
def _serializer(secret_key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret_key, salt="patience")
