"""The table of OWASP ASVS names only what is there, and says why where something is not."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| (V\d+\.\d+\.\d+) \| (.+) \| (met|not met|n/a) \| (.+) \|$", re.MULTILINE)
TEXT = (ROOT / "docs/security-asvs.md").read_text()
ROWS = ROW.findall(TEXT)


SECTIONS = (
    "1.1:2 1.2:9 1.3:11 1.4:3 1.5:2 2.1:3 2.2:3 2.3:4 2.4:1 3.2:2 3.3:4 3.4:6 3.5:5 3.7:2 4.1:3 4.2:1 4.3:2 4.4:4 5.1:1"
    " 5.2:3 5.3:2 5.4:3 6.1:3 6.2:12 6.3:4 6.4:4 6.5:5 6.6:3 6.8:4 7.1:3 7.2:4 7.3:2 7.4:5 7.5:2 7.6:2 8.1:2 8.2:3 8.3:1"
    " 8.4:1 9.1:3 9.2:4 10.1:2 10.2:2 10.3:4 10.4:11 10.5:5 10.6:2 10.7:3 11.1:2 11.2:3 11.3:3 11.4:4 11.5:1 11.6:1 12.1:3"
    " 12.2:2 12.3:4 13.1:1 13.2:5 13.3:2 13.4:5 14.1:2 14.2:4 14.3:3 15.1:3 15.2:3 15.3:7 16.1:1 16.2:5 16.3:4 16.4:3 16.5:3"
)
"""How many requirements of levels 1 and 2 each section of ASVS 5.0.0 has; they are its first ones."""


def test_each_requirement_stands_once_and_in_order() -> None:
    asked = [one.split(":") for one in SECTIONS.split()]
    ids = [f"V{section}.{number}" for section, most in asked for number in range(1, int(most) + 1)]
    assert [row[0] for row in ROWS] == ids
    assert TEXT.count("\n| V") == len(ids)


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
