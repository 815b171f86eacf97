"""Real servers for every test, the app, and the cast: Ana, Bruno, Carla."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
import urllib3
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings

from pipeline import connections, payments, signing
from pipeline.connections import Role, pool, queue_client, redis_client
from pipeline.seatlock import client as seatlock
from pipeline.seatlock.server import serve
from pipeline.settings import settings
from sql.__main__ import migrate
from tests.halls import owner
from tests.services import services
from tests.stations import forget_everything, relay
from web.app import create_app
from web.provider import keys as provider_keys
from web.provider import users
from web.recent import forget

BANK_S_MAX = 15.0
# Pools are looked at where a test says so: replacing a connection takes from `random`, and
# hypothesis wants that for itself.
connections.IDLE_S = 3_600.0
# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def data_dir() -> Iterator[Path]:
    """Postgres and Redis with the schema, and everything else that `make setup` makes but events."""
    with services() as folder:
        migrate(settings().database_url)
        signing.ensure(Path(settings().ticket_keys))
        provider_keys.ensure()
        users.add_demo()
        yield folder
        roles: tuple[Role, ...] = ("web", "pipeline", "seatlock")
        for role in roles:
            pool(role).close()
        relay().close()
        redis_client().close()
        queue_client().close()


@pytest.fixture(scope="session", autouse=True)
def _seatlock(data_dir: Path) -> Iterator[None]:
    """The gRPC service, over a real socket."""
    server = serve(settings().seatlock_url)
    yield
    server.stop(1).wait()


@pytest.fixture(scope="session", autouse=True)
def bank(data_dir: Path) -> Iterator[str]:
    """The bank, a process of its own with its own ledger; gives its address."""
    process = subprocess.Popen([sys.executable, "-m", "pipeline.bank"], env=dict(os.environ))
    deadline = monotonic() + BANK_S_MAX
    while True:
        try:
            urllib3.request("GET", f"{settings().bank_url}/health", timeout=1, retries=False)
            break
        except urllib3.exceptions.HTTPError:
            assert monotonic() < deadline, "the bank does not answer"
            sleep(0.05)
    yield settings().bank_url
    process.terminate()
    process.wait(10)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """No cache of the pages holds what an earlier test saw, and no server is taken for away."""
    forget()
    for breaker in (payments.breaker, seatlock.breaker):
        breaker.close()
    seatlock.patient.set()


@pytest.fixture(scope="session")
def app(data_dir: Path) -> Flask:
    """The app that `web` serves."""
    app = create_app()
    app.testing = True
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without JavaScript."""
    return app.test_client()


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The app as everybody has it, limits and all, with nothing counted yet."""
    monkeypatch.setenv("RATE_LIMITS", "on")
    settings.cache_clear()
    app = create_app()
    app.testing = True
    app.extensions["limits"].reset()
    yield app
    app.extensions["limits"].reset()
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def clean(_seatlock: None) -> None:
    """Nothing waits anywhere that an earlier test left."""
    forget_everything()


@pytest.fixture
def nothing_on_sale() -> None:
    """Only this test's events are in the list."""
    with owner() as connection:
        connection.execute("UPDATE catalog.events SET status = 'UNPUBLISHED'")
