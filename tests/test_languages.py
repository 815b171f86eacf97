"""Spanish and English: every text has both, and whoever chose one keeps it."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask.testing import FlaskClient

from tests.halls import hall
from tests.people import ANA, sign_in

ROOT = Path(__file__).parent.parent
ENGLISH = ROOT / "web/translations/en/LC_MESSAGES"
METHODS = [("web/**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS: dict[str, Any] = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
SPANISH = re.compile(r"[áéíóúñ¿¡]|\b(?:el|los|las|tus|para|con)\b", re.IGNORECASE)


def texts() -> set[Any]:
    """What templates and code say, as the catalogues name it."""
    found = extract_from_dir(ROOT, METHODS, keywords=KEYWORDS, directory_filter=_ours)
    return {message[2] for message in found}


def _ours(folder: str) -> bool:
    return not Path(folder).name.startswith(".")


def catalogue() -> Any:
    return read_po(io.BytesIO((ENGLISH / "messages.po").read_bytes()))


def test_every_text_is_translated_and_nothing_else_is() -> None:
    messages = {message.id: message.string for message in catalogue() if message.id}
    assert texts() - messages.keys() == set()
    assert messages.keys() - texts() == set()
    assert [one for one, said in messages.items() if not said or not all(said)] == []


def test_a_translation_has_the_places_of_its_text() -> None:
    """A language may change their order; `num` it may say in words."""
    places = re.compile(r"%\((?!num\))\w+\)s|\{\w+\}")
    for message in catalogue():
        for text, said in zip(_each(message.id), _each(message.string), strict=True):
            assert sorted(places.findall(said)) == sorted(places.findall(text)), text


def _each(text: Any) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def test_the_compiled_catalogue_is_fresh() -> None:
    """`make translations` makes it."""
    with (ENGLISH / "messages.mo").open("rb") as file:
        compiled = {_each(one.id): _each(one.string) for one in read_mo(file) if one.id}
    assert compiled == {_each(one.id): _each(one.string) for one in catalogue() if one.id}


def test_no_template_says_anything_past_the_catalogues() -> None:
    """A word between two tags, or in a label, that no call translates."""
    for path in sorted((ROOT / "templates").rglob("*.html")):
        source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<script.*?</script>", "", path.read_text(), flags=re.DOTALL)  # fmt: skip
        shown = re.findall(r">([^<]+)<", source) + re.findall(
            r'(?:aria-label|placeholder|alt|title|data-[a-z]+)="([^"]*)"', source
        )
        left = [text.strip() for text in shown if SPANISH.search(text)]
        assert left == [], path.name


@pytest.mark.parametrize("back", ["//[", "https://evil.example", "/a\r\nSet-Cookie: x=1", "x", ""])
def test_a_language_leads_back_to_pages_of_ours_alone(client: FlaskClient, back: str) -> None:
    answer = client.post("/language", data={"to": "en", "back": back})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_the_browsers_language_is_spoken_until_another_is_chosen(client: FlaskClient) -> None:
    english = {"Accept-Language": "en-GB,en;q=0.9,es;q=0.1"}
    page = client.get("/events", headers=english)
    assert '<html lang="en">' in page.text
    assert "My tickets" in page.text
    assert "Mis entradas" in client.get("/events", headers={"Accept-Language": "qu"}).text
    answer = client.post("/language", data={"to": "es", "back": "/events?q=a"}, headers=english)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/events?q=a")
    assert "Mis entradas" in client.get("/events", headers=english).text
    assert {"Accept-Language", "Cookie"} <= {
        name.strip() for name in page.headers["Vary"].split(",")
    }


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_nobody_is_led_elsewhere(client: FlaskClient, back: str) -> None:
    answer = client.post("/language", data={"to": "en", "back": back})
    assert answer.headers["Location"] == "/"


@pytest.mark.usefixtures("clean")
def test_a_list_that_is_kept_for_a_moment_is_kept_in_each_language(client: FlaskClient) -> None:
    hall()
    spanish = client.get("/events", headers={"Accept-Language": "es"}).text
    english = client.get("/events", headers={"Accept-Language": "en"}).text
    assert "desde" in spanish
    assert "desde" not in english


@pytest.mark.usefixtures("clean")
def test_a_whole_purchase_speaks_english(client: FlaskClient) -> None:
    """No Spanish word of ours is left on any page; what the organiser wrote stays as it is."""
    event = hall(title="Quiet Night", description="Songs.", venue="Old Hall")
    client.set_cookie("language", "en")
    sign_in(client, ANA)
    pages = [client.get(f"/events/{event.id}").text]
    client.post(f"/events/{event.id}/holds", data={"seat": event.seats[:2]})
    pages += [
        client.get(f"/events/{event.id}").text,
        client.get(f"/events/{event.id}/checkout").text,
    ]
    pages += [client.get("/orders").text, client.get("/events/999999").text]
    for page in pages:
        text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
        assert SPANISH.findall(text.replace("Español", "").replace("Platea", "")) == []
