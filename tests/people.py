"""The cast: Ana buys, Bruno wants the same seat, Carla owns nothing and may see nothing."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask.testing import FlaskClient

from web.provider.grants import token_for
from web.provider.users import User

PASSWORD = "demo"


@dataclass(frozen=True)
class Person:
    """A demo account."""

    sub: str
    email: str
    name: str
    roles: tuple[str, ...] = ("buyer",)


def _demo(number: int, name: str, *roles: str) -> Person:
    sub = f"00000000-0000-4000-8000-{number:012d}"
    return Person(sub, f"{name.lower()}@example.com", name, ("buyer", *roles))


ANA = _demo(1, "Ana")
BRUNO = _demo(2, "Bruno")
CARLA = _demo(3, "Carla")
OLGA = _demo(4, "Olga", "organiser")
PEDRO = _demo(5, "Pedro", "steward")
OSCAR = _demo(6, "Oscar", "operator")


def token_of(person: Person, seconds: int = 3600) -> str:
    """A valid access token."""
    return token_for(User(person.sub, person.email, person.name, person.roles), seconds)


def bearer(person: Person) -> dict[str, str]:
    """The header that carries it."""
    return {"Authorization": f"Bearer {token_of(person)}"}


def sign_in(client: FlaskClient, person: Person, following: str = "/") -> Any:
    """Go through the real sign-in pages; gives the answer that leads to `following`."""
    provider = begin_sign_in(client, following)
    return finish_sign_in(client, provider, person)


def begin_sign_in(client: FlaskClient, following: str = "/") -> str:
    """Open /login; gives the provider's address to which it leads."""
    answer = client.get(f"/login?{urlencode({'next': following})}")
    assert answer.status_code == 303
    return local(answer.headers["Location"])


def finish_sign_in(client: FlaskClient, provider: str, person: Person) -> Any:
    """Give the password at the provider and follow it back to us."""
    answer = client.post(provider, data={"email": person.email, "password": PASSWORD})
    assert answer.status_code == 302, answer.text
    return client.get(local(answer.headers["Location"]))


def local(address: str) -> str:
    """An address of ours without scheme and host."""
    return re.sub(r"^http://localhost(:\d+)?", "", address)
