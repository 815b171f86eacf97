"""Connections to Postgres and Redis: who may do what, and how long anybody waits."""

from contextlib import suppress
from functools import cache
from threading import Event, Lock, Thread
from typing import Any, ClassVar, Literal

import redis
from psycopg import Connection, OperationalError
from psycopg.rows import namedtuple_row
from psycopg_pool import ConnectionPool, PoolClosed
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.settings import settings

Role = Literal["seatlock", "pipeline", "web"]
Pool = ConnectionPool[Connection[Any]]
_opening = Lock()

STATEMENT_S = 5.0
WEB_STATEMENT_S = 2.8
"""Somebody waits for a page, or for what it says when Postgres is away."""
ANSWER_S = 0.2
"""So much later than its own limit a Postgres that has said nothing is away."""
SHUTDOWN = "57P"
"""SQLSTATEs of a server that ends a connection."""
IDLE_S = 5.0
CONNECT_TIMEOUT_S = 3
POOL_WAIT_S = 3.0
REDIS_ASKED_S = 0.3
"""So long somebody who waits for a page waits for Redis: it can be drawn without."""
REDIS_TIMEOUT_S = 5.0
"""Longer than any blocking read of ours: redis-py would otherwise cut it off and ask again."""


class Answering(Connection[Any]):
    """A connection whose server answers in time, or is away: OperationalError, and it is closed.

    Neither a server that stands still nor a line that swallows everything ends a connection.
    """

    answer_s = STATEMENT_S + ANSWER_S
    troubled: ClassVar[list[Event]] = []
    """Set when one is found dead: whoever watches a pool looks at the others."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's, with a limit where the caller gives none."""
        try:
            limit = self.answer_s if timeout is None else timeout
            return super().wait(gen, interval, limit)
        except OperationalError as error:
            # Without a state it is no answer, and what still comes belongs to nobody's question.
            if timeout is None and error.sqlstate is None:
                self.close()
            if self.closed or str(error.sqlstate).startswith(SHUTDOWN):
                for one in self.troubled:
                    one.set()
            raise


class AnsweringSoon(Answering):
    """The same for whoever waits for a page."""

    answer_s = WEB_STATEMENT_S + ANSWER_S


def _limits(role: Role) -> tuple[type[Answering], float]:
    return (AnsweringSoon, WEB_STATEMENT_S) if role == "web" else (Answering, STATEMENT_S)


def _address(role: Role) -> tuple[str, dict[str, Any]]:
    """Where this role connects to and how.

    Generic plans are forced: `id = ANY(…)` is otherwise planned anew at every call, which costs
    more than running it.
    """
    limit_ms = round(1_000 * _limits(role)[1])
    options = f"-c plan_cache_mode=force_generic_plan -c statement_timeout={limit_ms}"
    own_login = settings().database_urls.get(role)
    if own_login is None:
        options += f" -c role={role}"
    return own_login or settings().database_url, {
        "autocommit": True,
        "row_factory": namedtuple_row,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "options": options,
        "application_name": f"ticketbuster {role}",
        "prepare_threshold": 2,
    }


def pool(role: Role, size: int = 8) -> Pool:
    """The process's pool of autocommitting connections of a role; rows are named tuples."""
    # Two threads that come first at once must not open one each: nobody would close the second.
    with _opening:
        return _pool(role, size)


@cache
def _pool(role: Role, size: int) -> Pool:
    address, how = _address(role)
    made: Pool = ConnectionPool(
        address,
        connection_class=_limits(role)[0],
        min_size=1,
        max_size=size,
        open=True,
        timeout=POOL_WAIT_S,
        kwargs=how,
        name=role,
    )
    Thread(target=_watch, args=(made,), daemon=True).start()
    return made


def _watch(watched: Pool) -> None:
    """Replace what is dead in a pool that nobody used for a while, or where one was found dead.

    Else each of its connections would cost somebody their answer after a restart of Postgres.
    """
    troubled, asked = Event(), -1
    Answering.troubled.append(troubled)
    while not watched.closed:
        found_dead = troubled.wait(IDLE_S)
        troubled.clear()
        last, asked = asked, watched.get_stats().get("requests_num", 0)
        if found_dead or asked == last:
            with suppress(PoolClosed):
                watched.check()
    Answering.troubled.remove(troubled)


def dedicated(role: Role) -> Connection[Any]:
    """A connection of the caller's own, for what must live as long as the connection: a lock."""
    address, how = _address(role)
    return _limits(role)[0].connect(address, **how)


@cache
def queue_client() -> redis.Redis:
    """The same server for RQ, which wants replies as bytes."""
    return redis.Redis.from_url(settings().redis_url, socket_connect_timeout=CONNECT_TIMEOUT_S)


@cache
def asked_redis_client() -> redis.Redis:
    """The same for whoever answers a page: Redis answers soon or is away, and is asked once."""
    return redis.Redis.from_url(
        settings().redis_url,
        decode_responses=True,
        socket_timeout=REDIS_ASKED_S,
        socket_connect_timeout=REDIS_ASKED_S,
        retry=Retry(NoBackoff(), 0),
    )


@cache
def redis_client() -> redis.Redis:
    """The process's Redis client (a pool of connections of its own); replies are text."""
    return redis.Redis.from_url(
        settings().redis_url,
        decode_responses=True,
        # What is no text is read all the same, and then set aside by whoever cannot use it.
        encoding_errors="replace",
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
    )
