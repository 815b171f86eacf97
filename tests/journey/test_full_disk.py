"""A disk that is full, below Postgres and Redis and below the bank."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.disks import full
from tests.journey.buyers import event_with
from tests.journey.system import System, is_ready, wait_for

ROOM_S = 30.0


@pytest.mark.parametrize("writing", ["pipeline.local_services", "pipeline.bank"])
def test_a_full_disk_is_told_and_over_when_there_is_room(system: System, writing: str) -> None:
    event = event_with(system, 3)
    seats = system.free_seats(event, 3)
    keys = {seat: str(uuid4()) for seat in seats}
    keeper = system.processes(writing)[0].parent()
    assert keeper
    before = (system.folder / "run.log").stat().st_size
    ana = system.ana
    # At once: the disk is full only as long as somebody has to be told so.
    with full(keeper), ThreadPoolExecutor(3) as crowd:
        told = list(crowd.map(lambda seat: system.order(event, [seat], ana, key=keys[seat]), seats))
    assert {answer.status_code for answer in told} == {503}
    assert all("Retry-After" in answer.headers for answer in told)
    wait_for(lambda: is_ready(system.address), ROOM_S, "it does not come back")
    answer = system.order_surely(event, [seats[2]], keys[seats[2]], ROOM_S)
    assert answer.status_code == 201
    system.completed([answer.json()["order_uuid"]], ROOM_S)
    log = (system.folder / "run.log").read_bytes()[before:].decode()
    assert not [line for line in log.splitlines() if "web" in line and "Traceback" in line]
