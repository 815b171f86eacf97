"""Orders are the purchases that their buyer was told of, whatever the network did; `make schedules` runs more."""

from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from tests.journey.offline.schedules import World, draw, lay_in, read, written
from tests.journey.system import System
from tests.lines import Line

SEEDS_MIN, SEEDS_MAX = 3, 8
"""On a slow machine whoever goes on at once may be too quick for three purchases in a row."""
LEFT = {
    "a refusal": "hold:0 type:4 tap:0 look:0",
    "an order": "hold:0 type:1 lose:0 tap:0 restore:0 look:0",
}
"""Somebody taps and goes on at once: nobody is on the page by which the server answers."""


@pytest.fixture(scope="module")
def blank(
    playwright: Playwright, system: System, outside: Line, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A phone on which the worker lies."""
    outside.way, outside.to = "open", system.settings.port
    return lay_in(playwright, outside, tmp_path_factory.mktemp("blank") / "phone")


@pytest.fixture
def world(playwright: Playwright, system: System, line: Line, blank: Path, tmp_path: Path) -> World:
    return World(playwright, system, line, blank, tmp_path)


def test_what_was_bought_is_what_was_told(world: World) -> None:
    counts: Counter[str] = Counter()
    for seed in range(1, SEEDS_MAX + 1):
        verdict = world.run(draw(seed))
        assert verdict.wrong == [], (seed, written(draw(seed)))
        counts += verdict.counts
        if seed >= SEEDS_MIN and counts["orders"]:
            break
    assert counts["orders"], "nothing was bought: this proves nothing"


@pytest.mark.parametrize("steps", LEFT.values(), ids=LEFT.keys())
def test_who_goes_on_before_the_answer_is_told_all_the_same(world: World, steps: str) -> None:
    verdict = world.run(read(steps))
    assert verdict.wrong == []
    assert verdict.counts["sent"] == 1
