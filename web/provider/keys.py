"""The key that signs the embedded provider's tokens, kept in DATA_DIR."""

import hashlib
import hmac
import os
from contextlib import suppress
from functools import cache
from typing import Any

from joserfc.jwk import KeySet, RSAKey

from pipeline.settings import settings

BITS = 3072


def ensure() -> None:
    """Make the key where there is none; two starts at once end with one."""
    path = settings().data_dir / "provider-key.pem"
    if path.exists():
        return
    making = path.with_name(f"{path.name}.{os.getpid()}")
    making.touch(mode=0o600)
    making.write_bytes(RSAKey.generate_key(BITS, auto_kid=True).as_pem(private=True))
    with suppress(FileExistsError):
        os.link(making, path)
    making.unlink()


@cache
def signing() -> RSAKey:
    """The key."""
    pem = (settings().data_dir / "provider-key.pem").read_bytes()
    key = RSAKey.import_key(pem, {"use": "sig", "alg": "RS256"})
    key.ensure_kid()
    return key


def public() -> dict[str, Any]:
    """Its public half, as a JWKS."""
    return dict(KeySet([signing()]).as_dict(private=False))


def client_secret() -> str:
    """What our own web shows as its secret: it follows from SECRET_KEY, which stays at home."""
    given = settings().oidc_client_secret
    return (
        given
        or hmac.digest(
            settings().secret_key.encode(), b"client of the provider", hashlib.sha256
        ).hex()
    )
