"""Lighthouse as phones are judged by it: four categories of five pages, each page's middle one of three runs.

Below 95 fails; below 100 fails too unless reasons.py says why.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from pipeline.node import node_with_packages
from tests.audit.pages import Places, five
from tests.audit.reasons import REASONS
from tests.audit.tables import table
from tests.browser import found
from tests.journey.system import System

HERE = Path(__file__).parent
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
LEAST = 95
FULL = 100
RUNS = 3
TRIES = 5
"""So many for three runs: the flag below makes the browser, once in ten runs, paint nothing at all."""
NOTHING_PAINTED = "NO_FCP"
RUN_S_MAX = 180
NODES_MAX = 3
NO_SANDBOX = "--no-sandbox" if os.geteuid() == 0 else ""
CHROME_FLAGS = (
    "--headless=new --disable-background-networking --disable-component-update --disable-sync"
    f" --disable-default-apps --disable-extensions --mute-audio {NO_SANDBOX}"
    " --run-all-compositor-stages-before-draw"
)
"""Without a screen Chromium may draw the first frame, an empty page's too, one or two whole seconds late; the last
flag draws it once it is ready. It was all of a speed index of 4 s."""
SILENT = ("notApplicable", "manual", "informative")
"""Audits that have no verdict."""


@dataclass
class Verdict:
    """What one page got: its scores by category, and what pulls them down."""

    page: str
    report: dict[str, Any]
    excused: set[tuple[str, str]] = field(default_factory=set)

    def score(self, category: str) -> int:
        """As Lighthouse shows it; a category that could not be judged is 0."""
        return round(FULL * (self.report["categories"][category]["score"] or 0))

    def failed(self, category: str, *, weighty: bool = True) -> list[str]:
        """The ids of its audits that are not perfect: those that count, or those that do not."""
        audits = self.report["audits"]
        return [
            one["id"]
            for one in self.report["categories"][category]["auditRefs"]
            if (one["weight"] > 0) == weighty
            and audits[one["id"]]["scoreDisplayMode"] not in SILENT
            and (audits[one["id"]]["score"] or 0) < 1
        ]

    def wrong(self, category: str) -> bool:
        """Whether the category fails. Remembers the reasons that were needed."""
        score = self.score(category)
        if score == FULL:
            return False
        if (self.page, category) in REASONS:
            self.excused.add((self.page, category))
            return score < LEAST
        needed = {(self.page, audit) for audit in self.failed(category)}
        self.excused |= needed & REASONS.keys()
        return score < LEAST or not needed <= REASONS.keys()

    def number(self, audit: str) -> float:
        """An audit's figure in its own unit; not a number where it could not be measured."""
        return float(self.report["audits"][audit].get("numericValue", "nan"))


def audit(browser: Browser, system: System) -> bool:
    """Run all, print the tables; whether everything is as it should be."""
    command = [*node_with_packages(HERE), str(HERE / "node_modules/lighthouse/cli/index.js")]
    places = five(system, browser)
    headers = system.folder / "headers.json"
    headers.write_text(json.dumps(places.headers))
    chromium = found() or browser.browser_type.executable_path
    verdicts = [
        _middle(command, chromium, headers, name, system.address + path)
        for name, path in places.paths.items()
    ]
    wrong = [[one.wrong(category) for category in CATEGORIES] for one in verdicts]
    sys.stdout.write(_report(verdicts, places))
    return not any(map(any, wrong))


def _middle(command: list[str], chromium: str, headers: Path, page: str, address: str) -> Verdict:
    """The run with the middle performance, as the machine's other work makes single runs jump."""
    runs: list[Verdict] = []
    for _ in range(TRIES):
        if len(runs) == RUNS:
            break
        sys.stderr.write(f"Lighthouse: {page} …\n")
        done = subprocess.run(
            [*command, address, "--output=json", "--output-path=stdout", "--quiet",
             "--only-categories=" + ",".join(CATEGORIES), f"--chrome-flags={CHROME_FLAGS}",
             f"--extra-headers={headers}", "--disable-full-page-screenshot",
             "--no-enable-error-reporting"],
            env={**os.environ, "CHROME_PATH": chromium},
            capture_output=True, text=True, check=False, timeout=RUN_S_MAX,
        )  # fmt: skip
        if done.returncode and NOTHING_PAINTED in done.stderr:
            continue
        if done.returncode:
            sys.exit(f"Lighthouse could not judge {page}:\n{done.stderr[-2000:]}")
        runs.append(Verdict(page, json.loads(done.stdout)))
    if len(runs) < RUNS:
        sys.exit(f"{page}: only {len(runs)} of {TRIES} tries painted anything.")
    return sorted(runs, key=lambda one: one.score("performance"))[RUNS // 2]


def _report(verdicts: list[Verdict], places: Places) -> str:
    version = verdicts[0].report["lighthouseVersion"]
    rows = [
        [
            one.page,
            places.paths[one.page].partition("/tickets/")[0] or "/tickets/…",
            *(str(one.score(category)) for category in CATEGORIES),
            f"{one.number('largest-contentful-paint') / 1000:.2f} s",
            f"{one.number('cumulative-layout-shift'):.3f}",
            f"{one.number('total-blocking-time'):.0f} ms",
            f"{one.number('total-byte-weight') / 1024:.0f} KiB",
        ]
        for one in verdicts
    ]
    head = ["page", "address", *CATEGORIES, "LCP", "CLS", "TBT", "all bytes"]
    speeds = " ".join(f"{one.report['environment']['benchmarkIndex']:.0f}" for one in verdicts)
    title = f"## Lighthouse {version}, phone, simulated slow 4G; its index of this machine's speed: {speeds}\n"
    lines = [title, table(head, rows)]
    lines += [line for one in verdicts for category in CATEGORIES for line in _below(one, category)]
    unneeded = REASONS.keys() - set().union(*(one.excused for one in verdicts))
    lines += [f"- reason not needed any more: {page}, {what}" for page, what in sorted(unneeded)]
    return "\n".join([*lines, *_notes(verdicts), "", ""])


def _below(verdict: Verdict, category: str) -> list[str]:
    """What pulls a category below 100, and the reason where there is one."""
    score = verdict.score(category)
    whole = REASONS.get((verdict.page, category))
    lines = []
    for audit_id in verdict.failed(category) if score < FULL else []:
        reason = REASONS.get((verdict.page, audit_id)) or whole
        because = f" Reason: {reason}" if reason else ""
        lines.append(f"- {verdict.page}, {category} {score}: {_said(verdict, audit_id)}.{because}")
    return lines


def _notes(verdicts: list[Verdict]) -> list[str]:
    """What is found but does not count, once for all pages that have it."""
    notes: dict[str, list[Verdict]] = {}
    for one in verdicts:
        for category in CATEGORIES:
            for audit_id in one.failed(category, weighty=False):
                notes.setdefault(audit_id, []).append(one)
    return [
        f"- does not count: {_said(pages[0], audit_id)} ({', '.join(one.page for one in pages)})"
        for audit_id, pages in notes.items()
    ]


def _said(verdict: Verdict, audit_id: str) -> str:
    """The audit's id and title, its figure, and the first few places that it points at."""
    one = verdict.report["audits"][audit_id]
    items = one.get("details", {}).get("items", [])
    nodes = [item.get("node") for item in items if isinstance(item, dict)]
    where = [node["selector"] for node in nodes if isinstance(node, dict) and "selector" in node]
    figure = one.get("displayValue") or one.get("errorMessage")
    said = [f"{audit_id}: {one['title'].rstrip('. ')}", figure, " | ".join(where[:NODES_MAX])]
    return ", ".join(filter(None, said))
