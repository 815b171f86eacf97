"""The rules of this house: who imports whom, one process one name, limits of size, nothing undocumented."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.settings import load

ROOT = Path(__file__).parent.parent
FOLDERS = ["tunnel", "web", "pipeline", "sql"]
"""Each may import itself and what stands to its right."""
STATIONS = [
    "backup", "prepare", "bank", "sweeper", "dead_letters", "privacy", "orders", "purchases", "backlog", "lately", "relay", "dispatcher", "autoscaler", "worker",
    "tickets", "refunds", "signing", "payments", "seatlock", "updates", "keep", "local_services",
    "embedded", "serving", "loop", "logs", "signals", "doors", "ends", "failpoint", "breaker", "election", "jobs", "messages", "connections",
    "settings",
]  # fmt: skip
"""Inside pipeline each imports only to its right, so there can be no circle."""
PROCESSES = [
    "front", "web", "seatlock", "bank", "relay", "dispatcher", "worker", "autoscaler", "updates",
    "sweeper", "local_services",
]  # fmt: skip
LINES_MAX = 400
FUNCTION_LINES_MAX = 50
GENERATED = "_pb2"
MODULES = [
    path
    for folder in [*FOLDERS, "tests"]
    for path in sorted((ROOT / folder).rglob("*.py"))
    if GENERATED not in path.name
]
OURS = [path for path in MODULES if path.relative_to(ROOT).parts[0] != "tests"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> list[tuple[str, ...]]:
    """Every import of the file, as parts of its dotted name."""
    found: list[tuple[str, ...]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            base = tuple(node.module.split("."))
            found += [(*base, alias.name) for alias in node.names] if len(base) == 1 else [base]
    return found


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    here = path.relative_to(ROOT).with_suffix("").parts
    for there in imported(path):
        if there[0] not in FOLDERS:
            continue
        if here != ("sql", "__main__"):
            assert FOLDERS.index(here[0]) <= FOLDERS.index(there[0]), (name_of(path), there)
        if here[0] == there[0] == "pipeline" and here[1] != "__init__" and len(there) > 1:
            assert STATIONS.index(here[1]) <= STATIONS.index(there[1]), (name_of(path), there)


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_only_web_and_the_bank_speak_http(path: Path) -> None:
    here = name_of(path)
    allowed = here.startswith(("web/", "pipeline/bank/")) or here == "pipeline/serving.py"
    assert allowed or not any(there[0] in ("flask", "gunicorn") for there in imported(path)), here


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_web_reads_and_only_its_accounts_write(path: Path) -> None:
    here = name_of(path)
    if not here.startswith("web/") or here.startswith(("web/accounts/", "web/provider/")):
        return
    assert ("sql", "write") not in imported(path), here


def test_the_bank_knows_only_the_floor() -> None:
    floor = {"logs", "signals", "serving", "settings", "bank"}
    for path in (ROOT / "pipeline/bank").glob("*.py"):
        assert {there[1] for there in imported(path) if there[0] == "pipeline"} <= floor


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_are_small_and_open_with_one_line(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LINES_MAX
    opening = ast.get_docstring(ast.parse(text))
    assert opening, "say in one line what the file is"
    assert opening.splitlines()[0].endswith((".", ":", "?")), opening


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_functions_are_short(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and name_of(path) != "pipeline/settings.py":
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES_MAX, node.name


def test_one_process_one_name() -> None:
    lines = (ROOT / "Procfile").read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == PROCESSES
    for line in lines:
        name, _, command = line.partition(": ")
        module = command.split()[-1]
        assert module.rpartition(".")[2] == name
        path = ROOT / module.replace(".", "/")
        main = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
        assert main.exists(), module


def test_every_query_is_named_with_a_sentence_and_used() -> None:
    code = "\n".join(path.read_text() for path in MODULES)
    for path in sorted((ROOT / "sql").glob("*.sql")):
        if path.name == "demo_data.sql":
            continue
        for name, comment in re.findall(r"-- name: (\w+)\n(.*)", path.read_text()):
            assert comment.startswith("-- "), f"{path.name}: {name} has no sentence"
            assert f'"{path.stem}.{name}"' in code, f"{path.name}: {name} is never used"


def test_sql_stands_in_sql_files() -> None:
    """Only sql/ knows table names; the launcher and the health check know none."""
    tables = re.compile(
        r"\b(catalog|orders|accounts)\.(seats|events|orders|tickets|purchases|users)\b"
    )
    for path in OURS:
        if not name_of(path).startswith("sql/"):
            found = [line for line in path.read_text().splitlines()
                     if tables.search(line) and re.search(r"\b(SELECT|UPDATE|INSERT|DELETE)\b", line)]  # fmt: skip
            assert found == [], name_of(path)


def test_the_stubs_are_fresh(tmp_path: Path) -> None:
    folder = ROOT / "pipeline/seatlock"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={tmp_path}",
         f"--grpc_python_out={tmp_path}", f"--pyi_out={tmp_path}", "pipeline/seatlock/seatlock.proto"],
        cwd=ROOT, check=True,
    )  # fmt: skip
    for made in (tmp_path / "pipeline/seatlock").iterdir():
        assert made.read_text() == (folder / made.name).read_text(), (
            f"{made.name}: run `make stubs`"
        )


def settings_read() -> set[str]:
    """Every variable that settings ask the environment for."""

    class Asked(dict[str, str]):
        names: set[str] = set()  # noqa: RUF012  one for the whole test, on purpose

        def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
            self.names.add(name)
            return default

    load(Asked())
    return Asked.names


OWN_PORTS = {"POSTGRES_PORT", "POSTGRES_PASSWORD", "REDIS_PORT", "REDIS_PASSWORD", "WEB_PORT",
             "UPDATES_PORT", "SEATLOCK_PORT", "BANK_PORT"}  # fmt: skip
"""`make setup` writes these to run.env; nobody sets them by hand."""


def test_every_environment_variable_is_documented_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text()
    documented = set(re.findall(r"^#?\s?([A-Z][A-Z_]+)=", text, re.MULTILINE))
    roles = {f"DATABASE_URL_{role}" for role in ("SEATLOCK", "PIPELINE", "WEB")}
    assert documented == (settings_read() - OWN_PORTS) | roles
    assert re.search(r"^#\s?PORT=8000", text, re.MULTILINE), "plain honcho lets .env win"


def test_every_package_is_pinned_and_explained() -> None:
    explained = (ROOT / "ARCHITECTURE.md").read_text().lower()
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, pinned, _ = line.partition("==")
            assert pinned, line
            assert name.partition("[")[0] in explained, f"{name}: why is it here?"


def test_nothing_is_left_for_later() -> None:
    words = re.compile(
        "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X:", r"pytest\.mark\." + "skip"])
    )
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in {".py", ".sql", ".html", ".css", ".md", ".toml"} and path.exists():
            assert not words.search(path.read_text()), name
