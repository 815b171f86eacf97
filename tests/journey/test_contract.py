"""What the API promises in its document is what it does, asked hundreds of times; `make fuzz` asks thousands."""

from pathlib import Path

import pytest

from tests.fuzz.runs import asked
from tests.journey.system import System

EXAMPLES = 3
SEED = 20_261_126


@pytest.mark.parametrize(("who", "phases"), [("ana", "examples,coverage"), ("nobody", "fuzzing")])
def test_the_api_keeps_its_word(system: System, tmp_path: Path, who: str, phases: str) -> None:
    token = system.ana if who == "ana" else ""
    run = asked(system, tmp_path / who, examples=EXAMPLES, seed=SEED, token=token, phases=phases)
    assert run.failures == [], run.log[-6000:]
    assert run.cases > 40
    assert run.accepted > 10
