"""FAILPOINT: a test has the process kill itself just after a step was written, once a DATA_DIR."""

import os
import signal

from pipeline.settings import settings


def fail_here(step: str) -> None:
    """Die without a word (kill -9) when FAILPOINT names this step and nobody died of it before."""
    if step not in settings().failpoints:
        return
    try:
        (settings().data_dir / f"failpoint-{step}").touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
