"""`python -m web.offline_build`: the service worker, and what pages need of it.

esbuild makes a file of each, `workbox injectManifest` lists in the worker what it lays in. Without
Node or its packages there is no worker: this says so and ends well, and pages serve without it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline.node import NodeError, node_with_packages
from web import assets

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "service-worker"
BUILT = assets.BUILT
STAMP = "sources"
BUILD_S_MAX = 120
WITHOUT = "TicketBuster serves without the service worker: nothing works offline. {why}"


def sources() -> str:
    """A digest of all that the built files are made from, the offline page's words included."""
    whole = hashlib.sha256()
    for path in _inputs():
        whole.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return whole.hexdigest()


def _inputs() -> list[Path]:
    folders = (SOURCE / "src", assets.STATIC, ROOT / "templates/offline", ROOT / "web/translations")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    alone = ("package-lock.json", "workbox-config.cjs")
    others = (Path(__file__), ROOT / "templates/layout.html")
    return sorted([*files, *(SOURCE / name for name in alone), *others])


def build() -> None:
    """Build unless it is done for these sources; whole or not at all. Raises NodeError."""
    (SOURCE / "build").mkdir(exist_ok=True)
    with (SOURCE / "build/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = sources()
        stamp = BUILT / STAMP
        if stamp.exists() and stamp.read_text() == wanted:
            return
        shutil.rmtree(BUILT, ignore_errors=True)
        making = BUILT.with_name("making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        _make(making, wanted)
        (making / STAMP).write_text(wanted)
        making.rename(BUILT)


def _make(folder: Path, revision: str) -> None:
    node = node_with_packages(SOURCE)
    for name in assets.SMALLER:
        _esbuild(node, [str(assets.STATIC / name)], folder / name)
    _bundle(node, folder, "page.js", "offline.js", "iife")
    _bundle(node, folder, "ticket-check.js", "ticket-check.js", "esm")
    digest = assets.digest_of(assets.files(built=folder))
    _bundle(node, folder, "service-worker.js", "bundle.js", "iife", f'--define:RELEASE="{digest}"')
    workbox = SOURCE / "node_modules/workbox-cli/build/bin.js"
    settings = {"DIGEST": digest, "REVISION": revision[: assets.DIGEST_LETTERS], "OUT": str(folder)}
    _run([*node, str(workbox), "injectManifest", "workbox-config.cjs"], settings)
    (folder / "bundle.js").unlink()


def _bundle(node: list[str], folder: Path, entry: str, name: str, form: str, *more: str) -> None:
    defined = '--define:process.env.NODE_ENV="production"'
    _esbuild(node, [f"src/{entry}", "--bundle", f"--format={form}", defined, *more], folder / name)


def _esbuild(node: list[str], what: list[str], out: Path) -> None:
    esbuild = SOURCE / "node_modules/esbuild/bin/esbuild"
    usual = ("--minify", "--target=es2022", "--log-level=warning", f"--outfile={out}")
    _run([*node, str(esbuild), *what, *usual])


def _run(command: list[str], settings: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=SOURCE,
            env={**os.environ, **(settings or {})},
            capture_output=True,
            text=True,
            timeout=BUILD_S_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NodeError(f"The build did not run: {error}.") from error
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise NodeError("The build failed; its lines above say why.")


if __name__ == "__main__":
    try:
        build()
    except NodeError as error:
        sys.stderr.write(WITHOUT.format(why=error) + "\n")
