"""For machines that watch: is this process alive, can it answer, is everything behind it there."""

from collections.abc import Callable
from functools import cache

import grpc
import redis
from flask import Blueprint, Response, jsonify, make_response
from grpc_health.v1 import health_pb2, health_pb2_grpc
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from pipeline.connections import asked_redis_client, pool
from pipeline.settings import settings

pages = Blueprint("health", __name__)

CHECK_S = 1.0
RETRY_S = 2


@pages.get("/health")
def alive() -> Response:
    """This process runs."""
    return jsonify(status="alive")


@pages.get("/serving")
def serving() -> Response:
    """This process can answer something, if only from its cache."""
    return jsonify(status="serving")


@pages.get("/ready")
def ready() -> Response:
    """Postgres, Redis and seatlock answer; else 503 that names which do not."""
    away = [name for name, answers in CHECKS.items() if not answers()]
    response = jsonify(status="not ready" if away else "ready", away=away)
    if away:
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_S)
    response.cache_control.no_store = True
    return make_response(response)


def _postgres() -> bool:
    try:
        with pool("web").connection(timeout=CHECK_S) as connection:
            connection.execute("SELECT 1")
    except (OperationalError, PoolTimeout):
        return False
    return True


def _redis() -> bool:
    try:
        return bool(asked_redis_client().ping())
    except redis.RedisError:
        return False


@cache
def _health_stub() -> health_pb2_grpc.HealthStub:
    channel = grpc.insecure_channel(settings().seatlock_url, [("grpc.enable_http_proxy", 0)])
    return health_pb2_grpc.HealthStub(channel)


def _seatlock() -> bool:
    try:
        reply = _health_stub().Check(health_pb2.HealthCheckRequest(), timeout=CHECK_S)
    except grpc.RpcError:
        return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


CHECKS: dict[str, Callable[[], bool]] = {
    "postgres": _postgres,
    "redis": _redis,
    "seatlock": _seatlock,
}
