"""A short run of `make chaos`: ten seconds of faults, every process twice."""

from pathlib import Path

from tests.chaos.faults import CLOCK, KINDS
from tests.chaos.run import Plan, Report, run

SECONDS, CALM_S = 10.0, 4.0
HITS_MIN, COMPLETED_MIN, MET_MIN = 3, 8, 0.1
"""Less than a real run must have: the machine is busy with other tests."""


def test_what_is_broken_all_the_time_loses_nothing_and_sells_nothing_twice(tmp_path: Path) -> None:
    report = Report()
    # A clock that jumps needs tokens of some age; that is for longer runs.
    kinds = [kind for kind in KINDS if kind != CLOCK]
    run(tmp_path, Plan([1], SECONDS, kinds=kinds, calm_s=CALM_S), report)
    assert report.wrong == {}
    assert sum(report.hits.values()) >= HITS_MIN, report.hits
    assert report.completed[0] >= COMPLETED_MIN
    assert report.met >= MET_MIN * report.purchases
