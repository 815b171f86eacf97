"""The best seats together in a hall of 50,000: how long visitors wait, one by one and a hundred at once.

A visitor is somebody new: without a cookie the form is sent twice, and both times count. Nobody
gives anything back, so that of many who look at the hall in one moment all but one find the best
seats gone and try others.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection
from statistics import quantiles
from threading import Barrier
from time import perf_counter
from urllib.parse import urlencode

from pipeline.settings import settings
from tests.halls import hall, owner
from tests.journey.system import System

SECTIONS, ROWS, SEATS = 100, 20, 25
TAKEN_PERCENT = 30
WARM_UP = 10
ONE_BY_ONE, AT_ONCE = 200, 100
COUNTS = (2, 3, 4)
MUST_MS = 50
ANSWER_S_MAX = 30.0


@dataclass(frozen=True)
class Asked:
    """What one visitor asked for and got, in seconds for both requests and for the second alone."""

    token: str
    count: int
    status: int
    """Of the second request; of the first where that was not answered with a cookie."""
    whole: float
    second: float


def ask(address: str, event: int, count: int) -> Asked:
    """A new visitor asks; the browser has a connection already."""
    connection = HTTPConnection(address, timeout=ANSWER_S_MAX)
    connection.connect()
    form = urlencode({"count": count})
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    path = f"/events/{event}/holds/best"
    begun = perf_counter()
    connection.request("POST", path, form, head)
    answer = connection.getresponse()
    answer.read()
    cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
    again = perf_counter()
    if answer.status == 307:
        to = answer.getheader("Location") or path
        connection.request("POST", to, form, head | {"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
    ended = perf_counter()
    connection.close()
    token = cookie.partition("=")[2]
    return Asked(token, count, answer.status, ended - begun, ended - again)


def nothing(address: str) -> float:
    """Seconds of a request that does nothing: how busy the machine is with other things."""
    connection = HTTPConnection(address, timeout=ANSWER_S_MAX)
    connection.connect()
    begun = perf_counter()
    connection.request("GET", "/health")
    connection.getresponse().read()
    ended = perf_counter()
    connection.close()
    return ended - begun


def large_hall() -> int:
    """Rows curve away from a middle as in the demo's halls, and three seats in ten are gone."""
    event = hall([(f"Sector {number}", ROWS, SEATS, "80.00") for number in range(1, SECTIONS + 1)])
    with owner() as connection:
        connection.execute(
            "UPDATE catalog.seats SET rank = ranked.rank,"
            " status = CASE WHEN abs(hashint8(seats.id / 3)) %% 100 < %s"
            "          THEN 'BLOCKED' ELSE 'AVAILABLE' END"
            " FROM (SELECT id, row_number() OVER (ORDER BY section_number / 10 * 8 + position / %s,"
            "       abs(2 * (position %% %s) - %s), section_number, position) AS rank"
            "       FROM catalog.seats WHERE event_id = %s) AS ranked WHERE ranked.id = seats.id",
            [TAKEN_PERCENT, SEATS, SEATS, SEATS - 1, event.id],
        )
        connection.execute("VACUUM ANALYZE catalog.seats")
    return event.id


def wrong(event: int, asked: Iterable[Asked]) -> list[str]:
    """What is not as it must be: each has all that was asked for, side by side, and nobody else's.

    A seat has one holder, so seats are shared by none exactly if everybody has the whole number.
    """
    said = []
    with owner() as connection:
        for one in asked:
            seats = connection.execute(
                "SELECT section_number, row_label, position FROM catalog.seats"
                " JOIN accounts.sessions ON holder = 'visitor:' || visitor"
                " WHERE event_id = %s AND key = %s ORDER BY position",
                [event, sha256(one.token.encode()).digest()],
            ).fetchall()
            rows = {seat[:2] for seat in seats}
            places = [seat[2] for seat in seats]
            together = len(rows) == 1 and places[-1] - places[0] == one.count - 1
            if one.status != 303 or len(seats) != one.count or not together:
                said.append(f"{one.status}: asked for {one.count}, has {seats}")
    return said


def line(name: str, seconds: Iterable[float]) -> str:
    """A row of the table."""
    spent = sorted(1000 * one for one in seconds)
    cuts = quantiles(spent, n=100)
    return f"| {name} | {cuts[49]:.1f} | **{cuts[94]:.1f}** | {spent[-1]:.1f} |\n"


def measure(system: System) -> None:
    """Ask one after the other, then all at once, and look at what everybody has."""
    os.environ["DATA_DIR"] = str(system.folder)
    settings.cache_clear()
    event, address = large_hall(), system.address.partition("//")[2]
    wanted = [COUNTS[number % len(COUNTS)] for number in range(ONE_BY_ONE)]
    warm = [ask(address, event, 2) for _ in range(WARM_UP)]
    single, idle = [], []
    for count in wanted:
        single.append(ask(address, event, count))
        idle.append(nothing(address))
    barrier = Barrier(AT_ONCE)

    def at_once(count: int) -> Asked:
        barrier.wait()
        return ask(address, event, count)

    with ThreadPoolExecutor(AT_ONCE) as crowd:
        crowding = list(crowd.map(at_once, wanted[:AT_ONCE]))
    errors = wrong(event, [*warm, *single, *crowding])
    sys.stdout.write(
        f"## Best seats together, {SECTIONS * ROWS * SEATS:,} seats, {TAKEN_PERCENT} % of them gone\n\n"
        "| ms | p50 | p95 | max |\n|---|---|---|---|\n"
        + line(f"{ONE_BY_ONE} one by one, both requests", (one.whole for one in single))
        + line("of which the second, which holds", (one.second for one in single))
        + line("for comparison: a request that does nothing", idle)
        + line(f"{AT_ONCE} at once, both requests", (one.whole for one in crowding))
        + f"\nMust: p95 below {MUST_MS} ms one by one. Answers at once:"
        f" {dict(Counter(one.status for one in crowding))}. Without all their seats side by side and"
        f" their own: {len(errors)} {errors[:3] or ''}\n\n"
    )
