"""gunicorn from Python, set once for every process of ours that speaks HTTP."""

import resource
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers import gthread

from pipeline import logs
from pipeline.doors import inherited

GRACE_S = 3
KEEP_ALIVE_S = 75
SILENT_S_MAX = 0.05


class _Connection(gthread.TConn):  # type: ignore[misc]  # gunicorn ships no types
    """gthread parks a thread up to 5 s on a new connection that sends nothing.

    Sixteen silent phones would stall everybody. Its constant for that is not to be made smaller: by
    it gthread also ends connections that it has just promised to keep, and front's next request
    on one would be a 502.
    """

    def wait_for_data(self, timeout: float) -> bool:
        return bool(super().wait_for_data(min(timeout, SILENT_S_MAX)))


gthread.TConn = _Connection


class _Log(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's own lines go where all others go, and so lose what is nobody's business."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def __init__(self, create_app: Callable[[], Flask], options: dict[str, object]) -> None:
        self._create_app = create_app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """In the worker, after the fork: no pool or socket is shared between processes."""
        return self._create_app()


def serve(create_app: Callable[[], Flask], port: int, **options: Any) -> None:
    """Serve the app until SIGTERM, at the door that our keeper opened, else on a loopback port."""
    logs.configure()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    defaults = {
        "bind": [f"fd://{door}" for door in inherited()] or f"127.0.0.1:{port}",
        "worker_class": "gthread",
        "keepalive": KEEP_ALIVE_S,
        "graceful_timeout": GRACE_S,
        "control_socket_disable": True,
        "loglevel": "warning",
        "logger_class": _Log,
        "proc_name": "ticketbuster",
    }
    _Server(create_app, {**defaults, **options}).run()
