"""Our files: compressed once, kept for a year by who asks for this release's, and pages by nobody else."""

import gzip
import os
import re
from pathlib import Path
from time import time

import brotli
import pytest
from flask.testing import FlaskClient

from tests.halls import hall
from tests.people import ANA, sign_in
from web.assets import asset, digest, files, lay_out

pytestmark = pytest.mark.usefixtures("clean")


def test_a_release_lies_under_its_digest_with_what_is_smaller_beside_it(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    assert root.name == digest()
    style = files()["style.css"].read_bytes()
    laid = root / "style.css"
    assert laid.read_bytes() == style
    assert brotli.decompress(laid.with_name("style.css.br").read_bytes()) == style
    assert gzip.decompress(laid.with_name("style.css.gz").read_bytes()) == style
    assert not list(root.glob("fonts/*.woff2.*"))
    before = laid.stat().st_mtime_ns
    assert lay_out(tmp_path) == root
    assert laid.stat().st_mtime_ns == before
    assert [path.name for path in root.parent.iterdir()] == [digest()]


def test_an_earlier_release_stays_for_days_and_not_for_ever(tmp_path: Path) -> None:
    yesterdays, long_gone = (tmp_path / "static" / name for name in ("0" * 12, "1" * 12))
    for folder, days in ((yesterdays, 1.5), (long_gone, 8)):
        folder.mkdir(parents=True)
        os.utime(folder, (time() - days * 86_400,) * 2)
    lay_out(tmp_path)
    assert yesterdays.is_dir()
    assert not long_gone.exists()


def test_every_file_that_a_page_names_is_there(client: FlaskClient) -> None:
    names = re.findall(r'"(/static/[^"]+)"', client.get("/events").text)
    assert len(names) == 10
    for name in names:
        assert name == asset(name.split("/", 3)[3])
        assert files()[name.split("/", 3)[3]].is_file()


@pytest.mark.parametrize("signed", [False, True])
def test_no_cache_on_the_way_may_keep_a_page_or_a_fragment(
    client: FlaskClient, *, signed: bool
) -> None:
    """Fragment and page share an address, and a cache before us may ignore Vary."""
    event = hall()
    if signed:
        sign_in(client, ANA)
    addresses = [
        "/",
        "/events",
        f"/events/{event.id}",
        f"/events/{event.id}?section=1",
        f"/events/{event.id}/checkout",
        f"/events/{event.id}/updates?section=*&v=0",
        "/events/999999",
        "/orders",
        "/login",
        "/nowhere",
    ]
    for address in addresses:
        for headers in ({}, {"HX-Request": "true"}):
            kept = client.get(address, headers=headers).headers.get("Cache-Control", "")
            assert kept in ("private, no-cache", "no-cache, private", "no-store"), address


def test_a_compressed_page_is_asked_for_only_when_it_changed(client: FlaskClient) -> None:
    address = f"/events/{hall().id}"
    for coding in ("br", "gzip"):
        wants = {"Accept-Encoding": coding}
        page = client.get(address, headers=wants)
        assert page.headers["Content-Encoding"] == coding
        again = client.get(address, headers={**wants, "If-None-Match": page.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
