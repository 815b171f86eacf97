"""One run of Schemathesis against a running system, and what came of it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.journey.system import System

HERE = Path(__file__).parent
RUN_S_MAX = 1_200
SEATS = 40


@dataclass(frozen=True)
class Run:
    """What one run saw."""

    name: str
    cases: int
    accepted: int
    failures: list[str]
    log: str


def asked(
    system: System, folder: Path, *, examples: int, seed: int, token: str = "", phases: str = ""
) -> Run:
    """Ask every operation, with all checks; raises AssertionError where it did not run to its end."""
    folder.mkdir(parents=True)
    event, *_ = system.rows(
        "SELECT event_id, min(id) FROM catalog.seats WHERE status = 'AVAILABLE'"
        " GROUP BY event_id HAVING count(*) > %s ORDER BY event_id LIMIT 1", SEATS)[0]  # fmt: skip
    report = folder / "report.json"
    done = subprocess.run(
        [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(HERE / "schemathesis.toml"), "run",
         f"{system.address}/api/openapi.json", "--checks", "all", "--max-examples", str(examples),
         "--seed", str(seed), "--continue-on-failure", "--no-color", "--request-timeout", "10",
         "--report", "json", "--report-json-path", str(report),
         *(["--phases", phases] if phases else []),
         *(["-H", f"Authorization: Bearer {token}"] if token else [])],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(HERE.parent.parent),
            "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
            "FUZZ_EVENT": str(event),
            "FUZZ_SEATS": ",".join(map(str, system.free_seats(event, SEATS))),
        },
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )  # fmt: skip
    log = done.stdout + done.stderr
    assert report.exists(), log[-3000:]
    said: dict[str, Any] = json.loads(report.read_text())
    assert said["complete"], log[-3000:]
    assert said["operations"]["tested"] == said["operations"]["total"] > 0, log[-3000:]
    rates = [phase for operation in said["valid_rates"].values() for phase in operation.values()]
    failures = [f"{one['title']}: {', '.join(one['operations'])}" for one in said["failures"]]
    return Run(
        folder.name,
        said["test_cases"]["generated"],
        sum(rate["accepted"] for rate in rates),
        failures + [str(one) for one in said["errors"]],
        log,
    )


def table(runs: list[Run], seed: int) -> str:
    """The figures, and all that was found."""
    lines = [f"seed {seed}", "run | cases | accepted | findings"]
    lines += [f"{run.name} | {run.cases} | {run.accepted} | {len(run.failures)}" for run in runs]
    found = [run.log for run in runs if run.failures]
    return "\n".join([*lines, f"together {sum(run.cases for run in runs)} cases", *found]) + "\n"
