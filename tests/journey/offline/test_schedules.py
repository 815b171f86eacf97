"""Orders are the purchases that their buyer was told of, whatever the network did; `make schedules` runs more."""

from pathlib import Path

from playwright.sync_api import Playwright

from tests.journey.devices import Line
from tests.journey.offline.schedules import draw, world
from tests.journey.system import System

SEEDS = range(1, 5)


def test_what_was_bought_is_what_was_told(
    playwright: Playwright, system: System, line: Line, tmp_path: Path
) -> None:
    made = 0
    with world(playwright, system, line, tmp_path) as here:
        for seed in SEEDS:
            wrong, orders = here.run(draw(seed))
            assert wrong == [], (seed, draw(seed))
            made += orders
    assert made, "nothing was bought: this proves nothing"
