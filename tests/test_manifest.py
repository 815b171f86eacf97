"""The app's manifest: what a phone reads before it offers to install us."""

import io
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.icons import app_icon
from tests.people import ANA, sign_in
from web.assets import STATIC, asset

ADDRESS = "/manifest.webmanifest"
SAFE = 0.8
"""Of a maskable icon a circle of this diameter is always seen."""


def said(client: FlaskClient, language: str = "es-PE") -> dict[str, Any]:
    answer = client.get(ADDRESS, headers={"Accept-Language": language})
    assert (answer.status_code, answer.mimetype) == (200, "application/manifest+json")
    manifest: dict[str, Any] = answer.get_json(force=True)
    return manifest


def file_of(source: str) -> bytes:
    """What stands at an address of the manifest, which must be this release's."""
    name = source.split("/", 3)[3]
    assert source == asset(name)
    return (STATIC / name).read_bytes()


def drawn_in(name: str) -> Image.Image:
    return Image.open(io.BytesIO((STATIC / name).read_bytes()))


def test_it_opens_alone_at_the_list_and_is_one_app_in_every_language(client: FlaskClient) -> None:
    spanish, english = said(client), said(client, "en-GB")
    for manifest in (spanish, english):
        for field, value in {
            "id": "/", "start_url": "/", "scope": "/", "display": "standalone", "dir": "ltr",
            "short_name": "TicketBuster", "theme_color": "#F6F6F2", "background_color": "#F6F6F2",
            "categories": ["shopping", "entertainment"],
        }.items():  # fmt: skip
            assert manifest[field] == value
    ways = [(way["name"], way["url"]) for way in spanish["shortcuts"]]
    assert ways == [("Mis entradas", "/orders"), ("Cartelera", "/")]
    assert (spanish["lang"], english["lang"]) == ("es", "en")
    assert english["name"] == "TicketBuster, numbered tickets"
    assert spanish["description"].startswith("Entradas numeradas")
    assert english["shortcuts"][0]["name"] == "My tickets"


def test_a_chosen_language_counts_more_than_the_browsers(client: FlaskClient) -> None:
    """The page asks for it with the cookie, because that is where the choice is kept."""
    client.post("/language", data={"to": "en", "back": "/"})
    assert said(client)["lang"] == "en"
    page = client.get("/").text
    assert f'<link rel="manifest" href="{ADDRESS}" crossorigin="use-credentials">' in page
    assert f'<link rel="apple-touch-icon" href="{asset("icons/apple-touch-icon.png")}">' in page


def test_caches_keep_it_for_a_while_and_it_gives_no_cookie(client: FlaskClient) -> None:
    sign_in(client, ANA)
    answer = client.get(ADDRESS)
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert {"Accept-Language", "Cookie"} <= {
        one.strip() for one in answer.headers["Vary"].split(",")
    }
    assert "Set-Cookie" not in answer.headers
    again = client.get(ADDRESS, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_icons_have_the_sizes_that_they_say(client: FlaskClient) -> None:
    icons = said(client)["icons"]
    drawn = {(icon["sizes"], icon["type"], icon["purpose"]) for icon in icons}
    assert drawn == {
        ("192x192", "image/png", "any"),
        ("512x512", "image/png", "any"),
        ("512x512", "image/png", "maskable"),
        ("any", "image/svg+xml", "any"),
    }
    for icon in icons + [way["icons"][0] for way in said(client)["shortcuts"]]:
        content = file_of(icon["src"])
        if icon["type"] == "image/svg+xml":
            assert ET.fromstring(content).tag.endswith("svg")  # noqa: S314  our own file
            continue
        picture = Image.open(io.BytesIO(content))
        assert ("x".join(map(str, picture.size)), picture.format) == (icon["sizes"], "PNG")
    assert drawn_in("icons/apple-touch-icon.png").size == (180, 180)


def test_every_icon_is_the_ticket_of_the_favicon_and_opaque() -> None:
    """An iPhone sets what is transparent on black, and there the ticket is ink on ink."""
    paths = ET.fromstring((STATIC / "icon.svg").read_text())  # noqa: S314  our own file
    for path in paths:
        assert str(path.get("d")) in (STATIC / "icons/app.svg").read_text()
    assert (STATIC / "icons/app.svg").read_text() == app_icon(0.84)
    for name in ("192", "512", "maskable-512", "apple-touch-icon"):
        picture = drawn_in(f"icons/{name}.png").convert("RGBA")
        corner, middle = (
            picture.getpixel((0, 0)),
            picture.getpixel((3 * picture.width // 8, picture.width // 2)),
        )
        assert (corner, middle) == ((255, 201, 41, 255), (22, 19, 15, 255)), name


def test_whatever_a_launcher_cuts_off_of_the_maskable_icon_is_ground() -> None:
    picture = drawn_in("icons/maskable-512.png").convert("RGB")
    middle = (picture.width - 1) / 2
    ground = picture.getpixel((0, 0))
    outside = {
        picture.getpixel((x, y))
        for x in range(picture.width)
        for y in range(picture.height)
        if (x - middle) ** 2 + (y - middle) ** 2 > (SAFE / 2 * picture.width) ** 2
    }
    assert outside == {ground}


@pytest.mark.parametrize("language", ["es", "en"])
def test_pictures_for_phones_and_desks_are_small_and_as_large_as_they_say(
    client: FlaskClient, language: str
) -> None:
    pictures = said(client, language)["screenshots"]
    assert [one["form_factor"] for one in pictures] == ["narrow", "narrow", "wide", "wide"]
    for one in pictures:
        content = file_of(one["src"])
        picture = Image.open(io.BytesIO(content))
        assert f"image/{str(picture.format).lower()}" == one["type"]
        assert "x".join(map(str, picture.size)) == one["sizes"]
        # What Chromium asks of them; others are left out without a word.
        assert min(picture.size) >= 320
        assert max(picture.size) <= min(3840, 2.3 * min(picture.size))
        assert (picture.height > picture.width) == (one["form_factor"] == "narrow")
        assert len(content) < 100_000
        assert one["label"]
    assert len({one["src"] for one in pictures}) == 4
    assert all(f"/{language}-" in one["src"] for one in pictures)
