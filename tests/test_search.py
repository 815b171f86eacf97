"""Search in the page: what changes while somebody types, by the list's own address."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from tests.halls import change, hall


@pytest.mark.usefixtures("clean")
class TestSearchInThePage:
    """What changes while somebody types: the counts and the list, never the page around them."""

    def test_the_counts_are_what_each_kind_finds(self, client: FlaskClient) -> None:
        for kind, title in (
            ("CONCERT", "Zurita uno"),
            ("CONCERT", "Zurita dos"),
            ("THEATER", "Zurita"),
        ):
            hall(title=title, category=kind)
        page = client.get("/events?q=zurita").text
        counts = dict(re.findall(r'class="k-(\w+)" href="[^"]+">\w+ <span>(\d+)', page))
        assert counts["CONCERT"] == "2"
        assert counts["THEATER"] == "1"
        assert counts["SPORTS"] == "0"
        assert re.search(r">Todo <span>3<", page)
        for kind, count in counts.items():
            found = client.get(f"/events?q=zurita&category={kind}").text
            assert found.count('<li class="bill') == int(count)

    def test_a_fragment_is_no_page(self, client: FlaskClient) -> None:
        for number in range(22):
            hall(title=f"Quispe {number}")
        swap = {"HX-Request": "true"}
        found = client.get("/events?q=quispe", headers=swap).text
        assert 'class="chips"' in found
        assert "<html" not in found
        following = re.search(r'hx-get="([^"]+cursor=[^"]+)"', found)
        assert following
        more = client.get(html.unescape(following[1]), headers=swap).text
        assert more.count('<li class="bill') == 2
        assert 'class="chips"' not in more

    def test_what_can_be_bought_next_is_pasted_large(self, client: FlaskClient) -> None:
        """The first of the list may be sold out; it keeps its place among the others."""
        soon = datetime.now(UTC) + timedelta(days=1)
        gone = hall(title="Mamani agotado", starts_at=soon)
        change(gone.seats, status="BLOCKED")
        open_ = hall(title="Mamani abierto", starts_at=soon + timedelta(days=1))
        rows = re.findall(
            r'<li class="bill([^"]*)">.*?href="/events/(\d+)"',
            client.get("/events?q=mamani").text,
            re.DOTALL,
        )
        assert [int(event) for _, event in rows] == [open_.id, gone.id]
        assert ["lead" in kinds for kinds, _ in rows] == [True, False]
