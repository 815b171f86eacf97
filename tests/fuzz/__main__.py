"""`make fuzz`: Schemathesis asks the running API what its own document says and does not say, thousands of times.

`python -m tests.fuzz [EXAMPLES] [SEED]`: so many generated cases an operation and phase, with and without a token.
"""

import random
import sys
import tempfile
from pathlib import Path

from tests.fuzz.runs import asked, table
from tests.journey.system import running

EXAMPLES = 150
CASES_MIN = 5_000


def main(arguments: list[str]) -> int:
    """Exit code 1 where an answer is a server error or not what the document promises."""
    examples = int(arguments[0]) if arguments else EXAMPLES
    seed = int(arguments[1]) if len(arguments) > 1 else random.randrange(10**6)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as system:
        runs = [
            asked(system, Path(folder) / name, examples=examples, seed=seed, token=token)
            for name, token in (("anonymous", ""), ("authenticated", system.ana))
        ]
    sys.stdout.write(table(runs, seed))
    enough = examples < EXAMPLES or sum(run.cases for run in runs) >= CASES_MIN
    return 0 if enough and not any(run.failures for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
