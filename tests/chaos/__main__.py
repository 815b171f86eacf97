"""`make chaos`: random buyers, random faults, and a verdict.

`python -m tests.chaos SEEDS SEED SECONDS [GUARD [control]]`: with a guard's name the code without
it, in which something must be found; as its control the code with all else that is changed for it.
"""

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.mutants import GUARDS
from tests.chaos.run import ACCEPTED_MIN, Plan, Report, run

WRONG, THIN = 1, 2
"""Exit codes; make says 2 for both."""


def main(seeds: int, first: int, seconds: float, guard: str = "", control: str = "") -> int:
    """Run the seeds, print the tables; gives the exit code."""
    plan = Plan(range(first, first + seeds), seconds, enough=ACCEPTED_MIN)
    if guard:
        if guard not in GUARDS:
            sys.exit(f"{guard}: no such guard; there are {', '.join(GUARDS)}.")
        mutant = GUARDS[guard]
        changes = mutant.control if control else (*mutant.control, *mutant.changes)
        plan = Plan(plan.seeds, seconds, changes, mutant.kinds or plan.kinds)
    sys.stdout.write(
        f"# Chaos: seeds {first} to {first + seeds - 1}, {seconds:.0f} s each, {os.cpu_count()} cores,"
        f" {platform.machine()}, Python {platform.python_version()}{guard and f', without {guard}'}\n\n"
    )
    folder, report = Path(tempfile.mkdtemp(prefix="ticketbuster-chaos-")), Report()
    run(folder, plan, report)
    sys.stdout.write(report.tables())
    if report.wrong:
        sys.stdout.write(f"\nWrong. Histories, faults and logs: {folder}\n")
        return WRONG
    shutil.rmtree(folder)
    if report.thin():
        sys.stdout.write("\nNothing wrong, but too little was tried for a verdict.\n")
        return THIN
    sys.stdout.write("\nRight: nothing lost, nothing sold twice.\n")
    return 0


if __name__ == "__main__":
    count, begin, length, *rest = sys.argv[1:]
    sys.exit(main(int(count), int(begin), float(length), *rest))
