"""The table of OWASP ASVS names only what is there, and says why where something is not."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| (V\d+\.\d+\.\d+) \| (.+) \| (met|not met|n/a) \| (.+) \|$", re.MULTILINE)
TEXT = (ROOT / "docs/security-asvs.md").read_text()
ROWS = ROW.findall(TEXT)


def test_each_requirement_stands_once() -> None:
    ids = [row[0] for row in ROWS]
    assert len(ids) == len(set(ids)) == TEXT.count("\n| V")
    assert {one.partition(".")[0] for one in ids} == {f"V{number}" for number in range(1, 17)}


def test_the_sums_are_right() -> None:
    counts = [sum(row[2] == status for row in ROWS) for status in ("met", "not met", "n/a")]
    assert (
        f"{len(ROWS)} requirements: {counts[0]} met, {counts[1]} not met, {counts[2]} not applicable."
        in TEXT
    )


@pytest.mark.parametrize(("number", "_asks", "status", "where"), ROWS, ids=lambda value: value[:8])
def test_what_is_named_is_there_and_what_is_not_has_its_reason(
    number: str, _asks: str, status: str, where: str
) -> None:
    named = re.findall(r"`([\w./-]+)`", where)
    if status == "met":
        assert named, number
        assert all((ROOT / path).exists() for path in named), number
    else:
        assert len(where) > 3, number
