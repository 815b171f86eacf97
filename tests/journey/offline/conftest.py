"""A system behind a line that can be cut, and phones that keep things, for the tests of this folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, sync_playwright

from pipeline.prepare import free_ports
from tests.journey.devices import Device, Make, devices
from tests.journey.system import System, running
from tests.lines import Line


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture
def make(playwright: Playwright, tmp_path: Path) -> Iterator[Make]:
    with devices(playwright, tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def outside() -> Iterator[Line]:
    """The line behind which the system's one address lies."""
    made = Line(free_ports(1)[0])
    yield made
    made.close()


@pytest.fixture(scope="session")
def system(outside: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that knows itself by the line's address."""
    folder = tmp_path_factory.mktemp("offline")
    with running(folder, PORT=str(outside.to), PUBLIC_URL=outside.address) as started:
        yield started


@pytest.fixture
def line(outside: Line, system: System) -> Line:
    """The line, whole."""
    outside.way, outside.to, outside.passed = "open", system.settings.port, 0
    return outside


@pytest.fixture(scope="module")
def signed_in(
    playwright: Playwright, system: System, outside: Line, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What a phone keeps on which Ana has just signed in, to be copied."""
    outside.way, outside.to = "open", system.settings.port
    folder: Path = tmp_path_factory.mktemp("signed") / "in"
    device = Device(playwright, folder, outside.address)
    device.sign_in("ana")
    device.page.goto("/events")
    device.close()
    return folder


@pytest.fixture
def ana(make: Make, line: Line, signed_in: Path, tmp_path: Path) -> Device:
    """Ana's phone, signed in, the worker behind its pages."""
    shutil.copytree(signed_in, tmp_path / "ana")
    device = make("ana", line.address)
    device.page.goto("/")
    device.ready()
    return device
