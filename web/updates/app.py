"""One websocket a page: an order's buyer is sent its fragment whenever it changes."""

import logging
import signal
from collections import defaultdict
from pathlib import Path
from queue import Empty, Full
from typing import Any
from uuid import UUID

import gevent
import redis
from flask import Flask, Response, jsonify, make_response, render_template, request
from flask_sock import Sock
from gevent.queue import Queue
from simple_websocket import ConnectionClosed

from pipeline.connections import redis_client
from pipeline.messages import UPDATES_STREAM, OrderChanged, PoisonedMessageError, update
from pipeline.settings import settings
from web import accounts, problems, words
from web.bought import find_orders
from web.problems import Problem

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent.parent
UPDATES_WAITING_MAX = 32
"""A phone that stops reading gets no more; then we close, and it reconnects and reloads."""
LOOK_S = 15.0
PING_S = 25
BLOCK_MS = 2_000
BATCH_MAX = 500
REDIS_RETRY_S = 1.0
SOCKETS_MAX = 12_000
RESTART, TRY_LATER = 1012, 1013
STOP = None
"""In a socket's queue: say goodbye."""


Texts = Queue[str | None]
"""What waits for one socket."""


class Listeners:
    """Whose sockets are open here: a bounded queue each."""

    def __init__(self) -> None:
        self._by_buyer: dict[str, set[Texts]] = defaultdict(set)
        self._anonymous: set[Texts] = set()
        self.stopping = False

    def open(self, buyer: str | None) -> Texts:
        """A queue for a new socket."""
        waiting: Texts = Queue(maxsize=UPDATES_WAITING_MAX)
        self._of(buyer).add(waiting)
        return waiting

    def close(self, buyer: str | None, waiting: Texts) -> None:
        """The socket is gone."""
        self._of(buyer).discard(waiting)
        if buyer is not None and not self._by_buyer[buyer]:
            del self._by_buyer[buyer]

    def count(self) -> int:
        """How many sockets are open."""
        return len(self._anonymous) + sum(map(len, self._by_buyer.values()))

    def listens(self, buyer: str) -> bool:
        """Whether anybody would read this."""
        return buyer in self._by_buyer

    def send(self, buyer: str, text: str) -> None:
        """Put a text into the queue of each of the buyer's sockets; a full one is closed."""
        for waiting in list(self._by_buyer.get(buyer, ())):
            try:
                waiting.put_nowait(text)
            except Full:
                waiting.queue.clear()
                waiting.put_nowait(STOP)

    def stop(self) -> None:
        """Tell every socket to come back in a moment."""
        self.stopping = True
        for waiting in [*self._anonymous, *(one for own in self._by_buyer.values() for one in own)]:
            waiting.queue.clear()
            waiting.put_nowait(STOP)

    def _of(self, buyer: str | None) -> set[Texts]:
        return self._anonymous if buyer is None else self._by_buyer[buyer]


listeners = Listeners()


def create_app() -> Flask:
    """The app behind /ws. It draws the same fragments as web, from the same templates."""
    app = Flask("updates", template_folder=str(ROOT / "templates"), static_folder=None)
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": PING_S, "max_message_size": 1024}
    # Moving holds asks seatlock, and gRPC would stop every greenlet here; web does that.
    app.config["MOVES_HOLDS"] = False
    problems.register(app)
    words.register(app)
    sock = Sock(app)

    @app.before_request
    def may_listen() -> Response | None:
        """Before the upgrade: the server decides who listens, from session and origin."""
        # Compression would cost more memory a socket than all the rest of it.
        request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        if request.path != "/ws":
            return None
        if listeners.count() >= SOCKETS_MAX:
            raise Problem(503, "busy", "Too many pages listen here.", {"Retry-After": "10"})
        if not accounts.caller().bearer and not _same_origin():
            raise Problem(403, "forbidden", "This page may not listen here.")
        return None

    @app.get("/health")
    def health() -> Response:
        return make_response(jsonify(status="alive", sockets=listeners.count()))

    @sock.route("/ws")  # type: ignore[untyped-decorator]  # flask-sock ships no types
    def listen(socket: Any) -> None:
        _serve_socket(socket, accounts.caller().account)

    gevent.spawn(_follow, app)
    return app


def _same_origin() -> bool:
    return request.headers.get("Origin") == settings().public_url


def _serve_socket(socket: Any, buyer: str | None) -> None:
    """Send what is for this buyer until one side ends it."""
    waiting = listeners.open(buyer)
    try:
        while socket.connected and not listeners.stopping:
            try:
                text = waiting.get(timeout=LOOK_S)
            except Empty:
                continue
            if text is STOP:
                break
            socket.send(text)
        # Not 1000, which flask-sock would send: htmx does not come back from that.
        socket.close(RESTART if listeners.stopping else TRY_LATER)
    except ConnectionClosed:
        pass
    finally:
        listeners.close(buyer, waiting)


def _follow(app: Flask) -> None:
    """Read the stream `updates` for ever and hand each order's fragment to its buyer."""
    last = "$"
    while True:
        try:
            read: Any = redis_client().xread(
                {UPDATES_STREAM: last}, count=BATCH_MAX, block=BLOCK_MS
            )
        except redis.RedisError as error:
            log.warning("Redis is away: %s", error)
            gevent.sleep(REDIS_RETRY_S)
            continue
        entries = read[0][1] if read else []
        if entries:
            last = entries[-1][0]
        try:
            _push(app, [fields for _, fields in entries])
        except Exception:
            # The page fetches its fragment by itself every few seconds: nothing is lost.
            log.exception("an update could not be pushed")


def _push(app: Flask, entries: list[dict[str, str]]) -> None:
    """The latest state of each order, once, whatever happened to it in between."""
    changed: set[str] = set()
    for fields in entries:
        try:
            change = update(fields)
        except PoisonedMessageError as error:
            log.warning("not an update of ours: %s", error)
            continue
        if isinstance(change, OrderChanged) and listeners.listens(change.buyer):
            changed.add(change.order_uuid)
    if not changed:
        return
    with app.app_context():
        for order in find_orders([UUID(order_uuid) for order_uuid in changed]):
            fragment = render_template("orders/_order.html", order=order, pushed=True)
            listeners.send(order.buyer, fragment)


def drain(worker: Any) -> None:
    """On SIGTERM, tell every page to come back in a moment, then let the worker end."""
    ending = signal.getsignal(signal.SIGTERM)

    def goodbye(number: int, frame: Any) -> None:
        gevent.spawn(listeners.stop)
        if callable(ending):
            ending(number, frame)

    signal.signal(signal.SIGTERM, goodbye)
    worker.log.debug("sockets are drained on SIGTERM")
