"""The ticket's code: the documented vector, what is refused, and the set of keys."""

import re
from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import base45
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from flask.testing import FlaskClient

from pipeline import signing
from pipeline.settings import settings
from pipeline.signing import InvalidCodeError, Key, decode, encode

DOCUMENT = Path(__file__).parent.parent / "docs/ticket-code.md"
NOW = datetime.now(UTC)


def vector() -> dict[str, str]:
    block = DOCUMENT.read_text().rpartition("## Test vector")[2].split("```")[1]
    return dict(re.findall(r"^(\w+): (.+)$", block, re.MULTILINE))


def key(number: int = 7) -> Key:
    return Key(number, Ed25519PrivateKey.from_private_bytes(bytes(range(32))), NOW, NOW)


def test_the_documented_vector_is_what_we_make() -> None:
    said = vector()
    made = encode(key(), UUID(said["ticket_uuid"]), int(said["event_id"]), int(said["issue"]))
    assert made == said["code"]
    raw = base45.b45decode(made)
    assert (raw[:30].hex(), raw[30:].hex()) == (said["signed_bytes"], said["signature"])


def test_the_documented_vector_is_what_we_accept() -> None:
    said = vector()
    public = Ed25519PublicKey.from_public_bytes(b64decode(said["public_key"]))
    read = decode(said["code"], {7: public})
    assert (read.ticket_uuid, read.event_id, read.issue) == (UUID(said["ticket_uuid"]), 42, 1)


def changed(place: int) -> str:
    raw = bytearray(base45.b45decode(vector()["code"]))
    raw[place] ^= 1
    return str(base45.b45encode(bytes(raw)).decode())


@pytest.mark.parametrize("place", [0, 1, 2, 17, 18, 25, 26, 29, 30, 93])
def test_a_code_with_one_bit_changed_is_refused(place: int) -> None:
    with pytest.raises(InvalidCodeError):
        decode(changed(place), {7: key().public})


@pytest.mark.parametrize(
    "text", ["", "A", "nonsense with ünicode", "0" * 141, "HELLO", "x" * 10_000]
)
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidCodeError):
        decode(text, {7: key().public})


def test_a_code_of_an_unknown_key_is_refused() -> None:
    with pytest.raises(InvalidCodeError):
        decode(encode(key(8), UUID(int=1), 1, 1), {7: key().public})


def test_the_keys_are_published_without_their_private_half(client: FlaskClient) -> None:
    answer = client.get("/.well-known/ticket-keys.json")
    assert [sorted(one) for one in answer.get_json()["keys"]] == [
        ["id", "not_after", "not_before", "public_key"]
    ]
    published = b64decode(answer.get_json()["keys"][0]["public_key"])
    assert published == signing.signing_key().public.public_bytes_raw()


def test_a_second_start_keeps_the_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    signing.ensure(path)
    first = path.read_text()
    signing.ensure(path)
    assert path.read_text() == first
    assert path.stat().st_mode & 0o077 == 0
    assert Path(settings().ticket_keys).stat().st_mode & 0o077 == 0
