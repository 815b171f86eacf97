"""The gRPC service in front of the seat rows: each call is one statement."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from pipeline.connections import pool
from pipeline.seatlock import seatlock_pb2 as message
from pipeline.seatlock.client import EPOCH, SEATS_PER_HOLD_MAX
from pipeline.seatlock.seatlock_pb2_grpc import (
    InventoryServiceServicer,
    add_InventoryServiceServicer_to_server,
)
from sql import Row, read, write

log = logging.getLogger(__name__)

THREADS = 8
HOLD_SECONDS_MAX = 86_400.0
EXPIRED_A_CALL_MAX = 1_000
SERVICE = "ticketbuster.inventory.InventoryService"

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Method = Callable[["Inventory", Request, grpc.ServicerContext], Reply]


class _BadRequestError(Exception):
    """A caller of ours asked nonsense: a defect, not a refusal."""


def _guarded(method: Method[Request, Reply]) -> Method[Request, Reply]:
    """Answer UNAVAILABLE while Postgres is away and INVALID_ARGUMENT to nonsense."""

    def call(self: "Inventory", request: Request, context: grpc.ServicerContext) -> Reply:
        try:
            return method(self, request, context)
        except (OperationalError, PoolTimeout) as error:
            log.warning("Postgres is away: %s", str(error).partition("\n")[0])
            context.abort(grpc.StatusCode.UNAVAILABLE, "Postgres is away")
        except _BadRequestError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        raise AssertionError("abort raises")

    return call


class Inventory(InventoryServiceServicer):
    """The contract's InventoryService."""

    @_guarded
    def LockSeats(  # noqa: N802  the contract's name
        self, request: message.LockSeatsRequest, _: grpc.ServicerContext
    ) -> message.LockSeatsReply:
        _check(0 < request.seconds <= HOLD_SECONDS_MAX, "seconds")
        rows = _write(
            "seats.lock",
            event_id=request.event_id,
            seat_ids=_ids(request.seat_ids),
            holder=_holder(request.holder),
            seconds=request.seconds,
            held_max=SEATS_PER_HOLD_MAX,
        )
        if rows[0].outcome == "held":
            return message.LockSeatsReply(
                holds=[
                    message.Hold(
                        seat_id=row.seat_id,
                        held_until_micros=_micros(row.held_until),
                        fence=row.fence,
                        price=str(row.price),
                        section=row.section,
                        section_number=row.section_number,
                        row_label=row.row_label,
                        number=row.number,
                        position=row.position,
                        accessible=row.accessible,
                    )
                    for row in rows
                ]
            )
        return message.LockSeatsReply(
            refusal=rows[0].outcome,
            unavailable=[row.seat_id for row in rows if row.seat_id is not None],
            held=rows[0].held or 0,
        )

    @_guarded
    def UnlockSeats(  # noqa: N802
        self, request: message.UnlockSeatsRequest, _: grpc.ServicerContext
    ) -> message.UnlockSeatsReply:
        if request.order_uuid:
            rows = _write(
                "seats.unlock_sold",
                seat_ids=_ids(request.seat_ids),
                order_uuid=_uuid(request.order_uuid),
            )
        else:
            rows = _write(
                "seats.unlock_held", **_fences(request.holds), holder=_holder(request.holder)
            )
        return message.UnlockSeatsReply(freed=[row.seat_id for row in rows])

    @_guarded
    def ValidateAndCommitSeats(  # noqa: N802
        self, request: message.CommitRequest, _: grpc.ServicerContext
    ) -> message.CommitReply:
        refused = _write(
            "seats.commit",
            **_fences(request.holds),
            holder=_holder(request.holder),
            order_uuid=_uuid(request.order_uuid),
        )
        return message.CommitReply(committed=not refused, refused=[row.seat_id for row in refused])

    @_guarded
    def ExtendHolds(  # noqa: N802
        self, request: message.ExtendHoldsRequest, _: grpc.ServicerContext
    ) -> message.ExtendHoldsReply:
        _check(0 < request.seconds <= HOLD_SECONDS_MAX, "seconds")
        rows = _write(
            "seats.extend",
            seat_ids=_ids(request.seat_ids),
            holder=_holder(request.holder),
            seconds=request.seconds,
        )
        return message.ExtendHoldsReply(
            holds=[
                message.Hold(seat_id=row.seat_id, held_until_micros=_micros(row.held_until))
                for row in rows
            ]
        )

    @_guarded
    def MoveHolds(  # noqa: N802
        self, request: message.MoveHoldsRequest, _: grpc.ServicerContext
    ) -> message.MoveHoldsReply:
        rows = _write(
            "seats.move",
            from_holder=_holder(request.from_holder),
            to_holder=_holder(request.to_holder),
            held_max=SEATS_PER_HOLD_MAX,
        )
        return message.MoveHoldsReply(
            holds=[
                message.MovedHold(seat_id=row.seat_id, event_id=row.event_id, moved=row.moved)
                for row in rows
            ]
        )

    @_guarded
    def GetAvailableSeats(  # noqa: N802
        self, request: message.AvailableRequest, _: grpc.ServicerContext
    ) -> message.AvailableReply:
        with pool("seatlock").connection() as connection:
            rows = read(
                connection,
                "seats.available",
                event_id=request.event_id,
                section=request.section,
            )
        return message.AvailableReply(seat_ids=[row.seat_id for row in rows])

    @_guarded
    def ReleaseExpired(  # noqa: N802
        self, _request: message.ReleaseExpiredRequest, _: grpc.ServicerContext
    ) -> message.ReleaseExpiredReply:
        released = _write("seats.release_expired", seats_max=EXPIRED_A_CALL_MAX)
        return message.ReleaseExpiredReply(released=len(released))

    @_guarded
    def ForgetHolder(  # noqa: N802
        self, request: message.ForgetHolderRequest, _: grpc.ServicerContext
    ) -> message.ForgetHolderReply:
        freed = _write("seats.forget_holder", holder=_holder(request.holder))
        return message.ForgetHolderReply(freed=[row.seat_id for row in freed])


def serve(address: str) -> grpc.Server:
    """Start the service with the standard health service beside it; gives the running server.

    Raises OSError when the address is taken.
    """
    server = grpc.server(
        ThreadPoolExecutor(THREADS, thread_name_prefix="seatlock"),
        options=[("grpc.so_reuseport", 0)],
    )
    add_InventoryServiceServicer_to_server(Inventory(), server)
    states = health.HealthServicer()
    for service in ("", SERVICE):
        states.set(service, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(states, server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(str(error)) from error
    server.start()
    return server


def _write(name: str, **parameters: object) -> list[Row]:
    with pool("seatlock").connection() as connection:
        return write(connection, name, **parameters)


def _check(fine: bool, what: str) -> None:
    if not fine:
        raise _BadRequestError(f"{what} makes no sense")


def _ids(seat_ids: Any) -> list[int]:
    """Sorted and each once, so that every statement locks rows in one order."""
    ids = sorted(set(seat_ids))
    _check(1 <= len(ids) == len(seat_ids) <= SEATS_PER_HOLD_MAX, "seat_ids")
    return ids


def _fences(holds: Any) -> dict[str, list[int]]:
    ids = _ids([hold.seat_id for hold in holds])
    by_id = {hold.seat_id: hold.fence for hold in holds}
    return {"seat_ids": ids, "fences": [by_id[seat_id] for seat_id in ids]}


def _holder(holder: str) -> str:
    kind, _, name = holder.partition(":")
    _check(kind in ("visitor", "account") and bool(name), "holder")
    return holder


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _BadRequestError("order_uuid makes no sense") from error


def _micros(moment: datetime) -> int:
    return (moment.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)
