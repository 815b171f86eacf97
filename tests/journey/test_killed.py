"""kill -9 of each process and of a purchase's driver at each step: nothing is lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.journey.system import System, is_ready, running, wait_for

SETTLED_S = 30.0
EVENT = 2
TURNS_BACK = ("begun", "locked", "held")
GOES_ON = ("authorised", "committed", "placed")


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose worker kills itself once, in the middle of its first job."""
    with running(tmp_path_factory.mktemp("killed"), FAILPOINT="job") as started:
        yield started


def hold(system: System, event: int, seats: list[int]) -> str:
    answer = requests.post(
        f"{system.address}/api/events/{event}/lock-seat",
        json={"seat_ids": seats},
        headers={"Authorization": f"Bearer {system.ana}"},
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["expires_at"])


def first_try(system: System, event: int, seats: list[int], key: str) -> int:
    """Send it once; the process that answers dies of it."""
    try:
        return system.order(event, seats, key=key).status_code
    except requests.RequestException:
        return 0


def found(system: System, key: str) -> tuple[str, str]:
    """Step and order_uuid of a purchase."""
    step, order_uuid = system.rows(
        "SELECT step, order_uuid::text FROM orders.purchases WHERE idempotency_key = %s", key
    )[0]
    return step, order_uuid


def marked(system: System, step: str) -> None:
    assert (system.folder / f"failpoint-{step}").exists(), "nobody died: this test proves nothing"


@pytest.fixture(scope="module")
def first(failing: System) -> dict[str, Any]:
    """The order whose job killed its worker, and which was completed in time."""
    answer = failing.order(EVENT, failing.free_seats(EVENT, 2))
    assert answer.status_code == 201
    order: dict[str, Any] = answer.json()
    wait_for((failing.folder / "failpoint-job").exists, 10, "nobody died")
    failing.completed([order["order_uuid"]], SETTLED_S)
    return order


def test_killed_in_the_middle_of_a_job_the_order_is_completed(
    failing: System, first: dict[str, Any]
) -> None:
    assert failing.ledger()[first["order_uuid"]]["captured"] == first["total_amount"]


@dataclass(frozen=True)
class Died:
    """A purchase whose driver died: its key, its seats, and until when one of them was held before."""

    key: str
    taken: int
    shown: int
    clock: str


def ended(system: System) -> set[str]:
    """The keys of all that is over: given up, or an order with its tickets."""
    rows = system.rows(
        "SELECT idempotency_key FROM orders.purchases LEFT JOIN orders.orders USING (order_uuid)"
        " WHERE step = 'REFUSED' OR orders.status = 'COMPLETED'"
    )
    return {key for (key,) in rows}


@pytest.fixture(scope="module")
def died(failing: System, first: dict[str, Any]) -> dict[str, Died]:
    """One purchase each whose web died just after that step, and was repaired in time.

    The first job is over, which kills a worker.
    """
    assert first["order_uuid"]
    steps = (*TURNS_BACK, *GOES_ON)
    bought: dict[str, Died] = {}
    died_at: dict[str, float] = {}
    over_at: dict[str, float] = {}

    def all_are_over() -> bool:
        now = monotonic()
        over_at.update(dict.fromkeys(ended(failing) & died_at.keys() - over_at.keys(), now))
        return len(over_at) == len(steps)

    def back() -> bool:
        all_are_over()
        return is_ready(web.address)

    seats = iter(failing.free_seats(EVENT, 2 * len(steps)))
    with failing.another_web(FAILPOINT=",".join(steps)) as web:
        for step in steps:
            taken, shown = next(seats), next(seats)
            one = Died(str(uuid4()), taken, shown, hold(failing, EVENT, [shown]))
            assert first_try(web, EVENT, [taken, shown], one.key) == 0
            died_at[one.key] = monotonic()
            marked(failing, step)
            bought[step] = one
            wait_for(back, 20, "the second web is not back")
    wait_for(all_are_over, SETTLED_S, "not all is over")
    assert max(over_at[key] - died_at[key] for key in died_at) < SETTLED_S
    return bought


@pytest.mark.parametrize("step", TURNS_BACK)
def test_killed_before_the_payment_the_seats_are_free(
    failing: System, died: dict[str, Died], step: str
) -> None:
    one = died[step]
    step, order_uuid = found(failing, one.key)
    assert step == "REFUSED"
    payment = failing.ledger().get(order_uuid, {"state": "unknown", "captured": "0"})
    assert payment["state"] in ("unknown", "voided")
    assert payment["captured"] == "0"
    states = dict(failing.rows(
        "SELECT id, status FROM catalog.seats WHERE id = ANY (%s)", [one.taken, one.shown]
    ))  # fmt: skip
    assert states == {one.taken: "AVAILABLE", one.shown: "LOCKED"}
    assert hold(failing, EVENT, [one.shown]) == one.clock
    again = failing.order(EVENT, [one.taken, one.shown], key=one.key)
    assert again.status_code == 201, "the key was given up, so it may buy now"


@pytest.mark.parametrize("step", GOES_ON)
def test_killed_after_the_payment_the_order_is_completed(
    failing: System, died: dict[str, Died], step: str
) -> None:
    one = died[step]
    step, order_uuid = found(failing, one.key)
    assert step == "PLACED"
    replay = failing.order(EVENT, [one.taken, one.shown], key=one.key)
    assert (replay.status_code, replay.json()["order_uuid"]) == (201, order_uuid)
    assert failing.ledger()[order_uuid]["captured"] == replay.json()["total_amount"]


PROCESSES = (
    "web",
    "pipeline.seatlock",
    "pipeline.bank",
    "pipeline.relay",
    "pipeline.dispatcher",
    "pipeline.worker",
    "pipeline.autoscaler",
    "web.updates",
    "pipeline.sweeper",
    "web.front",
    "pipeline.local_services",
)


def test_each_process_is_killed_once_while_orders_flow(failing: System) -> None:
    """Each is back by itself, and every order that was begun ends."""
    system = failing
    event = int(system.rows(
        "SELECT event_id FROM catalog.seats WHERE status = 'AVAILABLE'"
        " GROUP BY event_id ORDER BY count(*) DESC LIMIT 1")[0][0])  # fmt: skip
    seats = iter(system.free_seats(event, 5000))
    enough, bought = Event(), []

    def buy() -> None:
        while not enough.is_set():
            answer = system.order_surely(event, [next(seats)], str(uuid4()), 60)
            assert answer.status_code == 201, answer.text
            bought.append(answer.json()["order_uuid"])
            sleep(0.1)

    buyers = [Thread(target=buy) for _ in range(3)]
    for buyer in buyers:
        buyer.start()
    for module in PROCESSES:
        before = {process.pid for process in system.processes(module)}
        system.kill(module)

        def back(module: str = module, before: set[int] = before) -> bool:
            return bool({process.pid for process in system.processes(module)} - before)

        wait_for(back, 15, f"{module} is not back")
    wait_for(lambda: is_ready(system.address), 30, "not ready afterwards")
    sleep(3)
    enough.set()
    for buyer in buyers:
        buyer.join(90)
    assert not any(buyer.is_alive() for buyer in buyers)
    assert len(bought) > 3 * len(PROCESSES)
    system.completed(bought, 90)
    tickets = system.rows(
        "SELECT count(*), count(DISTINCT seat_id) FROM orders.tickets WHERE voided_at IS NULL"
        " AND order_uuid = ANY (%s::uuid[])", bought)[0]  # fmt: skip
    assert tickets == (len(bought), len(bought))
    ledger = system.ledger()
    assert all(ledger[order]["state"] == "captured" for order in bought)

    def open_purchases() -> int:
        return len(
            system.rows("SELECT 1 FROM orders.purchases WHERE step NOT IN ('PLACED', 'REFUSED')")
        )

    wait_for(lambda: open_purchases() == 0, SETTLED_S, "a purchase is not settled")
