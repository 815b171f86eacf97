"""H62: web is ended and starts again, over and over, while buyers hold and pay; none of them notices."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from time import monotonic, sleep
from uuid import uuid4

import psutil
import requests

from tests.halls import hall_in
from tests.journey.system import System, is_ready, wait_for

ENDS = 2
BUYERS = 8
PAUSE_S = 0.05
NOTICED_S_MAX = 13.0


def test_web_may_be_ended_under_load(system: System) -> None:
    hall = hall_in(system.settings.database_url, [("Platea", 20, 25, "10.00")] * 6)
    seats, enough = iter(hall.seats), Event()
    tokens = system.provider("tokens", str(BUYERS))
    answers: Counter[str] = Counter()
    slowest: list[float] = []

    def buyer(token: str) -> None:
        with requests.Session() as browser:
            browser.headers["Authorization"] = f"Bearer {token}"
            while not enough.is_set():
                seat = [next(seats)]
                for path, body in (
                    (f"/api/events/{hall.id}/lock-seat", {}),
                    (
                        "/api/orders",
                        {"event_id": hall.id, "payment": {"card_number": "4242424242424242"}},
                    ),
                ):
                    begun, told = monotonic(), ""
                    try:
                        answer = browser.post(
                            system.address + path, json={"seat_ids": seat, **body}, timeout=30,
                            headers={"Idempotency-Key": str(uuid4())},
                        )  # fmt: skip
                        told = str(answer.status_code)
                    except requests.RequestException as error:
                        told = type(error).__name__
                    answers[told] += 1
                    slowest.append(monotonic() - begun)
                sleep(PAUSE_S)

    with ThreadPoolExecutor(BUYERS) as crowd:
        buying = [crowd.submit(buyer, token) for token in tokens]
        for _ in range(ENDS):
            sleep(1.5)
            master = eldest(system)
            assert master
            master.terminate()
            wait_for(partial(restarted, system, master), 15, "web is not back")
            sleep(1.5)
        enough.set()
        for one in buying:
            one.result()
    assert set(answers) == {"200", "201"}, answers
    assert max(slowest) < NOTICED_S_MAX


def eldest(system: System) -> psutil.Process | None:
    """The process that the keeper started; web's own workers are below it."""
    found = system.processes("web")
    pids = {one.pid for one in found}
    return next((one for one in found if one.ppid() not in pids), None)


def restarted(system: System, before: psutil.Process) -> bool:
    """Another one is there, and answers."""
    return eldest(system) not in (None, before) and is_ready(system.address)
