"""The whole system, started as `make run` starts it, in a DATA_DIR and on a port of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar
from uuid import uuid4

import psutil
import psycopg
import requests

from pipeline.prepare import ROOT, free_ports
from pipeline.settings import Settings, load

START_S_MAX = 90.0
STOP_S_MAX = 15.0
PAYS = "4242424242424242"
RUN = ("pipeline.prepare", "run")

T = TypeVar("T")


def wait_for(what: Callable[[], T], seconds: float, why: str) -> T:
    """Ask until the answer is true. Fails with the sentence."""
    deadline = monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        assert monotonic() < deadline, f"{why} ({seconds} s)"
        sleep(0.1)


@dataclass(frozen=True)
class System:
    """A running system and what a test asks of it."""

    address: str
    folder: Path
    launcher: "subprocess.Popen[bytes]"
    environment: dict[str, str]

    @property
    def settings(self) -> Settings:
        """The settings that its processes have."""
        return load({**self.environment, "DATA_DIR": str(self.folder)})

    @cached_property
    def ana(self) -> str:
        """Ana's access token."""
        return self.provider("token", "ana@example.com")[0]

    def provider(self, *arguments: str) -> list[str]:
        """`python -m web.provider …`, as `make token` runs it."""
        command = [sys.executable, "-m", "web.provider", *arguments]
        done = subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    def get(self, path: str, token: str = "") -> requests.Response:
        """GET as a bearer."""
        headers = {"Authorization": f"Bearer {token or self.ana}"}
        return requests.get(self.address + path, headers=headers, timeout=10)

    def order(
        self, event_id: int, seats: list[int], token: str = "", key: str = "", card: str = PAYS
    ) -> requests.Response:
        """POST /api/orders, once."""
        return requests.post(
            f"{self.address}/api/orders",
            json={"event_id": event_id, "seat_ids": seats, "payment": {"card_number": card}},
            headers={
                "Authorization": f"Bearer {token or self.ana}",
                "Idempotency-Key": key or str(uuid4()),
            },
            timeout=30,
        )

    def order_surely(self, event_id: int, seats: list[int], key: str, seconds: float) -> Any:
        """The same with one key until there is a verdict, whatever dies meanwhile."""

        def verdict() -> requests.Response | None:
            try:
                answer = self.order(event_id, seats, key=key)
            except requests.RequestException:
                return None
            undecided = answer.status_code >= 500 or (
                answer.status_code == 409 and answer.json()["error"] == "in_progress"
            )
            return None if undecided else answer

        return wait_for(verdict, seconds, "the purchase has no verdict")

    def status(self, order_uuid: str) -> str:
        """An order's state in the table."""
        rows = self.rows("SELECT status FROM orders.orders WHERE order_uuid = %s", order_uuid)
        return str(rows[0][0]) if rows else "unknown"

    def completed(self, order_uuids: list[str], seconds: float) -> None:
        """Wait until all of these orders are COMPLETED."""

        def open_orders() -> int:
            return int(self.rows(
                "SELECT count(*) FROM unnest(%s::uuid[]) AS wanted (order_uuid)"
                " LEFT JOIN orders.orders USING (order_uuid)"
                " WHERE orders.status IS DISTINCT FROM 'COMPLETED'", order_uuids)[0][0])  # fmt: skip

        wait_for(lambda: open_orders() == 0, seconds, "not all orders are COMPLETED")

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read its tables."""
        with psycopg.connect(self.settings.database_url, autocommit=True) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def free_seats(self, event_id: int, count: int) -> list[int]:
        """So many seats that can be taken now."""
        return [seat for (seat,) in self.rows(
            "SELECT id FROM catalog.seats WHERE event_id = %s AND status = 'AVAILABLE'"
            " ORDER BY id LIMIT %s", event_id, count)]  # fmt: skip

    def ledger(self) -> dict[str, dict[str, Any]]:
        """The bank's payments by key."""
        answer = requests.get(f"{self.settings.bank_url}/ledger", timeout=5).json()
        return {payment["key"]: payment for payment in answer["payments"]}

    def processes(self, module: str) -> list[psutil.Process]:
        """The running processes of a module, without their keepers."""
        return [
            process
            for process in psutil.Process(self.launcher.pid).children(recursive=True)
            if _command(process)[-2:] == ["-m", module]
        ]

    @contextmanager
    def another_web(self, root: str = str(ROOT), **environment: str) -> Iterator["System"]:
        """The same system, answered by one more web, with settings and perhaps code of its own."""
        port = int(environment.get("WEB_PORT") or free_ports(1)[0])
        process = subprocess.Popen(
            [sys.executable, "-m", "web"],
            cwd=root,
            env={**self.environment, **environment, "WEB_PORT": str(port)},
        )
        address = f"http://127.0.0.1:{port}"
        try:
            wait_for(lambda: is_ready(address), START_S_MAX, "the second web does not serve")
            yield replace(self, address=address)
        finally:
            process.terminate()
            process.wait(STOP_S_MAX)

    def ask(self, event_id: int, what: str, seats: list[int]) -> int:
        """`lock-seat` or `unlock-seat` as Ana; gives the status."""
        return requests.post(
            f"{self.address}/api/events/{event_id}/{what}",
            json={"seat_ids": seats},
            headers={"Authorization": f"Bearer {self.ana}"},
            timeout=10,
        ).status_code

    @contextmanager
    def suspended(self, module: str) -> Iterator[None]:
        """Every process of a module stands still; whatever happens, they go on afterwards."""
        standing = self.processes(module)
        assert standing, f"no process of {module}"
        for process in standing:
            process.suspend()
        try:
            yield
        finally:
            for process in standing:
                process.resume()

    def kill(self, module: str) -> None:
        """Kill -9 every process of a module."""
        victims = self.processes(module)
        assert victims, f"no process of {module}"
        for victim in victims:
            victim.kill()


def _command(process: psutil.Process) -> list[str]:
    try:
        command = process.cmdline()
    except psutil.Error:
        return []
    return [] if "pipeline.keep" in command else command


def is_ready(address: str) -> bool:
    """Whether everything behind the address answers."""
    try:
        return requests.get(f"{address}/ready", timeout=3).status_code == 200
    except requests.RequestException:
        return False


@contextmanager
def running(
    folder: Path, command: tuple[str, ...] = RUN, root: str = str(ROOT), **environment: str
) -> Iterator[System]:
    """Start everything, of the code in that folder; at the end everything must be gone."""
    port = int(environment.get("PORT") or free_ports(1)[0])
    known = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    environment = {
        **{name: os.environ[name] for name in known if name in os.environ},
        "DATA_DIR": str(folder),
        "PORT": str(port),
        # Many buyers of a test are one account, or one browser.
        "RATE_LIMITS": "off",
        **environment,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "run.log").open("ab") as log:
        launcher = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=root,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address = f"http://localhost:{port}"
    try:

        def up() -> bool:
            assert launcher.poll() is None, (folder / "run.log").read_text()[-3000:]
            return is_ready(address)

        wait_for(up, START_S_MAX, "it does not serve")
        yield System(address, folder, launcher, environment)
    finally:
        stop(launcher)


def stop(launcher: "subprocess.Popen[bytes]") -> None:
    """Ctrl-C, and nothing may be left."""
    if launcher.poll() is not None:
        return
    family = psutil.Process(launcher.pid).children(recursive=True)
    launcher.send_signal(signal.SIGINT)
    launcher.wait(STOP_S_MAX)
    _, left = psutil.wait_procs(family, timeout=3)
    names = [" ".join(process.cmdline()) for process in left if process.is_running()]
    for process in left:
        # It may have ended meanwhile, and its number be somebody else's.
        with suppress(psutil.NoSuchProcess):
            process.kill()
    assert names == []
