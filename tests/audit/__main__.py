"""`make audit`: the pages as Lighthouse, axe and a slow phone see them. Exits with 1 if anything is wrong.

`python -m tests.audit axe` runs that part alone.
"""

import os
import sys
import tempfile
from pathlib import Path

from tests.audit import axe, lighthouse, throttled
from tests.browser import chromium
from tests.journey.system import running

PARTS = {"lighthouse": lighthouse.audit, "axe": axe.audit, "throttled": throttled.audit}


def main() -> None:
    """Start everything once, run the parts that were named or all of them."""
    named = sys.argv[1:] or list(PARTS)
    if unknown := set(named) - PARTS.keys():
        sys.exit(f"No part of the audit is called {', '.join(unknown)}: say {', '.join(PARTS)}.")
    folder = Path(tempfile.mkdtemp(prefix="ticketbuster-audit-"))
    loads = " ".join(f"{load:.1f}" for load in os.getloadavg())
    sys.stdout.write(f"# Audit: {os.cpu_count()} cores, load before it {loads}\n\n")
    # A hold must outlast the audit on a slow machine.
    with running(folder, HOLD_SECONDS="3000") as system, chromium() as browser:
        wrong = [name for name in named if not PARTS[name](browser, system)]
    sys.exit(f"Wrong: {', '.join(wrong)}." if wrong else 0)


if __name__ == "__main__":
    main()
