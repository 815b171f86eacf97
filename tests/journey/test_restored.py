"""The data directory is destroyed; from a backup that was made under way every accepted order is finished."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import requests

from pipeline.prepare import ROOT
from tests.chaos.checker import rules
from tests.journey.system import System, running, wait_for

EVENT = 2


def backup(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.backup", *arguments],
        env={**os.environ, "DATA_DIR": str(folder)}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_restored_system_finishes_every_accepted_order(tmp_path: Path) -> None:
    folder, file = tmp_path / "data", tmp_path / "backup.tar"
    with running(folder, WORKERS_MAX="1") as system:
        seats = iter(system.free_seats(EVENT, 40))

        def order() -> str:
            return str(system.order(EVENT, [next(seats)]).json()["order_uuid"])

        done, called_off = order(), order()
        system.completed([done, called_off], 20)
        before = system.get(f"/api/orders/{done}").json()
        with system.suspended("pipeline.worker"):
            waiting = [order() for _ in range(5)]
            with ThreadPoolExecutor(4) as crowd:
                meanwhile = [crowd.submit(order) for _ in range(20)]
                backup(folder, "save", str(file))
                younger = [one.result() for one in meanwhile]
        system.completed([*waiting, *younger], 30)
        # What happens after the rows were saved, the ledger of a backup may know.
        headers = {"Authorization": f"Bearer {system.ana}"}
        address = f"{system.address}/api/orders/{called_off}/cancel"
        assert requests.post(address, headers=headers, timeout=10).status_code == 200
        wait_for(lambda: system.ledger()[called_off]["state"] == "refunded", 20, "not refunded")
        with closing(sqlite3.connect(folder / "bank.sqlite3")) as books:
            books.execute("VACUUM INTO ?", [str(tmp_path / "bank.sqlite3")])
    younger_books(file, tmp_path / "bank.sqlite3")
    shutil.rmtree(folder)
    backup(folder, "load", str(file))
    with running(folder) as system:
        saved = [one for one in (*waiting, *younger) if system.status(one) != "unknown"]
        system.completed(saved, 60)
        wait_for(lambda: not open_purchases(system), 60, "a purchase is not settled")
        found = system.ledger()
        assert set(waiting) <= set(saved)
        assert {found[one]["state"] for one in saved} == {"captured"}
        for one in younger:
            ends = system.status(one), found[one]["state"]
            assert ends in (("COMPLETED", "captured"), ("unknown", "refunded")), one
        assert system.status(called_off) == "CANCELLED"
        after = system.get(f"/api/orders/{done}").json()
        assert after == before, "the codes that buyers have are the codes that we know"
        assert rules(system) == []


def younger_books(file: Path, books: Path) -> None:
    """The backup as if the ledger had been copied long after the rows."""
    parts = file.parent / "parts"
    with tarfile.open(file) as tar:
        tar.extractall(parts, filter="data")
    shutil.copy2(books, parts / "bank.sqlite3")
    with tarfile.open(file, "w") as tar:
        for path in parts.iterdir():
            tar.add(path, path.name)


def open_purchases(system: System) -> bool:
    return bool(
        system.rows("SELECT 1 FROM orders.purchases WHERE step NOT IN ('PLACED', 'REFUSED')")
    )
