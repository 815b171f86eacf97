"""The system that chaos breaks: every process twice, and a line of its own between any two of them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pipeline.prepare import free_ports, write_run_env
from pipeline.settings import FAILPOINTS, file_values
from tests.chaos.mutants import Change, change
from tests.journey.system import RUN, System, running
from tests.lines import Line
from tests.releases import copy_of_the_code

ASKS = {
    "front": ("web", "updates"),
    "web": ("seatlock", "bank", "postgres", "redis"),
    "seatlock": ("postgres",),
    "relay": ("postgres", "redis"),
    "dispatcher": ("postgres", "redis"),
    "worker": ("seatlock", "bank", "postgres", "redis"),
    "autoscaler": ("seatlock", "bank", "postgres", "redis"),
    "updates": ("postgres", "redis"),
    "sweeper": ("seatlock", "bank", "postgres", "redis"),
}
"""Which process asks which; the autoscaler for the workers that it starts."""
CLOCK = Path(__file__).parent / "clock"
TWICE = ("web", "seatlock", "relay", "dispatcher", "worker", "autoscaler", "updates", "sweeper")
"""The bank has one ledger and front one port; of the autoscalers one is elected."""
PATIENT_KEEPERS = Change("pipeline/keep.py", "CRASHES_MAX = 5\n", "CRASHES_MAX = 1_000\n")
"""A keeper gives up at the fifth crash in a minute, and is right to; not where all of them are ours."""


@dataclass(frozen=True)
class Stage:
    """A running system, the lines between its processes by (who asks, who is asked), and its copies."""

    system: System
    lines: dict[tuple[str, str], Line]
    addresses: list[str]
    """Where buyers reach it: by front, and straight at the second web."""
    clock: Path
    """Says by how many seconds the clock of the second copies is off."""

    def failpoint(self, step: str) -> Path:
        """While this file is missing, whoever comes to the step dies there, and makes it again."""
        return self.system.folder / f"failpoint-{step}"

    def heal(self) -> None:
        """Every line open, every process awake, clocks right, room on every disk."""
        self.clock.write_text("0")
        for line in self.lines.values():
            line.way = "open"
        for process in psutil.Process(self.system.launcher.pid).children(recursive=True):
            with suppress(psutil.Error):
                if process.status() == psutil.STATUS_STOPPED:
                    process.resume()

    def keepers(self, module: str) -> list[psutil.Process]:
        """The keepers of a module's copies."""
        found = []
        for process in psutil.Process(self.system.launcher.pid).children(recursive=True):
            try:
                command = process.cmdline()
            except psutil.Error:
                continue
            if "pipeline.keep" in command and command[-1] == module:
                found.append(process)
        return found


@dataclass
class _Wiring:
    """Ports, lines and the Procfile that leads every process through its own lines."""

    folder: Path
    lines: dict[tuple[str, str], Line] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        write_run_env(self.folder)
        self._known = file_values(self.folder / "run.env")
        self._second = dict(zip(("web", "seatlock", "updates"), free_ports(3), strict=True))
        self.second_web = f"http://127.0.0.1:{self._second['web']}"
        self.clock = self.folder / "clock"
        self.clock.write_text("0")
        for step in FAILPOINTS:
            (self.folder / f"failpoint-{step}").touch()
        for copy in ("", " 2"):
            for asks, asked_of in ASKS.items():
                if copy and asks not in TWICE:
                    continue
                for asked in asked_of:
                    self.lines[asks + copy, asked] = Line(self._port(asked, copy))

    def _port(self, asked: str, copy: str) -> int:
        # Copies of web ask a seatlock each; there is one Postgres, Redis and bank.
        if copy and asked in self._second:
            return self._second[asked]
        return int(self._known[f"{asked.upper()}_PORT"])

    def environment(self, name: str, copy: str) -> dict[str, str]:
        """What one process has of its own: its lines as addresses, and where a copy listens."""
        known = self._known
        templates = {
            "web": ("WEB_PORT", "{port}"),
            "updates": ("UPDATES_PORT", "{port}"),
            "seatlock": ("SEATLOCK_URL", "127.0.0.1:{port}"),
            "bank": ("BANK_URL", "http://127.0.0.1:{port}"),
            "postgres": (
                "DATABASE_URL",
                f"postgresql://ticketbuster:{known['POSTGRES_PASSWORD']}@127.0.0.1:{{port}}/ticketbuster",
            ),
            "redis": ("REDIS_URL", f"redis://:{known['REDIS_PASSWORD']}@127.0.0.1:{{port}}/0"),
        }
        own = {}
        for asked in ASKS.get(name, ()):
            variable, template = templates[asked]
            own[variable] = template.format(port=self.lines[name + copy, asked].port)
        if copy and name == "seatlock":
            own["SEATLOCK_URL"] = f"127.0.0.1:{self._second['seatlock']}"
        if copy:
            own |= {"PYTHONPATH": str(CLOCK), "CHAOS_CLOCK": str(self.clock)}
        if copy and name in ("web", "updates"):
            own[f"{name.upper()}_PORT"] = str(self._second[name])
        return own

    def procfile(self, plain: str) -> str:
        """The Procfile with these addresses, and a second line for what runs twice."""
        lines = dict(line.split(": exec ", 1) for line in plain.splitlines())
        made = [self._line(name, command, "") for name, command in lines.items()]
        made += [self._line(name, lines[name], " 2") for name in TWICE]
        return "\n".join(made) + "\n"

    def _line(self, name: str, command: str, copy: str) -> str:
        said = " ".join(f"{key}='{one}'" for key, one in self.environment(name, copy).items())
        return f"{name}{copy.strip()}: exec env {said} {command}"


@contextmanager
def staged(folder: Path, changes: tuple[Change, ...] = (), **environment: str) -> Iterator[Stage]:
    """Start it in a new folder, of the code as it is or with something changed."""
    wiring = _Wiring(folder / "data")
    code = copy_of_the_code(folder / "code")
    change(code, (PATIENT_KEEPERS, *changes))
    procfile = code / "Procfile"
    procfile.write_text(wiring.procfile(procfile.read_text()))
    environment["FAILPOINT"] = ",".join(FAILPOINTS)
    with running(folder / "data", root=str(code), command=RUN, **environment) as system:
        addresses = [system.address, wiring.second_web]
        try:
            yield Stage(system, wiring.lines, addresses, wiring.clock)
        finally:
            for line in wiring.lines.values():
                line.way = "open"
    for line in wiring.lines.values():
        line.close()
