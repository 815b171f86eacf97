"""Tokens of an issuer as they lie in a session's row: encrypted, so reading it is not enough."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken

from pipeline.settings import settings


@lru_cache(maxsize=1)
def _fernet(secret_key: str) -> Fernet:
    key = hmac.digest(secret_key.encode(), b"tokens of sessions", hashlib.sha256)
    return Fernet(urlsafe_b64encode(key))


def seal(token: str | None) -> bytes | None:
    """The token for the row."""
    return _fernet(settings().secret_key).encrypt(token.encode()) if token else None


def unseal(sealed: bytes | None) -> str | None:
    """The token of a row; None where there is none, or SECRET_KEY is another one now."""
    if not sealed:
        return None
    try:
        return _fernet(settings().secret_key).decrypt(bytes(sealed)).decode()
    except InvalidToken:
        return None
