"""The servers that tests stand on: an own embedded Postgres and Valkey, prepared as `make setup` does."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline import prepare
from pipeline.local_services import postgres, valkey
from pipeline.settings import settings

FIRST_PORT = "18000"


@contextmanager
def services() -> Iterator[Path]:
    """Everything that `make setup` makes, in a new DATA_DIR, with both servers running."""
    folder = Path(tempfile.mkdtemp(prefix="ticketbuster-tests-"))
    os.environ["DATA_DIR"] = str(folder)
    os.environ["PORT"] = FIRST_PORT
    # Tests ask more often than anybody may; those of the limits turn them on.
    os.environ["RATE_LIMITS"] = "off"
    prepare.write_run_env(folder)
    settings.cache_clear()
    try:
        with postgres(settings()), valkey(settings()):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
