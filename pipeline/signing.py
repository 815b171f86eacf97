"""The keys that sign tickets: a set, of which the newest in force signs and all verify."""

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import UUID

import base45
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipeline.settings import settings

VERSION = 1
VALID_FOR = timedelta(days=3650)
SIGNATURE_BYTES = 64
SIGNED_BYTES = 30


class InvalidCodeError(Exception):
    """A text is no ticket's code of ours, or its signature does not hold."""


class TicketKeysError(Exception):
    """The file with the keys is of no use; the text is one sentence that says what to do."""


@dataclass(frozen=True)
class Key:
    """A signing key: id 0 to 255, and between which times it is in force."""

    id: int
    private: Ed25519PrivateKey
    not_before: datetime
    not_after: datetime

    @property
    def public(self) -> Ed25519PublicKey:
        return self.private.public_key()


@dataclass(frozen=True)
class Code:
    """What a ticket's code says."""

    ticket_uuid: UUID
    event_id: int
    issue: int
    key_id: int


def encode(key: Key, ticket_uuid: UUID, event_id: int, issue: int) -> str:
    """The signed code, Base45 (layout: docs/ticket-code.md)."""
    said = bytes([VERSION, key.id]) + ticket_uuid.bytes
    said += event_id.to_bytes(8) + issue.to_bytes(4)
    return str(base45.b45encode(said + key.private.sign(said)).decode())


def decode(text: str, keys: Mapping[int, Ed25519PublicKey]) -> Code:
    """Read a code and check its signature. Raises InvalidCodeError."""
    try:
        raw = base45.b45decode(text)
    except ValueError as error:
        raise InvalidCodeError("not Base45") from error
    if len(raw) != SIGNED_BYTES + SIGNATURE_BYTES or raw[0] != VERSION or raw[1] not in keys:
        raise InvalidCodeError("not a ticket's code, or its key is unknown")
    said, signature = raw[:SIGNED_BYTES], raw[SIGNED_BYTES:]
    try:
        keys[raw[1]].verify(signature, said)
    except InvalidSignature as error:
        raise InvalidCodeError("the signature does not hold") from error
    return Code(
        UUID(bytes=said[2:18]), int.from_bytes(said[18:26]), int.from_bytes(said[26:30]), raw[1]
    )


@cache
def keys() -> tuple[Key, ...]:
    """The keys of the file TICKET_KEYS, oldest first."""
    return _read(Path(settings().ticket_keys))


def _read(path: Path) -> tuple[Key, ...]:
    listed = json.loads(path.read_text())["keys"]
    return tuple(
        Key(
            one["id"],
            Ed25519PrivateKey.from_private_bytes(b64decode(one["private_key"])),
            datetime.fromisoformat(one["not_before"]),
            datetime.fromisoformat(one["not_after"]),
        )
        for one in listed
    )


def signing_key() -> Key:
    """The newest key in force."""
    return _newest(keys())


def _newest(keys: tuple[Key, ...]) -> Key:
    now = datetime.now(UTC)
    return [key for key in keys if key.not_before <= now < key.not_after][-1]


def published() -> list[dict[str, object]]:
    """The public halves, as `/.well-known/ticket-keys.json` carries them."""
    return [
        {
            "id": key.id,
            "public_key": b64encode(key.public.public_bytes_raw()).decode(),
            "not_before": key.not_before.isoformat().replace("+00:00", "Z"),
            "not_after": key.not_after.isoformat().replace("+00:00", "Z"),
        }
        for key in keys()
    ]


def ensure(path: Path) -> None:
    """Make a first key where there is no file, and see that one is in force.

    Two starts at once end with one file. Raises TicketKeysError.
    """
    try:
        if not path.exists():
            _make(path)
        bytes([_newest(_read(path)).id])  # a code has one byte for it
    except OSError as error:
        raise TicketKeysError(
            f"TICKET_KEYS={path} cannot be used ({error.strerror}):"
            " give a file in a folder that is there and yours."
        ) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise TicketKeysError(
            f"TICKET_KEYS={path} holds no key that is in force:"
            " put the file back from a backup, or give another."
        ) from error


def _make(path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    key = {
        "id": 1,
        "private_key": b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode(),
        "not_before": now.isoformat(),
        "not_after": (now + VALID_FOR).isoformat(),
    }
    making = path.with_name(f"{path.name}.{os.getpid()}")
    making.touch(mode=0o600)
    making.write_text(json.dumps({"keys": [key]}, indent=1))
    with suppress(FileExistsError):
        os.link(making, path)
    making.unlink()
