"""One websocket a page: live seats for whoever looks, an order's fragment for its buyer."""

import logging
import signal
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

import gevent
import redis
from flask import Flask, Response, jsonify, make_response, render_template, request
from flask_babel import force_locale
from flask_sock import Sock
from simple_websocket import ConnectionClosed

from pipeline.connections import redis_client
from pipeline.messages import UPDATES_STREAM, OrderChanged, PoisonedMessageError, update
from pipeline.settings import settings
from web import accounts, languages, looks, problems, words
from web.bought import find_orders
from web.inputs import ID_DIGITS_MAX
from web.problems import Problem
from web.updates.listeners import RESTART, TRY_LATER, Listener, frame, listeners
from web.updates.maps import Maps

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent.parent
LOOK_S = 15.0
PING_S = 25
BLOCK_MS = 2_000
BATCH_MAX = 500
REDIS_RETRY_S = 1.0
SOCKETS_MAX = 12_000
MESSAGE_BYTES_MAX = 1024
MESSAGES_WAITING_MAX = 20
MESSAGE_PAUSE_S = 0.05
"""So soon after a message of a page the next one is read: nobody can keep us busy with talk."""
PAST_ENTRIES_MAX = 20_000
"""So much of the stream a process that has just started reads, so that pages can go on."""

maps = Maps(listeners)


def create_app() -> Flask:
    """The app behind /ws. It draws the same fragments as web, from the same templates."""
    app = Flask("updates", template_folder=str(ROOT / "templates"), static_folder=None)
    app.config["SOCK_SERVER_OPTIONS"] = {
        "ping_interval": PING_S,
        "max_message_size": MESSAGE_BYTES_MAX,
    }
    # Moving holds asks seatlock, and gRPC would stop every greenlet here; web does that.
    app.config["MOVES_HOLDS"] = False
    problems.register(app)
    languages.register(app)
    words.register(app)
    looks.register(app)
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
        buyer = accounts.caller().account
        _serve_socket(Listener(socket, buyer, _event_id(), languages.chosen()), socket)

    gevent.spawn(_follow, app)
    gevent.spawn(maps.tick_for_ever)
    return app


def _event_id() -> int | None:
    """The event whose seats the page shows; it may show none."""
    text = request.args.get("event", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < ID_DIGITS_MAX else None


def _same_origin() -> bool:
    return request.headers.get("Origin") == settings().public_url


def _serve_socket(listener: Listener, socket: Any) -> None:
    """Hear what the page shows, until one side ends it; texts are sent as they come."""
    listeners.open(listener)
    try:
        while socket.connected and not listeners.stopping:
            said = socket.receive(timeout=LOOK_S)
            if said is None:
                continue
            if len(socket.input_buffer) > MESSAGES_WAITING_MAX:
                break
            if isinstance(said, str):
                maps.subscribe(listener, said)
            gevent.sleep(MESSAGE_PAUSE_S)
        # Not 1000, which flask-sock would send: htmx does not come back from that.
        listener.close(RESTART if listeners.stopping else TRY_LATER)
    except ConnectionClosed:
        pass
    finally:
        listeners.close(listener)


def _follow(app: Flask) -> None:
    """Read the stream `updates` for ever and hand each order's fragment to its buyer."""
    last = ""
    while True:
        try:
            last = last or _remember()
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
            _push(app, entries)
        except Exception:
            # The page fetches its fragment by itself every few seconds: nothing is lost.
            log.exception("an update could not be pushed")


def _remember() -> str:
    """Read the end of the stream, so that pages can go on from before; gives its last entry."""
    past: Any = redis_client().xrevrange(UPDATES_STREAM, count=PAST_ENTRIES_MAX)
    if not past:
        return "0-0"
    maps.deltas.begin(past[-1][0])
    for entry, fields in reversed(past):
        _change(entry, fields)
    return str(past[0][0])


def _change(entry: str, fields: dict[str, str]) -> OrderChanged | None:
    """Take in an entry; gives it back when it is about an order."""
    try:
        change = update(fields)
    except PoisonedMessageError as error:
        log.warning("not an update of ours: %s", error)
        return None
    maps.note(entry, change)
    return change if isinstance(change, OrderChanged) else None


def _push(app: Flask, entries: list[tuple[str, dict[str, str]]]) -> None:
    """The latest state of each order, once, whatever happened to it in between."""
    changes = [_change(entry, fields) for entry, fields in entries]
    changed = {
        change.order_uuid for change in changes if change and listeners.of_buyer(change.buyer)
    }
    if not changed:
        return
    with app.app_context():
        for order in find_orders([UUID(order_uuid) for order_uuid in changed]):
            for language, reading in groupby(
                sorted(listeners.of_buyer(order.buyer), key=_language), key=_language
            ):
                with force_locale(language):
                    text = render_template("orders/_order.html", order=order, pushed=True)
                for listener in reading:
                    listener.send(frame(text))


def _language(listener: Listener) -> str:
    return listener.language


def drain(worker: Any) -> None:
    """On SIGTERM, tell every page to come back in a moment, then let the worker end."""
    ending = signal.getsignal(signal.SIGTERM)

    def goodbye(number: int, frame: Any) -> None:
        gevent.spawn(listeners.stop)
        if callable(ending):
            ending(number, frame)

    signal.signal(signal.SIGTERM, goodbye)
    worker.log.debug("sockets are drained on SIGTERM")
