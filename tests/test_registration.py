"""Somebody new: an account in one form, signed in at once; what cannot be is said beside its field."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.halls import owner
from tests.people import ANA, PASSWORD, begin_sign_in, local
from web.provider import users

DORA = {"name": "  Dora   Ñahui ", "password": "ocho letras"}


@pytest.fixture
def email() -> str:
    """An address that nobody has."""
    return f"dora.{uuid4().hex[:8]}@example.com"


def form(client: FlaskClient, following: str = "/") -> str:
    """Through the sign-in page's link; gives the form's address."""
    provider = begin_sign_in(client, following)
    assert "/provider/register?" in client.get(provider).text
    return provider.replace("/authorize?", "/register?")


def accounts() -> int:
    with owner() as connection:
        rows = connection.execute("SELECT count(*) FROM accounts.users").fetchone()
    assert rows
    return int(rows[0])


def test_somebody_new_is_signed_in_and_may_come_back(client: FlaskClient, email: str) -> None:
    there = form(client, "/orders")
    page = client.get(there)
    assert page.headers["Cache-Control"] == "no-store"
    answer = client.post(there, data={**DORA, "email": f" {email.upper()} "})
    assert answer.status_code == 302, answer.text
    home = client.get(local(answer.headers["Location"]))
    assert local(home.headers["Location"]) == "/orders"
    assert "Dora Ñahui" in client.get("/orders").text
    user = users.with_password(email, DORA["password"])
    assert user is not None
    assert (user.name, user.roles) == ("Dora Ñahui", ("buyer",))
    assert users.with_password(email, "ocho letra") is None


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 101),
        ("name", "Dora\u202eanA"),
        ("name", "Dora\x00"),
        ("email", ""),
        ("email", "dora"),
        ("email", "dora@"),
        ("email", "dora@example"),
        ("email", "do ra@example.com"),
        ("email", "dora@@example.com"),
        ("email", "dora@exämple.com"),
        ("email", "dora@example.com\nBcc: x"),
        ("email", f"{'d' * 64}@{'e' * 140}.com"),
        ("password", ""),
        ("password", "siete77"),
        ("password", "x" * 201),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(
    client: FlaskClient, email: str, field: str, text: str
) -> None:
    there, before = form(client), accounts()
    answer = client.post(there, data={**DORA, "email": email, field: text})
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 1
    beside = answer.text.split(f'id="{field}-error">')[1]
    assert beside.startswith("▲")
    assert DORA["password"] not in answer.text
    assert accounts() == before
    kept = answer.text.split('name="name"')[1].split(">")[0]
    assert field == "name" or 'value="Dora Ñahui"' in kept


def test_html_in_a_name_is_text(client: FlaskClient, email: str) -> None:
    there = form(client, "/orders")
    name = "<script>alert(1)</script>"
    answer = client.post(there, data={**DORA, "email": email, "name": name})
    client.get(local(answer.headers["Location"]))
    page = client.get("/orders").text
    assert name not in page
    assert "&lt;script&gt;alert(1)" in page


def test_an_address_that_has_an_account_keeps_it(client: FlaskClient) -> None:
    there = form(client)
    answer = client.post(there, data={**DORA, "email": "ANA@example.com"})
    assert answer.status_code == 422
    assert "Ya hay una cuenta con ese correo" in answer.text
    ana = users.with_password(ANA.email, PASSWORD)
    assert ana is not None
    assert ana.name == ANA.name


def test_two_at_once_with_one_address_are_one_account(app: Flask, email: str) -> None:
    def register(_: int) -> Any:
        client = app.test_client()
        return client.post(form(client), data={**DORA, "email": email}).status_code

    before = accounts()
    with ThreadPoolExecutor(4) as threads:
        answers = sorted(threads.map(register, range(4)))
    assert answers == [302, 422, 422, 422]
    assert accounts() == before + 1


def test_a_client_that_is_not_ours_registers_nobody(client: FlaskClient, email: str) -> None:
    there, before = form(client), accounts()
    for wrong in (there.replace("client_id=", "client_id=x"), "/provider/register"):
        answer = client.post(wrong, data={**DORA, "email": email})
        assert answer.status_code == 400
        assert "Location" not in answer.headers
    assert accounts() == before
