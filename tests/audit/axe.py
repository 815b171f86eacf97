"""Axe on every page of a visit, by day and by night, on a phone and on a desk: no violation at all."""

import sys
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.audit.scenes import scenes
from tests.browser import PHONE
from tests.journey.system import System

# Rules that axe leaves out unless asked, of which Lighthouse counts or mentions the last two.
MORE_RULES = ("color-contrast-enhanced", "target-size", "label-content-name-mismatch")
OPTIONS = {"rules": {rule: {"enabled": True} for rule in MORE_RULES}}
DESK = {"width": 1280, "height": 900}
HTML_LETTERS_MAX = 200
BARS_AT_THE_END = ".act, .hold, .tabs { position: static !important }"
"""A bar at the foot of the screen lies over half of some row, wherever a page is scrolled to; axe calls it too small."""
ADOPT = """(rules) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(rules);
    document.adoptedStyleSheets.push(sheet);
}"""
"""Our content policy takes no style tag."""

Violation = tuple[str, str, str, str]
"""Page, rule, what it says, and the element."""


def audit(browser: Browser, system: System) -> bool:
    """Visit all, print what was found; whether that is nothing."""
    found: dict[Violation, list[str]] = {}
    names = []
    for name, page in scenes(browser, system):
        sys.stderr.write(f"axe: {name} …\n")
        names.append(name)
        for size in (PHONE, DESK):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            page.evaluate(ADOPT, BARS_AT_THE_END)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                for violation in _violations(name, page):
                    found.setdefault(violation, []).append(f"{size['width']} px {scheme}")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    lines = [
        "## axe: light and dark, 390 and 1280 px\n",
        f"{len(names)} pages: {', '.join(names)}. Violations: {len(found)}.",
        *(f"- {' · '.join(what)} ({', '.join(where)})" for what, where in found.items()),
    ]
    sys.stdout.write("\n".join([*lines, "", ""]))
    return not found


def _violations(name: str, page: Page) -> list[Violation]:
    answer: dict[str, Any] = Axe().run(page, options=OPTIONS).response
    return [
        (name, one["id"], one["help"], _element(node))
        for one in answer["violations"]
        for node in one["nodes"]
    ]


def _element(node: dict[str, Any]) -> str:
    """Where it stands and how it begins."""
    target = " ".join(map(str, node["target"]))
    return f"{target} · {' '.join(node['html'].split())[:HTML_LETTERS_MAX]}"
