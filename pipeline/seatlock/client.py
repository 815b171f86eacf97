"""Ask seatlock: hold, give back, commit, extend and move seats. Expected refusals are answers."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from threading import BoundedSemaphore, Event
from typing import Any, Literal, TypeVar

import grpc

from pipeline.breaker import Breaker, OpenError
from pipeline.seatlock import seatlock_pb2 as message
from pipeline.seatlock.seatlock_pb2_grpc import InventoryServiceStub
from pipeline.settings import settings

SEATS_PER_HOLD_MAX = 10
DEADLINE_S = 3.0
KEEPALIVE_MS = 30_000
RECONNECT_MS_MAX = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Answer = TypeVar("Answer")
RefusalCode = Literal[
    "event_not_found", "invalid_seats", "not_on_sale", "too_many_seats", "seat_unavailable"
]


class SeatlockUnreachableError(Exception):
    """seatlock did not answer in time; whether it did what was asked is not known."""


class SeatlockNotAskedError(SeatlockUnreachableError):
    """It was not even asked, as it does not answer just now: nothing is known, or decided."""


@dataclass(frozen=True)
class Hold:
    """A seat that is held: until when, under which fence, at which price, and what it is called."""

    id: int
    held_until: datetime
    fence: int
    price: Decimal
    section: str
    section_number: int
    row_label: str
    number: str
    position: int
    accessible: bool
    status: str = "LOCKED"


@dataclass(frozen=True)
class Refusal:
    """Why nothing was held: the code, the seats that it speaks of, how many are held already."""

    code: RefusalCode
    seat_ids: tuple[int, ...]
    held: int


@dataclass(frozen=True)
class MovedHold:
    """A hold that went to an account, or was released because it passed the cap."""

    seat_id: int
    event_id: int
    moved: bool


def lock(event_id: int, seat_ids: Collection[int], holder: str) -> list[Hold] | Refusal:
    """Hold all of the seats for HOLD_SECONDS, or none. A repeat changes no clock and no fence."""
    request = message.LockSeatsRequest(
        event_id=event_id,
        seat_ids=seat_ids,
        holder=holder,
        seconds=settings().hold_seconds,
    )
    reply = _ask(_stub().LockSeats, request)
    if reply.refusal:
        return Refusal(reply.refusal, tuple(reply.unavailable), reply.held)
    return [
        Hold(
            hold.seat_id,
            _moment(hold.held_until_micros),
            hold.fence,
            Decimal(hold.price),
            hold.section,
            hold.section_number,
            hold.row_label,
            hold.number,
            hold.position,
            hold.accessible,
        )
        for hold in reply.holds
    ]


def unlock(holds: Sequence[tuple[int, int]], holder: str) -> list[int]:
    """Give back held seats, each (id, fence); gives the freed ids."""
    request = message.UnlockSeatsRequest(holds=_fences(holds), holder=holder)
    return list(_ask(_stub().UnlockSeats, request).freed)


def unlock_order(seat_ids: Collection[int], order_uuid: str) -> list[int]:
    """Put seats that are SOLD for this order back on sale; gives the freed ids."""
    request = message.UnlockSeatsRequest(seat_ids=seat_ids, order_uuid=order_uuid)
    return list(_ask(_stub().UnlockSeats, request).freed)


def commit(holds: Sequence[tuple[int, int]], holder: str, order_uuid: str) -> list[int]:
    """Make the seats SOLD for the order, all or none; gives the refused ids, none on success."""
    request = message.CommitRequest(holds=_fences(holds), holder=holder, order_uuid=order_uuid)
    return list(_ask(_stub().ValidateAndCommitSeats, request).refused)


def extend(seat_ids: Collection[int], holder: str, seconds: float) -> dict[int, datetime]:
    """Lengthen living holds, once a seat and holder; gives the new ends by seat id."""
    request = message.ExtendHoldsRequest(seat_ids=seat_ids, holder=holder, seconds=seconds)
    holds = _ask(_stub().ExtendHolds, request).holds
    return {hold.seat_id: _moment(hold.held_until_micros) for hold in holds}


def move(from_holder: str, to_holder: str) -> list[MovedHold]:
    """Give a visitor's living holds to the account that signed in."""
    request = message.MoveHoldsRequest(from_holder=from_holder, to_holder=to_holder)
    holds = _ask(_stub().MoveHolds, request).holds
    return [MovedHold(hold.seat_id, hold.event_id, hold.moved) for hold in holds]


def release_expired() -> int:
    """Have maps see that holds have run out; gives how many."""
    request = message.ReleaseExpiredRequest()
    return int(_ask(_stub().ReleaseExpired, request).released)


def forget(holder: str) -> list[int]:
    """Give back all that this holder has and let no seat remember it; gives the freed ids."""
    return list(_ask(_stub().ForgetHolder, message.ForgetHolderRequest(holder=holder)).freed)


class _SilenceError(Exception):
    """No answer came; any other error of a call is one."""


SILENCE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
breaker = Breaker("seatlock", grpc.RpcError)
patient = Event()
"""Whether a call waits for a seatlock that starts anew; not after somebody has waited in vain."""
patient.set()
WAITING_MAX = 6
"""So many of web's eight threads; the other two have pages to show."""
_places = BoundedSemaphore(WAITING_MAX)


def _ask(call: Callable[..., Answer], request: Any) -> Answer:
    try:
        answer: Answer = breaker.call(_heard, call, request)
    except OpenError as error:
        raise SeatlockNotAskedError("it is not asked just now") from error
    except (_SilenceError, grpc.RpcError) as error:
        raise SeatlockUnreachableError(str(error) or type(error).__name__) from error
    return answer


def _heard(call: Callable[..., Answer], request: Any) -> Answer:
    """The answer. Raises _SilenceError where there is none."""
    waits = patient.is_set() and _places.acquire(blocking=False)
    try:
        answer: Answer = call(request, timeout=DEADLINE_S, wait_for_ready=waits)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            patient.clear()
        if error.code() in SILENCE:
            raise _SilenceError(error.code().name) from error
        raise
    finally:
        if waits:
            _places.release()
    patient.set()
    return answer


@cache
def _stub() -> Any:
    return stub_of(settings().seatlock_url)


def stub_of(address: str) -> Any:
    """A stub for the seatlock there."""
    options = [
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.enable_http_proxy", 0),
    ]
    return InventoryServiceStub(grpc.insecure_channel(address, options))


def _fences(holds: Sequence[tuple[int, int]]) -> list[message.SeatFence]:
    return [message.SeatFence(seat_id=seat_id, fence=fence) for seat_id, fence in holds]


def _moment(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)
