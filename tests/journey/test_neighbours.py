"""Two neighbouring releases side by side: whoever is older goes on with what the newer brought."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import CREATED
from pathlib import Path

import grpc
import pytest
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc

from pipeline.prepare import free_ports
from pipeline.seatlock import seatlock_pb2
from tests.chaos.mutants import Change, change
from tests.journey.buyers import event_with
from tests.journey.system import System, wait_for
from tests.releases import copy_of_the_code

START_S, DONE_S = 30.0, 20.0
IN_USE = 50
MIGRATION = """-- What the next release adds, everywhere.
ALTER TABLE catalog.events ADD COLUMN subtitle text;
ALTER TABLE catalog.seats ADD COLUMN view text NOT NULL DEFAULT 'free';
ALTER TABLE orders.purchases ADD COLUMN channel text NOT NULL DEFAULT 'page';
ALTER TABLE orders.orders ADD COLUMN channel text NOT NULL DEFAULT 'page';
ALTER TABLE orders.tickets ADD COLUMN paper boolean NOT NULL DEFAULT false;
ALTER TABLE orders.outbox ADD COLUMN priority integer NOT NULL DEFAULT 0;
ALTER TABLE accounts.sessions ADD COLUMN device text;
"""
NEWER = (
    Change("pipeline/seatlock/seatlock.proto", "  bool accessible = 10;\n",
           "  bool accessible = 10;\n  string view = 11;\n"),
    Change("pipeline/seatlock/seatlock.proto", "  double seconds = 4;\n",
           "  double seconds = 4;\n  string channel = 5;\n"),
    Change("pipeline/seatlock/seatlock.proto", "service InventoryService {\n",
           "service InventoryService {\n  rpc Look(ReleaseExpiredRequest) returns (AvailableReply);\n"),
    Change("pipeline/seatlock/server.py", "accessible=row.accessible,",
           'accessible=row.accessible, view="all of the stage",'),
)  # fmt: skip
FIELDS = Path(__file__).parent.parent / "seatlock_fields.json"
"""Every field that a release had, with number, type, and whether it is repeated; add new ones."""


@pytest.fixture(scope="module")
def newer(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next release's code; its schema is applied, while this release runs."""
    # Long enough in use that statements are prepared: their plans know the tables as they were.
    event = event_with(system, IN_USE)
    for seat in system.free_seats(event, IN_USE):
        assert system.order(event, [seat]).status_code == CREATED
    code = copy_of_the_code(tmp_path_factory.mktemp("newer"))
    change(code, NEWER)
    (code / "sql/schema/999_next_release.sql").write_text(MIGRATION)
    proto = "pipeline/seatlock/seatlock.proto"
    out = ("--python_out=.", "--pyi_out=.", "--grpc_python_out=.")
    run(code, system, "grpc_tools.protoc", "-I.", *out, proto)
    run(code, system, "sql")
    assert system.rows("SELECT view FROM catalog.seats LIMIT 1") == [("free",)]
    return code


def run(code: Path, system: System, *command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], cwd=code, env=system.environment, check=True)


@contextmanager
def seatlock_of(code: Path, system: System) -> Iterator[str]:
    """That release's seatlock, beside the one that runs; gives its address."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.seatlock"],
        cwd=code,
        env={**system.environment, "SEATLOCK_URL": address},
    )
    try:
        wait_for(lambda: serves(address), START_S, "the newer seatlock does not serve")
        yield address
    finally:
        process.terminate()
        process.wait(10)


def serves(address: str) -> bool:
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            reply = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=1
            )
        except grpc.RpcError:
            return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def buys_and_cancels(web: System) -> None:
    """Look, hold, pay, get the tickets, cancel: all that there is."""
    event = event_with(web, 2)
    seats = web.free_seats(event, 2)
    assert requests.get(f"{web.address}/events/{event}", timeout=10).status_code == 200
    assert web.ask(event, "lock-seat", seats) == 200
    answer = web.order(event, seats)
    assert answer.status_code == 201, answer.text
    order = answer.json()["order_uuid"]
    web.completed([order], DONE_S)
    cancelled = requests.post(
        f"{web.address}/api/orders/{order}/cancel",
        json={},
        headers={"Authorization": f"Bearer {web.ana}"},
        timeout=10,
    )
    assert cancelled.json()["status"] == "CANCELLED"
    wait_for(lambda: set(seats) <= set(web.free_seats(event, 10_000)), DONE_S, "seats stay taken")
    assert web.ledger()[order]["state"] == "refunded"


def test_this_release_goes_on_with_the_next_ones_schema(system: System, newer: Path) -> None:
    assert newer.exists()
    buys_and_cancels(system)


def test_this_web_asks_the_next_seatlock(system: System, newer: Path) -> None:
    with seatlock_of(newer, system) as address, system.another_web(SEATLOCK_URL=address) as web:
        buys_and_cancels(web)


def test_the_next_web_asks_this_seatlock(system: System, newer: Path) -> None:
    with system.another_web(root=str(newer)) as web:
        buys_and_cancels(web)


def test_no_field_changes_its_number_or_type() -> None:
    now = {
        f"{name}.{field.name}": [field.number, field.type, field.is_repeated]
        for name, message in seatlock_pb2.DESCRIPTOR.message_types_by_name.items()
        for field in message.fields
    }
    assert now == json.loads(FIELDS.read_text())
