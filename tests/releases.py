"""Copies of this code in folders of their own: another release, or one with a guard taken out."""

import shutil
import subprocess
from pathlib import Path

from pipeline.prepare import ROOT

MODULES = "service-worker/node_modules"


def copy_of_the_code(folder: Path) -> Path:
    """Every file that git knows, as it is now, with the service worker's packages borrowed."""
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in files.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / MODULES).symlink_to(ROOT / MODULES)
    return folder
