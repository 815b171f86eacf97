"""Two thousand honest buyers behind one address, as behind a mobile carrier, with every limit on; and one who floods.

Each opens the list, an event's section and takes a seat, with a cookie of their own. Who is asked for
patience shows the work, as the page's script would. An address may ask 6,000 times a minute, so the
crowd comes in over two.
"""

import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles
from time import monotonic, sleep
from typing import Any
from urllib.parse import urljoin

import requests

from tests.journey.buyers import large_hall
from tests.journey.system import System
from web.patience import is_work

BUYERS = 2_000
SECONDS = 120.0
THREADS = 24
LOOP = 300


def measure(system: System) -> None:
    """Print who got through, and after how many requests one token in a loop was stopped."""
    event = large_hall(system)
    seats = system.free_seats(event, BUYERS)
    begun = monotonic()

    def one(number: int) -> tuple[str, float, int]:
        sleep(max(0.0, begun + number * SECONDS / BUYERS - monotonic()))
        return buyer(system.address, event, seats[number % len(seats)])

    with ThreadPoolExecutor(THREADS) as crowd:
        ends = list(crowd.map(one, range(min(BUYERS, len(seats)))))
    came = Counter(end for end, _, _ in ends)
    p50, p95 = (round(1000 * one) for one in _percentiles([held for _, held, _ in ends]))
    worked = sum(asked for _, _, asked in ends)
    statuses = [
        requests.get(
            f"{system.address}/api/events",
            headers={"Authorization": f"Bearer {system.ana}"},
            timeout=10,
        ).status_code
        for _ in range(LOOP)
    ]
    sys.stdout.write(
        f"## {len(ends):,} buyers behind one address in {monotonic() - begun:.0f} s, limits on\n\n"
        f"| got through | stopped | asked for patience | list, section and hold ms p50 / p95 |\n|---|---|---|---|\n"
        f"| {came['held']} | {sum(came.values()) - came['held']} {dict(came)} | {worked} | {p50} / {p95} |\n\n"
        f"One token in a loop: {statuses.count(200)} answers, then {statuses.count(429)} times 429.\n\n"
    )


def buyer(address: str, event: int, seat: int) -> tuple[str, float, int]:
    """How it ended, how long it took in seconds, and whether patience was asked for."""
    begun, asked = monotonic(), 0
    with requests.Session() as browser:
        for path in ("/", f"/events/{event}?section=1"):
            answer = browser.get(f"{address}{path}", timeout=20)
            if answer.status_code != 200:
                return (
                    f"{answer.status_code} at {path.partition('?')[0]}",
                    monotonic() - begun,
                    asked,
                )
        form: dict[str, Any] = {"seat": seat}
        answer = browser.post(f"{address}/events/{event}/holds", data=form, timeout=20)
        task = re.search(r'name="task" value="([^"]+)"', answer.text)
        if answer.status_code == 429 and task:
            asked = 1
            form |= {"task": task[1], "work": _work(task[1])}
            answer = browser.post(
                urljoin(answer.url, f"/events/{event}/holds"), data=form, timeout=20
            )
        held = answer.status_code == 200 and answer.url.endswith("/checkout")
    return "held" if held else f"{answer.status_code} at the hold", monotonic() - begun, asked


def _work(task: str) -> str:
    number = 0
    while not is_work(task, str(number)):
        number += 1
    return str(number)


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    cuts = quantiles(seconds, n=20)
    return cuts[9], cuts[18]
