"""Our own files under an address that changes with them: browsers may keep them for a year."""

import gzip
import hashlib
import os
import shutil
from functools import cache
from pathlib import Path
from time import time

import brotli

STATIC = Path(__file__).parent / "static"
BUILT = Path(__file__).parent.parent / "service-worker/build/built"
"""What web/offline_build.py makes; these belong to the files, the first two without blanks."""
SMALLER = ("app.js", "style.css")
BUILT_FOR_PAGES = (*SMALLER, "offline.js", "ticket-check.js")
DIGEST_LETTERS = 12
KEPT_S = 7 * 86_400
COMPRESSED = frozenset((".css", ".js", ".svg", ".txt"))


@cache
def digest() -> str:
    """Twelve letters that stand for all of the files together."""
    return digest_of(files())


def digest_of(some: dict[str, Path]) -> str:
    """The letters for these files, by name."""
    whole = hashlib.sha256()
    for name, path in some.items():
        content = path.read_bytes()
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()[:DIGEST_LETTERS]


@cache
def has_worker() -> bool:
    """Whether the service worker was built, and pages may count on it."""
    return (BUILT / "service-worker.js").exists()


def asset(name: str) -> str:
    """The address of a file: `/static/0123456789ab/style.css`."""
    return f"/static/{digest()}/{name}"


def lay_out(folder: Path) -> Path:
    """Copy the files with their compressed forms (br, gzip) to `static/{digest}` there.

    Earlier releases stay for a week: pages of theirs that are still open name them.
    """
    releases = folder / "static"
    root = releases / digest()
    if root.is_dir():
        root.touch()
        return root
    making = releases / f"{digest()}.{os.getpid()}.new"
    shutil.rmtree(making, ignore_errors=True)
    for name, path in files().items():
        copy = making / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes()
        copy.write_bytes(content)
        if path.suffix in COMPRESSED:
            copy.with_name(f"{copy.name}.br").write_bytes(brotli.compress(content))
            copy.with_name(f"{copy.name}.gz").write_bytes(gzip.compress(content, mtime=0))
    try:
        making.rename(root)
    except OSError:
        # Another front of this release was quicker; both copies are the same.
        shutil.rmtree(making)
    for old in releases.iterdir():
        if old != root and old.stat().st_mtime < time() - KEPT_S:
            shutil.rmtree(old, ignore_errors=True)
    return root


def files(built: Path = BUILT) -> dict[str, Path]:
    """Each file by the name that pages use, in order."""
    ours = {
        str(path.relative_to(STATIC)): path for path in sorted(STATIC.rglob("*")) if path.is_file()
    }
    made = {name: built / name for name in BUILT_FOR_PAGES if (built / name).exists()}
    return ours | made
