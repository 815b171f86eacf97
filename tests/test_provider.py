"""The embedded OpenID provider: what it refuses to whom."""

import subprocess
import sys
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask import Flask
from flask.testing import FlaskClient

from pipeline.settings import load, settings
from tests.people import ANA, PASSWORD
from web import provider
from web.app import create_app
from web.provider import keys, users

VERIFIER = "a" * 50


def asked(**wrong: str | None) -> str:
    parameters = {
        "client_id": "ticketbuster",
        "response_type": "code",
        "redirect_uri": f"{settings().public_url}/login/callback",
        "scope": "openid profile email",
        "state": "s",
        "nonce": "n",
        "code_challenge": create_s256_code_challenge(VERIFIER),
        "code_challenge_method": "S256",
        **wrong,
    }
    return "/provider/authorize?" + urlencode({k: v for k, v in parameters.items() if v})


def code(client: FlaskClient) -> str:
    answer = client.post(asked(), data={"email": ANA.email, "password": PASSWORD})
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def change(client: FlaskClient, code: str, **wrong: str) -> Any:
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": f"{settings().public_url}/login/callback",
        "code_verifier": VERIFIER,
        **wrong,
    }
    secret = wrong.pop("secret", keys.client_secret())
    return client.post("/provider/token", data=body, auth=("ticketbuster", secret))


def test_a_code_is_changed_for_tokens_once(client: FlaskClient) -> None:
    given = code(client)
    first = change(client, given)
    assert first.status_code == 200, first.text
    assert {"access_token", "id_token"} <= set(first.get_json())
    assert change(client, given).status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [{"code_verifier": "b" * 50}, {"redirect_uri": "https://evil.example/"}, {"code": "x"},
     {"grant_type": "password"}],
)  # fmt: skip
def test_a_code_in_wrong_hands_is_worth_nothing(client: FlaskClient, wrong: dict[str, str]) -> None:
    given = code(client)
    assert change(client, wrong.pop("code", given), **wrong).status_code == 400


def test_a_wrong_client_secret_is_refused(client: FlaskClient) -> None:
    assert change(client, code(client), secret="x").status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [{"code_challenge": None}, {"client_id": "other"}, {"redirect_uri": "https://evil.example/"},
     {"response_type": "token"}, {"nonce": None}, {"client_id": None}],
)  # fmt: skip
def test_a_request_that_is_not_ours_gets_no_code(
    client: FlaskClient, wrong: dict[str, str | None]
) -> None:
    answer = client.post(asked(**wrong), data={"email": ANA.email, "password": PASSWORD})
    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize("name", ["scope", "nonce", "state", "code_challenge"])
@pytest.mark.parametrize("page", ["authorize", "register"])
def test_what_cannot_be_stored_is_refused_before_a_password_is_read(
    client: FlaskClient, name: str, page: str
) -> None:
    address = asked(**{name: f"openid {'a' * 43}\x00"}).replace("authorize", page)
    somebody = {"email": ANA.email, "password": PASSWORD, "name": "Ana"}
    in_the_form = asked(**{name: None}).replace("authorize", page)
    for answer in (
        client.get(address),
        client.post(address, data=somebody),
        client.post(in_the_form, data={**somebody, name: "openid \x00"}),
    ):
        assert answer.status_code == 400
        assert "Location" not in answer.headers


@pytest.mark.parametrize("email", ["\x00", "ana@example.com\x00", "x" * 5000, "\ud83c"])
def test_an_address_that_nobody_can_have_is_a_wrong_one(client: FlaskClient, email: str) -> None:
    data = {"email": email.encode("utf-8", "surrogatepass"), "password": PASSWORD}
    assert client.post(asked(), data=data).status_code == 401


def test_plain_challenges_are_refused(client: FlaskClient) -> None:
    answer = client.post(
        asked(code_challenge=VERIFIER, code_challenge_method="plain"),
        data={"email": ANA.email, "password": PASSWORD},
    )
    location = answer.headers.get("Location", "")
    if "code=" in location:
        given = parse_qs(urlsplit(location).query)["code"][0]
        assert change(client, given).status_code == 400


def test_the_configuration_names_what_there_is(client: FlaskClient) -> None:
    said = client.get("/.well-known/openid-configuration").get_json()
    assert said["issuer"] == settings().public_url
    jwks = client.get(said["jwks_uri"].removeprefix(said["issuer"])).get_json()
    assert [key["kid"] for key in jwks["keys"]] == [keys.signing().kid]
    assert "d" not in jwks["keys"][0]


def test_preparing_twice_changes_nothing() -> None:
    before = keys.signing().kid
    keys.ensure()
    users.add_demo()
    keys.signing.cache_clear()
    assert keys.signing().kid == before
    assert users.with_email("OLGA@example.com") is not None


def test_where_others_can_reach_it_no_password_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Public local mode: the start replaces the known passwords, and says the new ones."""
    with monkeypatch.context() as patch:
        patch.setenv("PUBLIC_URL", "https://show.example")
        patch.setenv("RATE_LIMITS", "on")
        command = [sys.executable, "-m", "web.provider", "prepare"]
        said = [subprocess.run(command, capture_output=True, text=True, check=True).stdout
                for _ in range(2)]  # fmt: skip
    assert said[0] == said[1], "the same after the next start"
    told = dict(line.split() for line in said[0].splitlines()[1:])
    try:
        assert set(told) == {email for email, *_ in users.DEMO}
        assert len(set(told.values())) == len(users.DEMO)
        for email, password in told.items():
            assert len(password) == 16
            assert users.with_password(email, PASSWORD) is None
            assert users.with_password(email, password) is not None
    finally:
        users.add_demo()
    assert users.with_password(ANA.email, PASSWORD) is not None


def test_tokens_are_printed_for_those_who_exist() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "web.provider", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert run("token", ANA.email).stdout.count(".") == 2
    unknown = run("token", "nobody@example.com")
    assert unknown.returncode == 1
    assert "Nobody here has the address" in unknown.stderr
    assert len(set(run("tokens", "5").stdout.split())) == 5
    assert run("tokens", "x").returncode == 1


def test_with_an_issuer_of_its_own_there_is_no_embedded_provider() -> None:
    cluster = load({"OIDC_ISSUER": "https://id.example", "PAYMENTS": "simulated"})
    assert not cluster.local_mode


def test_beside_an_issuer_the_provider_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OIDC_ISSUER", "https://id.example")
    monkeypatch.setenv("PAYMENTS", "simulated")
    monkeypatch.setenv("RATE_LIMITS", "on")
    settings.cache_clear()
    try:
        with pytest.raises(RuntimeError, match="OIDC_ISSUER"):
            provider.register(Flask("other"))
        client = create_app().test_client()
        for path in ("/provider/authorize", "/provider/register", "/provider/jwks",
                     "/.well-known/openid-configuration"):  # fmt: skip
            assert client.get(path).status_code == 404
    finally:
        monkeypatch.undo()
        settings.cache_clear()
