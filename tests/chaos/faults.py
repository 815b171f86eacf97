"""What chaos does to a stage: each kind of fault, drawn from a seed, applied, ended and written down."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from threading import Event, Lock, Thread
from time import monotonic

import psutil
import psycopg
import redis

from pipeline.ends import Ends
from pipeline.settings import FAILPOINTS
from tests.chaos.stage import Stage
from tests.disks import full
from tests.lines import Line, Way

PAUSE_S = (0.6, 1.8)
LOOK_S = 0.02
EVEN = 0.5
LASTS_S = (0.3, 2.5)
KILLS_A_MINUTE_MAX = 3
"""So often one copy is killed: its keeper waits longer each time."""
OUTLASTS_S = 7.0
"""Longer than anybody waits for an answer of Postgres."""
DIES_S_MAX = 5.0
"""So long somebody may take to come to the step where they are to die."""
EARLY_S = 45.0
JUMPS_S = (-EARLY_S, EARLY_S)
"""More than twice as long as a hold lasts on the stage."""
CLOCK = "jump clock"
MODULES = (
    "web.front", "web", "pipeline.seatlock", "pipeline.bank", "pipeline.relay", "pipeline.dispatcher",
    "pipeline.worker", "pipeline.autoscaler", "web.updates", "pipeline.sweeper",
)  # fmt: skip
SERVERS = ("postgres", "valkey-server")
SERVERS_KEEPER = "pipeline.local_services"
FULL_DISK = (SERVERS_KEEPER, "pipeline.bank")
"""Who keeps what must not be lost."""
WAYS: tuple[Way, ...] = ("cut", "deaf", "mute", "slow")
ASKED = ("web", "updates", "seatlock", "bank", "postgres", "redis")
KINDS = (
    *(f"kill {module}" for module in (*MODULES, *SERVERS)),
    *(f"stall {module}" for module in (*MODULES, *SERVERS)),
    "outlast postgres",
    "terminate web",
    *(f"{way} line to {asked}" for asked in ASKED for way in WAYS),
    *(f"die {step}" for step in sorted(FAILPOINTS)),
    *(f"fill disk of {whom}" for whom in FULL_DISK),
    CLOCK,
    "empty redis",
    "end postgres sessions",
)

SELDOM = {
    *(f"kill {server}" for server in SERVERS),
    *(f"{way} line to {asked}" for asked in ("bank", "updates") for way in WAYS),
    "die relayed",
    "die undone",
}
"""Drawn twice as often: mostly nobody is on such a line, or comes to such a step."""

Deed = Callable[[str, float, float, Event], str]
"""Does something to whom, for so many seconds or until all is over; gives whom it really hit."""


@contextmanager
def like_this(line: Line, way: Way, lock: Lock) -> Iterator[None]:
    """The line is like this for a while; whoever has its lock opens it again."""
    line.way = way
    try:
        yield
    finally:
        line.way = "open"
        lock.release()


@dataclass(frozen=True)
class Injected:
    """A fault that hit: its kind, whom, and when it began and ended (seconds of one clock)."""

    kind: str
    whom: str
    began: float
    ended: float


@dataclass
class Faults:
    """The faults of one seed after the other, on one stage."""

    stage: Stage
    kinds: Sequence[str] = KINDS
    injected: list[Injected] = field(default_factory=list)
    _lines: dict[tuple[str, str], Lock] = field(default_factory=dict)
    _clock: Lock = field(default_factory=Lock)
    _killed: dict[tuple[int, str], Ends] = field(default_factory=dict)

    def run(self, seed: int, ended: Callable[[], bool]) -> None:
        """Draw and apply faults until it has ended; then everything is whole again."""
        random, running = Random(seed), []
        drawn = [*self.kinds, *(kind for kind in self.kinds if kind in SELDOM)]
        over = Event()
        while not ended():
            kind, lasts, pick = random.choice(drawn), random.uniform(*LASTS_S), random.random()
            one = Thread(target=self._apply, args=(kind, lasts, pick, over))
            one.start()
            running.append(one)
            over.wait(random.uniform(*PAUSE_S))
        over.set()
        for one in running:
            one.join()
        self.stage.heal()

    def _apply(self, kind: str, lasts: float, pick: float, over: Event) -> None:
        deed, _, whom = kind.partition(" ")
        began = monotonic()
        # A victim may be gone, or not yet back, just now: then this fault did not hit.
        with suppress(psutil.Error, psycopg.Error, redis.RedisError, LookupError):
            hit = self._deed(deed)(whom, lasts, pick, over)
            self.injected.append(Injected(kind, hit, began, monotonic()))

    def _deed(self, name: str) -> Deed:
        deeds: dict[str, Deed] = {
            "kill": self._kill,
            "stall": self._stall,
            "outlast": lambda whom, _, *more: self._stall(whom, OUTLASTS_S, *more),
            "terminate": self._terminate,
            "die": self._die,
            "fill": self._fill,
            "jump": self._jump,
            "empty": self._empty,
            "end": self._end,
            **{way: self._disturbing(way) for way in WAYS},
        }
        return deeds[name]

    def _disturbing(self, way: Way) -> Deed:
        def disturb(whom: str, lasts: float, pick: float, over: Event) -> str:
            asked = whom.removeprefix("line to ")
            pairs = [pair for pair in self.stage.lines if pair[1] == asked]
            pair = pairs[int(pick * len(pairs))]
            # One fault a line at a time: the first to end would end the other, too.
            lock = self._lines.setdefault(pair, Lock())
            if not lock.acquire(blocking=False):
                raise LookupError(pair)
            line = self.stage.lines[pair]
            before = line.met
            with like_this(line, way, lock):
                over.wait(lasts)
            if line.met == before:
                raise LookupError("nobody was there")
            return f"{pair[0]} to {asked}"

        return disturb

    def _kill(self, whom: str, _: float, pick: float, __: Event) -> str:
        keeper, victims = self._victims(whom, pick)
        self._count(keeper, whom)
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        return str(keeper.pid)

    def _terminate(self, whom: str, _: float, pick: float, __: Event) -> str:
        keeper, victims = self._victims(whom, pick)
        self._count(keeper, whom)
        victims[0].terminate()
        return str(keeper.pid)

    def _stall(self, whom: str, lasts: float, pick: float, over: Event) -> str:
        keeper, victims = self._victims(whom, pick)
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.suspend()
        over.wait(lasts)
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.resume()
        return str(keeper.pid)

    def _die(self, step: str, _: float, __: float, over: Event) -> str:
        """Whoever comes to this step next is killed just there."""
        marker, deadline = self.stage.failpoint(step), monotonic() + DIES_S_MAX
        if not marker.exists():
            raise LookupError(step)
        marker.unlink()
        while not marker.exists() and monotonic() < deadline and not over.wait(LOOK_S):
            pass
        if not marker.exists():
            marker.touch()
            raise LookupError(step)
        return step

    def _fill(self, whom: str, lasts: float, pick: float, over: Event) -> str:
        keeper, _ = self._victims(whom.removeprefix("disk of "), pick)
        with full(keeper):
            over.wait(lasts)
        return str(keeper.pid)

    def _jump(self, _: str, lasts: float, pick: float, over: Event) -> str:
        """The host of the second copies is early or late for a while."""
        if not self._clock.acquire(blocking=False):
            raise LookupError("one jump at a time")
        with self._clock_is(JUMPS_S[pick < EVEN]):
            over.wait(lasts)
        return "second copies"

    @contextmanager
    def _clock_is(self, seconds: float) -> Iterator[None]:
        self.stage.clock.write_text(str(seconds))
        try:
            yield
        finally:
            self.stage.clock.write_text("0")
            self._clock.release()

    def _empty(self, *_: object) -> str:
        client = redis.Redis.from_url(self.stage.system.settings.redis_url, socket_timeout=2)
        with client:
            client.flushall()
        return "redis"

    def _end(self, *_: object) -> str:
        address = self.stage.system.settings.database_url
        with psycopg.connect(address, autocommit=True, connect_timeout=2) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'ticketbuster%'"
            )
        return "postgres"

    def _victims(self, whom: str, pick: float) -> tuple[psutil.Process, list[psutil.Process]]:
        """One copy's keeper and the processes below it, the eldest first. Raises LookupError."""
        keepers = self.stage.keepers(SERVERS_KEEPER if whom in SERVERS else whom)
        keeper = keepers[int(pick * len(keepers))]
        below = keeper.children(recursive=True)
        if whom in SERVERS:
            below = [one for one in below if one.name() == whom]
        if not below:
            raise LookupError(whom)
        return keeper, below

    def _count(self, keeper: psutil.Process, whom: str) -> None:
        """Raises LookupError where this one died often enough for now."""
        deaths = self._killed.setdefault((keeper.pid, whom), Ends(60.0))
        if deaths.lately() >= KILLS_A_MINUTE_MAX:
            raise LookupError(whom)
        deaths.note()
