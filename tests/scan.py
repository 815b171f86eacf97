"""`make scan`: bandit over our code, pip-audit and npm audit over what it stands on.

What cannot be asked, because no database of advisories is in reach, counts as not clean and says so.
"""

import subprocess
import sys
from pathlib import Path

from pipeline.node import npm

ROOT = Path(__file__).parent.parent
BINARIES = Path(sys.executable).parent
SCAN_S_MAX = 300
UNREACHED = (
    "could not be audited", "audit endpoint returned an error", "ConnectionError", "ENOTFOUND", "ECONNREFUSED",
)  # fmt: skip


def scans() -> list[tuple[str, Path, list[str]]]:
    """Name, folder and command of each."""
    pip_audit = [str(BINARIES / "pip-audit"), "--strict", "--progress-spinner", "off"]
    bandit = [
        str(BINARIES / "bandit"),
        "-q",
        "-c",
        "pyproject.toml",
        "-r",
        "web",
        "pipeline",
        "sql",
    ]
    return [
        ("bandit", ROOT, bandit),
        ("pip-audit", ROOT, [*pip_audit, "-r", "requirements.txt", "-r", "requirements-dev.txt"]),
        *(
            (f"npm audit, {folder}", ROOT / folder, [*npm(), "audit", "--audit-level=low"])
            for folder in ("service-worker", "tests/audit", "tests/providers")
        ),
    ]


def main() -> int:
    """Exit code 1 unless each is clean."""
    verdicts = []
    for name, folder, command in scans():
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=SCAN_S_MAX, check=False
        )
        said = done.stdout + done.stderr
        unreached = any(sign in said for sign in UNREACHED)
        clean = done.returncode == 0 and not unreached
        verdict = (
            "clean" if clean else "not asked: no advisories in reach" if unreached else "findings"
        )
        verdicts.append((name, verdict))
        if verdict == "findings":
            sys.stdout.write(said)
    sys.stdout.write("".join(f"{name}: {verdict}\n" for name, verdict in verdicts))
    return 0 if all(verdict == "clean" for _, verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
