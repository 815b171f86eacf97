"""Our own files under an address that changes with them: browsers may keep them for a year."""

import gzip
import hashlib
import os
import shutil
from functools import cache
from pathlib import Path

import brotli

STATIC = Path(__file__).parent / "static"
DIGEST_LETTERS = 12
COMPRESSED = frozenset((".css", ".js", ".svg", ".txt"))


@cache
def digest() -> str:
    """Twelve letters that stand for all of the files together."""
    whole = hashlib.sha256()
    for path in _files():
        content = path.read_bytes()
        whole.update(f"{path.relative_to(STATIC)}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()[:DIGEST_LETTERS]


def asset(name: str) -> str:
    """The address of a file: `/static/0123456789ab/style.css`."""
    return f"/static/{digest()}/{name}"


def lay_out(folder: Path) -> Path:
    """Copy the files with their compressed forms (br, gzip) to a folder of this release."""
    root = folder / digest()
    if root.is_dir():
        return root
    making = folder / f"{digest()}.{os.getpid()}.new"
    shutil.rmtree(making, ignore_errors=True)
    for path in _files():
        copy = making / "static" / path.relative_to(STATIC)
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
    return root


def _files() -> list[Path]:
    return sorted(path for path in STATIC.rglob("*") if path.is_file())
