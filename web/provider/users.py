"""People whom the embedded provider knows: demo accounts, who registered, buyers for load tests."""

import hashlib
import hmac
from base64 import b32encode
from dataclasses import dataclass
from functools import cache
from uuid import uuid4

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from pipeline.connections import pool
from pipeline.settings import settings
from sql import Row, read, write

PASSWORD = "demo"  # noqa: S105  public on purpose: local mode is for trying things
PASSWORD_BYTES = 10
DEMO = (
    ("ana@example.com", "Ana", ()),
    ("bruno@example.com", "Bruno", ()),
    ("carla@example.com", "Carla", ()),
    ("olga@example.com", "Olga", ("organiser",)),
    ("pedro@example.com", "Pedro", ("steward",)),
    ("oscar@example.com", "Oscar", ("operator",)),
)
LETTERS_MAX = 200


@dataclass(frozen=True)
class User:
    """Somebody who may sign in."""

    sub: str
    email: str
    name: str
    roles: tuple[str, ...]

    def get_user_id(self) -> str:
        """Authlib's name for the subject."""
        return self.sub


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    return _hasher().hash("nobody has this password")


def with_password(email: str, password: str) -> User | None:
    """Whoever has this address and password. An unknown address takes as long as a known one."""
    row = _by_email(email)
    known = row.password_hash if row else None
    try:
        _hasher().verify(known or _nobodys_hash(), password[:LETTERS_MAX])
    except VerifyMismatchError:
        return None
    # A longer one is nobody's, however it begins.
    return _user(row) if row and known and len(password) <= LETTERS_MAX else None


def with_email(email: str) -> User | None:
    """Whoever has this address."""
    row = _by_email(email)
    return _user(row) if row else None


def _by_email(email: str) -> Row | None:
    # Postgres refuses some of what a form can carry, and makes small letters of others than we do
    # where guesses are counted; nobody's address holds either.
    if not (email.isascii() and email.isprintable()):
        return None
    with pool("web").connection() as connection:
        rows = read(connection, "accounts.user_by_email", email=email[:LETTERS_MAX])
    return rows[0] if rows else None


def with_sub(sub: str) -> User | None:
    """Whoever has this subject."""
    with pool("web").connection() as connection:
        rows = read(connection, "accounts.user", sub=sub)
    return _user(rows[0]) if rows else None


def demo_password(email: str) -> str:
    """What a demo account has for a password: where others can reach us, nothing known.

    It follows from SECRET_KEY, so it is the same after the next start.
    """
    if not settings().reachable:
        return PASSWORD
    said = f"demo account {email}".encode()
    digest = hmac.digest(settings().secret_key.encode(), said, hashlib.sha256)
    return b32encode(digest[:PASSWORD_BYTES]).decode().lower()


def add_demo() -> None:
    """The demo accounts, each under a subject that never changes, with today's password."""
    for number, (email, name, roles) in enumerate(DEMO, 1):
        password = demo_password(email)
        row = _by_email(email)
        if row is None:
            sub = f"00000000-0000-4000-8000-{number:012d}"
            _add(User(sub, email, name, ("buyer", *roles)), password)
        elif with_password(email, password) is None:
            password_hash = _hasher().hash(password)
            with pool("web").connection() as connection:
                write(connection, "accounts.set_password", sub=row.sub, password_hash=password_hash)


def add(email: str, name: str, password: str) -> User | None:
    """A new buyer; None where the address has an account already, which stays as it is."""
    user = User(str(uuid4()), email, name, ("buyer",))
    return user if _add(user, password) else None


def _add(user: User, password: str) -> bool:
    # Slow on purpose, so it is done before a connection is taken from the others.
    password_hash = _hasher().hash(password)
    with pool("web").connection() as connection:
        added = write(
            connection,
            "accounts.add_user",
            sub=user.sub,
            email=user.email,
            name=user.name,
            password_hash=password_hash,
            roles=list(user.roles),
        )
    return bool(added)


def load_buyers(count: int) -> list[User]:
    """So many buyers without a password, made where they are missing."""
    with pool("web").connection() as connection:
        write(connection, "accounts.add_load_buyers", count=count)
        return [_user(row) for row in read(connection, "accounts.load_buyers", count=count)]


def _user(row: Row) -> User:
    return User(row.sub, row.email, row.name, tuple(row.roles))
