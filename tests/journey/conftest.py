"""One whole system for the tests that do not break it for good, and a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.journey.system import System, running


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Every process for real, with the demo season and up to three workers."""
    folder: Path = tmp_path_factory.mktemp("system")
    with running(folder, WORKERS_MAX="3") as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of one file."""
    with chromium() as started:
        yield started
