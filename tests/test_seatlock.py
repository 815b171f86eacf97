"""seatlock over its real socket: holders, fences, all or nothing, and expiry by the database's time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from pipeline.prepare import free_ports
from pipeline.seatlock import client as seatlock
from pipeline.seatlock import seatlock_pb2 as message
from pipeline.seatlock.client import Hold, Refusal
from pipeline.seatlock.seatlock_pb2_grpc import InventoryServiceStub
from pipeline.seatlock.server import SERVICE, serve
from pipeline.settings import settings
from tests.halls import Hall, change, hall
from tests.journey.system import wait_for
from tests.stations import one, rows

pytestmark = pytest.mark.usefixtures("clean")

ANA, BRUNO = "account:ana", "visitor:bruno"
AGO = datetime.now(UTC) - timedelta(seconds=5)


def held(event: Hall, seats: list[int], holder: str = ANA) -> list[Hold]:
    answer = seatlock.lock(event.id, seats, holder)
    assert isinstance(answer, list), answer
    return answer


def refused(event: Hall, seats: list[int], holder: str = ANA) -> Refusal:
    answer = seatlock.lock(event.id, seats, holder)
    assert isinstance(answer, Refusal), answer
    return answer


def fences(holds: list[Hold]) -> list[tuple[int, int]]:
    return [(hold.id, hold.fence) for hold in holds]


def row(seat_id: int) -> Any:
    return rows(
        "SELECT status, holder, fence, order_uuid FROM catalog.seats WHERE id = %s", seat_id
    )[0]


def changes(event: Hall) -> list[tuple[Any, ...]]:
    return rows(
        "SELECT positions, state FROM catalog.seat_changes WHERE event_id = %s ORDER BY number",
        event.id,
    )


def test_all_or_none() -> None:
    event = hall()
    held(event, event.seats[2:3], BRUNO)
    answer = refused(event, event.seats[:4])
    assert (answer.code, list(answer.seat_ids)) == ("seat_unavailable", event.seats[2:3])
    assert one("SELECT count(*) FROM catalog.seats WHERE holder = %s", ANA) == 0


def test_every_change_is_told_in_the_same_statement() -> None:
    event = hall()
    holds = held(event, event.seats[:3])
    seatlock.unlock(fences(holds[:1]), ANA)
    order_uuid = str(uuid4())
    seatlock.commit(fences(holds[1:]), ANA, order_uuid)
    seatlock.unlock_order(event.seats[1:3], order_uuid)
    assert changes(event) == [([0, 1, 2], "h"), ([0], "f"), ([1, 2], "s"), ([1, 2], "f")]


def test_a_refusal_tells_nothing_because_nothing_changed() -> None:
    event = hall()
    held(event, event.seats[:1], BRUNO)
    before = changes(event)
    refused(event, event.seats[:2])
    assert changes(event) == before


def test_the_same_holder_again_keeps_clock_and_fence_and_new_seats_start_their_own() -> None:
    event = hall()
    first = held(event, event.seats[:1])
    again = held(event, event.seats[:2])
    assert again[0] == first[0]
    assert again[1].held_until > first[0].held_until


def test_a_fence_is_never_used_twice() -> None:
    event, seen = hall(), []
    for holder in (ANA, BRUNO, ANA):
        holds = held(event, event.seats[:1], holder)
        seen.append(holds[0].fence)
        seatlock.unlock(fences(holds), holder)
    holds = held(event, event.seats[:1])
    order_uuid = str(uuid4())
    seatlock.commit(fences(holds), ANA, order_uuid)
    assert row(event.seats[0])[2] == holds[0].fence, "a commit is no new claim"
    seatlock.unlock_order(event.seats[:1], order_uuid)
    seen += [holds[0].fence, held(event, event.seats[:1])[0].fence]
    assert len(set(seen)) == 5


def test_only_the_holder_gives_back_and_only_under_the_fence() -> None:
    event = hall()
    holds = held(event, event.seats[:1])
    assert seatlock.unlock(fences(holds), BRUNO) == []
    assert seatlock.unlock([(event.seats[0], holds[0].fence + 1)], ANA) == []
    assert seatlock.unlock(fences(holds), ANA) == event.seats[:1]
    assert seatlock.unlock(fences(holds), ANA) == []


def test_giving_back_and_taking_again_does_not_restart_the_clock() -> None:
    event = hall()
    holds = held(event, event.seats[:1])
    seatlock.unlock(fences(holds), ANA)
    assert held(event, event.seats[:1])[0].held_until == holds[0].held_until
    seatlock.unlock(fences(held(event, event.seats[:1])), ANA)
    others = held(event, event.seats[:1], BRUNO)
    assert others[0].held_until > holds[0].held_until


def test_a_hold_ends_by_the_databases_time_without_any_sweep() -> None:
    event = hall()
    held(event, event.seats[:1])
    change(event.seats[:1], held_until=AGO)
    assert held(event, event.seats[:1], BRUNO)


def test_a_sweep_only_shows_what_time_did() -> None:
    event = hall()
    holds = held(event, event.seats[:1])
    change(event.seats[:1], held_until=AGO)
    assert seatlock.release_expired() >= 1
    assert row(event.seats[0])[:3] == ("AVAILABLE", ANA, holds[0].fence)
    assert changes(event) == [([0], "h"), ([0], "f")]
    assert seatlock.commit(fences(holds), ANA, str(uuid4())) == [], "nobody claimed it since"


def test_a_lapsed_hold_that_somebody_claimed_is_refused_at_commit() -> None:
    event = hall()
    holds = held(event, event.seats[:2])
    change(event.seats[:1], held_until=AGO)
    held(event, event.seats[:1], BRUNO)
    assert seatlock.commit(fences(holds), ANA, str(uuid4())) == event.seats[:1]
    assert row(event.seats[1])[0] == "LOCKED", "all or none"


def test_a_commit_is_idempotent_by_order_and_by_nothing_else() -> None:
    event = hall()
    holds = held(event, event.seats[:2])
    order_uuid = str(uuid4())
    assert seatlock.commit(fences(holds), ANA, order_uuid) == []
    assert seatlock.commit(fences(holds), ANA, order_uuid) == []
    assert seatlock.commit(fences(holds), ANA, str(uuid4())) == event.seats[:2]
    assert seatlock.commit(fences(holds), BRUNO, str(uuid4())) == event.seats[:2]
    assert changes(event) == [([0, 1], "h"), ([0, 1], "s")]


def test_fences_of_two_seats_cannot_be_swapped() -> None:
    event = hall()
    first = held(event, event.seats[:1])
    seatlock.unlock(fences(first), ANA)
    holds = held(event, event.seats[:2])
    swapped = [(event.seats[0], holds[1].fence), (event.seats[1], holds[0].fence)]
    assert holds[0].fence != holds[1].fence
    assert seatlock.commit(swapped, ANA, str(uuid4())) == event.seats[:2]


def test_nothing_but_its_order_frees_a_sold_seat() -> None:
    event = hall()
    holds = held(event, event.seats[:1])
    order_uuid = str(uuid4())
    seatlock.commit(fences(holds), ANA, order_uuid)
    assert seatlock.unlock(fences(holds), ANA) == []
    assert seatlock.unlock_order(event.seats[:1], str(uuid4())) == []
    assert refused(event, event.seats[:1], BRUNO).code == "seat_unavailable"
    seatlock.release_expired()
    assert row(event.seats[0])[0] == "SOLD"
    assert seatlock.unlock_order(event.seats[:1], order_uuid) == event.seats[:1]
    assert seatlock.unlock_order(event.seats[:1], order_uuid) == []


def test_more_than_ten_at_once_are_refused_with_what_is_held() -> None:
    event = hall([("Platea", 2, 10, "80.00")])
    held(event, event.seats[:8])
    answer = refused(event, event.seats[8:11])
    assert (answer.code, answer.held) == ("too_many_seats", 8)
    other = hall()
    held(other, other.seats[:3])


def test_a_blocked_seat_is_nobodys() -> None:
    event = hall()
    change(event.seats[:1], status="BLOCKED")
    assert refused(event, event.seats[:1]).seat_ids == (event.seats[0],)


def test_holds_move_with_clock_and_fence_and_what_passes_ten_is_released() -> None:
    event = hall([("Platea", 2, 10, "80.00")])
    mine = held(event, event.seats[:7], ANA)
    visitors = held(event, event.seats[10:15], BRUNO)
    moved = seatlock.move(BRUNO, ANA)
    assert [one.moved for one in sorted(moved, key=lambda m: m.seat_id)] == [True] * 3 + [False] * 2
    assert held(event, [*event.seats[:7], *event.seats[10:13]], ANA) == mine + visitors[:3]
    assert row(event.seats[13])[:2] == ("AVAILABLE", None)
    assert seatlock.move(BRUNO, ANA) == []
    told = [(list(range(7)), "h"), ([10, 11, 12, 13, 14], "h"), ([13, 14], "f")]
    assert changes(event) == told, "what only changed its holder looks the same on every map"


def test_a_hold_is_extended_once() -> None:
    event = hall()
    holds = held(event, event.seats[:2])
    ends = seatlock.extend(event.seats[:2], ANA, 300)
    assert ends[event.seats[0]] - holds[0].held_until == timedelta(seconds=300)
    assert seatlock.extend(event.seats[:2], ANA, 300) == ends
    assert seatlock.extend(event.seats[:2], BRUNO, 300) == {}
    assert changes(event) == [([0, 1], "h")], "a longer hold looks the same on every map"


def raw() -> Any:
    return InventoryServiceStub(grpc.insecure_channel(settings().seatlock_url))


@pytest.mark.parametrize(
    "request_",
    [
        message.LockSeatsRequest(event_id=1, seat_ids=[], holder=ANA, seconds=10),
        message.LockSeatsRequest(event_id=1, seat_ids=[1, 1], holder=ANA, seconds=10),
        message.LockSeatsRequest(event_id=1, seat_ids=range(1, 12), holder=ANA, seconds=10),
        message.LockSeatsRequest(event_id=1, seat_ids=[1], holder="", seconds=10),
        message.LockSeatsRequest(event_id=1, seat_ids=[1], holder="root:x", seconds=10),
        message.LockSeatsRequest(event_id=1, seat_ids=[1], holder=ANA, seconds=0),
        message.LockSeatsRequest(event_id=1, seat_ids=[1], holder=ANA, seconds=1e9),
        message.LockSeatsRequest(event_id=1, seat_ids=[1], holder=ANA, seconds=float("nan")),
    ],
)
def test_nonsense_is_an_invalid_argument(request_: message.LockSeatsRequest) -> None:
    with pytest.raises(grpc.RpcError) as error:
        raw().LockSeats(request_, timeout=3)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_what_is_free_is_listed_by_section() -> None:
    event = hall([("A", 1, 3, "1.00"), ("B", 1, 3, "1.00")])
    held(event, event.seats[3:4])
    reply = raw().GetAvailableSeats(
        message.AvailableRequest(event_id=event.id, section=2), timeout=3
    )
    assert list(reply.seat_ids) == event.seats[4:6]


def test_the_standard_health_service_says_serving() -> None:
    stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(settings().seatlock_url))
    reply = stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=3)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_two_servers_cannot_share_an_address() -> None:
    with pytest.raises(OSError, match="bind"):
        serve(settings().seatlock_url)


def test_who_asks_while_it_starts_anew_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is turned away within the deadline; after one has waited in vain nobody waits."""
    [port] = free_ports(1)
    address = f"127.0.0.1:{port}"
    stub = seatlock.stub_of(address)
    monkeypatch.setattr(seatlock, "_stub", lambda: stub)
    monkeypatch.setattr(seatlock, "DEADLINE_S", 20.0)
    event = hall()
    seatlock.patient.set()
    with ThreadPoolExecutor(1) as crowd:
        asked = crowd.submit(held, event, event.seats[:1])
        sleep(0.5)
        assert not asked.done()
        server = serve(address)
        assert [hold.id for hold in asked.result(20)] == event.seats[:1]
    server.stop(0).wait()
    monkeypatch.setattr(seatlock, "DEADLINE_S", 0.3)
    for said in ("DEADLINE_EXCEEDED", "UNAVAILABLE"):
        with pytest.raises(seatlock.SeatlockUnreachableError, match=said):
            held(event, event.seats[:1])
    server = serve(address)
    wait_for(lambda: again(event), 5, "it is not asked again")
    assert seatlock.patient.is_set()
    server.stop(0).wait()


def again(event: Hall) -> bool:
    try:
        return bool(held(event, event.seats[:1]))
    except seatlock.SeatlockUnreachableError:
        return False


def test_some_threads_wait_for_a_seatlock_that_starts_anew_and_the_others_show_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [port] = free_ports(1)
    stub = seatlock.stub_of(f"127.0.0.1:{port}")
    monkeypatch.setattr(seatlock, "_stub", lambda: stub)
    monkeypatch.setattr(seatlock, "DEADLINE_S", 2.0)
    event = hall()
    seatlock.patient.set()

    def ask(_: int) -> float:
        begun = monotonic()
        with pytest.raises(seatlock.SeatlockUnreachableError):
            held(event, event.seats[:1])
        return monotonic() - begun

    with ThreadPoolExecutor(2 * seatlock.WAITING_MAX) as crowd:
        took = sorted(crowd.map(ask, range(2 * seatlock.WAITING_MAX)))
    at_once, late = took[: seatlock.WAITING_MAX], took[seatlock.WAITING_MAX :]
    assert max(at_once) < 1.0
    assert min(late) > 1.9
