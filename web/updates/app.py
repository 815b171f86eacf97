"""One websocket a page: live seats for whoever looks, an order's fragment for its buyer."""

import logging
import signal
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
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
from pipeline.messages import UPDATES_STREAM, OrderChanged
from web import accounts, languages, looks, problems, shield, words
from web.bought import find_orders
from web.inputs import ID_DIGITS_MAX
from web.problems import Problem, busy
from web.updates.listeners import RESTART, TRY_LATER, Listener, frame, listeners
from web.updates.maps import Maps
from web.updates.stream import changes, newest

log = logging.getLogger(__name__)

ROOT = Path(__file__).parent.parent.parent
LOOK_S = 15.0
PING_S = 25
BLOCK_MS = 2_000
BATCH_MAX = 500
RETRY_S = 1.0
SESSIONS_S = 5.0
SESSIONS_MAX = 1_000
SOCKETS_MAX = 12_000
MESSAGE_BYTES_MAX = 1024
MESSAGES_WAITING_MAX = 20
MESSAGE_PAUSE_S = 0.05
"""So soon after a message of a page the next one is read: nobody can keep us busy with talk."""
maps = Maps(listeners)


def create_app() -> Flask:
    """The app behind /ws. It draws the same fragments as web, from the same templates."""
    app = Flask("updates", template_folder=str(ROOT / "templates"), static_folder=None)
    app.config["SOCK_SERVER_OPTIONS"] = {
        "ping_interval": PING_S,
        "max_message_size": MESSAGE_BYTES_MAX,
    }
    # Moving holds asks seatlock, and gRPC would stop every greenlet here; web does that.
    app.config["ASKS_OTHERS"] = False
    problems.register(app)
    languages.register(app)
    words.register(app)
    looks.register(app)
    shield.register(app)
    sock = Sock(app)

    @app.before_request
    def may_listen() -> Response | None:
        """Before the upgrade: the server decides who listens, from session and origin."""
        # Compression would cost more memory a socket than all the rest of it.
        request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        if request.path != "/ws":
            return None
        if listeners.count() >= SOCKETS_MAX:
            raise busy("Too many pages listen here.", 10)
        if not accounts.caller().bearer and not shield.is_ours(request.headers.get("Origin", "")):
            raise Problem(403, "forbidden", "This page may not listen here.")
        # Else it would listen as nobody, and its orders would never be pushed.
        accounts.known_now()
        return None

    @app.get("/health")
    def health() -> Response:
        return make_response(jsonify(status="alive", sockets=listeners.count()))

    @sock.route("/ws")  # type: ignore[untyped-decorator]  # flask-sock ships no types
    def listen(socket: Any) -> None:
        who = accounts.caller()
        listener = Listener(socket, who.account, _event_id(), languages.chosen())
        listener.session = who.session
        listener.ends_at = who.expires_at if who.bearer else None
        _serve_socket(listener, socket)

    gevent.spawn(_follow, app)
    gevent.spawn(_let_go_for_ever)
    gevent.spawn(maps.tick_for_ever)
    return app


def _event_id() -> int | None:
    """The event whose seats the page shows; it may show none."""
    text = request.args.get("event", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < ID_DIGITS_MAX else None


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
    """Read the stream `updates` for ever; whatever goes wrong, begin with its end once more."""
    while True:
        try:
            last = maps.remember(newest(redis_client()))
            while True:
                last = _next(app, last)
        except redis.RedisError as error:
            log.warning("Redis is away: %s", error)
        except Exception:
            log.exception("the stream could not be followed")
        gevent.sleep(RETRY_S)


def _let_go_for_ever() -> None:
    """Close the sockets of sessions that have ended: who signed out hears nothing more."""
    while True:
        gevent.sleep(SESSIONS_S)
        try:
            let_go()
        except accounts.AWAY as error:
            log.warning("nobody knows which sessions ended: %s", type(error).__name__)
        except Exception:
            log.exception("sockets of ended sessions could not be found")


def let_go() -> None:
    """Close the sockets whose session or token has ended; a page comes back as who it then is."""
    now = datetime.now(UTC)
    for listener in listeners.everywhere():
        if listener.ends_at is not None and listener.ends_at <= now:
            listener.close(TRY_LATER)
    keys = [one.session for one in listeners.everywhere() if one.session is not None]
    living: set[bytes] = set()
    for at in range(0, len(keys), SESSIONS_MAX):
        living |= accounts.living(keys[at : at + SESSIONS_MAX])
    ended = set(keys) - living
    for listener in listeners.everywhere():
        if listener.session in ended:
            listener.close(TRY_LATER)


def _next(app: Flask, last: str) -> str:
    """Take in what follows this entry; gives the last one taken in. Raises RedisError."""
    read: Any = redis_client().xread({UPDATES_STREAM: last}, count=BATCH_MAX, block=BLOCK_MS)
    orders: list[OrderChanged] = []
    for entry, change in changes(read[0][1] if read else ()):
        maps.note(entry, change)
        if isinstance(change, OrderChanged) and listeners.of_buyer(change.buyer):
            orders.append(change)
        last = entry
    try:
        _push(app, {order.order_uuid for order in orders})
    except Exception:
        # The page fetches its fragment by itself every few seconds: nothing is lost.
        log.exception("an order could not be pushed")
    return last


def _push(app: Flask, order_uuids: set[str]) -> None:
    """The latest state of each order, once, whatever happened to it in between."""
    if not order_uuids:
        return
    tongue = attrgetter("language")
    with app.app_context():
        for order in find_orders([UUID(order_uuid) for order_uuid in order_uuids]):
            listening = sorted(listeners.of_buyer(order.buyer), key=tongue)
            for language, reading in groupby(listening, key=tongue):
                with force_locale(language):
                    text = render_template("orders/_order.html", order=order, pushed=True)
                for listener in reading:
                    listener.send(frame(text))


def drain(worker: Any) -> None:
    """On SIGTERM, tell every page to come back in a moment, then let the worker end."""
    ending = signal.getsignal(signal.SIGTERM)

    def goodbye(number: int, frame: Any) -> None:
        gevent.spawn(listeners.stop)
        if callable(ending):
            ending(number, frame)

    signal.signal(signal.SIGTERM, goodbye)
    worker.log.debug("sockets are drained on SIGTERM")
