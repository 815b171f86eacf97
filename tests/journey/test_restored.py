"""The data directory is destroyed; from a backup that was made under way every accepted order is finished."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline.prepare import ROOT
from tests.journey.system import running

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
        done = system.order(EVENT, system.free_seats(EVENT, 1)).json()["order_uuid"]
        system.completed([done], 20)
        before = system.get(f"/api/orders/{done}").json()
        with system.suspended("pipeline.worker"):
            seats = system.free_seats(EVENT, 5)
            waiting = [system.order(EVENT, [seat]).json()["order_uuid"] for seat in seats]
            backup(folder, "save", str(file))
    shutil.rmtree(folder)
    backup(folder, "load", str(file))
    with running(folder) as system:
        system.completed(waiting, 60)
        ledger = system.ledger()
        assert [ledger[order]["state"] for order in waiting] == ["captured"] * len(waiting)
        after = system.get(f"/api/orders/{done}").json()
        assert after == before, "the codes that buyers have are the codes that we know"
        assert system.get("/.well-known/ticket-keys.json").json()["keys"]
