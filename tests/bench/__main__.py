"""`make bench`: what the product promises in numbers, measured. `PARTS="maps best"` makes it some of them.

Each part has a whole system of its own. Everything runs on this machine, the load generator too.
"""

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench import best, crowd, journey, maps
from tests.bench.journey import yardstick
from tests.journey.system import running

PARTS = {
    "journey": journey.measure,
    "maps": maps.measure,
    "best": best.measure,
    "crowd": crowd.measure,
}
LIMITED = {"crowd"}
"""What is measured as everybody has it, with limits on."""


def main(wanted: list[str]) -> None:
    """Start everything, measure, print the tables; part after part."""
    unknown = set(wanted) - set(PARTS)
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: no such part; there are {', '.join(PARTS)}.")
    sys.stdout.write(
        f"# Bench: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()},"
        f" load generator on the same cores, yardstick (one ticket's picture)"
        f" {yardstick():.2f} CPU-ms\n\n"
    )
    for name in wanted or PARTS:
        folder = Path(tempfile.mkdtemp(prefix="ticketbuster-bench-"))
        limits = "on" if name in LIMITED else "off"
        workers = os.environ.get("WORKERS_MAX", "2")
        with running(folder, WORKERS_MAX=workers, RATE_LIMITS=limits) as system:
            PARTS[name](system)
            sys.stdout.flush()
        # What failed is kept, with its log; a hall of 50,000 seats is not kept for nothing.
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
