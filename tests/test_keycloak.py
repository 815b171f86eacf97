"""The realm that a cluster imports into Keycloak: of the right shape, and as strict as our own provider."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.people import ANA, BRUNO, CARLA, OLGA, OSCAR, PEDRO
from web.accounts.bearer import AUDIENCE, ROLES

ROOT = Path(__file__).parent.parent
REALM, USERS = "ticketbuster-realm.json", "ticketbuster-users-0.json"
"""As Keycloak's import wants them: it takes any other file for a realm of its own."""
SHAPE = Draft202012Validator(json.loads((ROOT / "tests/keycloak_schema.json").read_text()))


def read(name: str) -> Any:
    return json.loads((ROOT / "k8s/keycloak" / name).read_text())


@pytest.mark.parametrize("name", [REALM, USERS])
def test_it_has_the_shape_of_keycloaks_representation(name: str) -> None:
    assert [f"{list(one.path)}: {one.message}" for one in SHAPE.iter_errors(read(name))] == []


@pytest.mark.parametrize(
    "misspelt",
    [{"bruteForceProtection": True}, {"clients": [{"clientID": "x"}]}, {"accessTokenLifespan": "900"},
     {"users": [{"credential": []}]}, {"roles": {"realm": [{"title": "x"}]}},
     {"roles": {"client": {"ticketbuster": [{"title": "x"}]}}}],
    ids=str,
)  # fmt: skip
def test_what_keycloak_would_not_know_is_noticed(misspelt: dict[str, Any]) -> None:
    assert list(SHAPE.iter_errors({**read(REALM), **misspelt}))


def test_keycloak_finds_its_files_by_their_names() -> None:
    """`<realm>-realm.json` and `<realm>-users-<number>.json`; both say which realm they are of."""
    assert {path.name for path in (ROOT / "k8s/keycloak").glob("*.json")} == {REALM, USERS}
    for name in (REALM, USERS):
        assert name.startswith(f"{read(name)['realm']}-")
        assert f"`k8s/keycloak/{name}`" in (ROOT / "docs/identity.md").read_text()


def test_what_the_environment_fills_in_is_documented() -> None:
    """Unset, Keycloak leaves the placeholder as it is: the very text would be the secret."""
    text = (ROOT / "k8s/keycloak" / REALM).read_text()
    assert set(re.findall(r"\$\{(\w+)[^}]*\}", text)) == {"PUBLIC_URL", "OIDC_CLIENT_SECRET"}
    assert "${" not in (ROOT / "k8s/keycloak" / USERS).read_text()


def test_the_realm_is_as_strict_as_our_own_provider() -> None:
    realm = read(REALM)
    assert realm["registrationAllowed"]
    assert realm["bruteForceProtected"]
    assert not realm["permanentLockout"], "nobody locks another out for good"
    assert realm["sslRequired"] == "external"
    assert (realm["revokeRefreshToken"], realm["refreshTokenMaxReuse"]) == (True, 0)
    assert realm["accessTokenLifespan"] <= 900
    assert realm["ssoSessionIdleTimeout"] <= 30 * 86_400
    assert realm["ssoSessionMaxLifespan"] <= 90 * 86_400
    assert {role["name"] for role in realm["roles"]["realm"]} - {
        realm["defaultRole"]["name"]
    } == ROLES
    [everybody] = [
        role for role in realm["roles"]["realm"] if role["name"] == realm["defaultRole"]["name"]
    ]
    assert everybody["composites"] == {"realm": ["buyer"]}
    assert "users" not in realm, "demo accounts are a file of their own"


def test_people_sign_in_by_email_and_in_their_language() -> None:
    realm = read(REALM)
    assert realm["loginWithEmailAllowed"]
    assert realm["internationalizationEnabled"]
    assert (realm["supportedLocales"], realm["defaultLocale"]) == (["es", "en"], "es")


def test_the_client_may_do_what_our_web_does_and_nothing_else() -> None:
    [client] = read(REALM)["clients"]
    assert client["clientId"] == "ticketbuster"
    assert client["standardFlowEnabled"]
    for flow in ("implicitFlowEnabled", "directAccessGrantsEnabled", "serviceAccountsEnabled", "publicClient",
                 "fullScopeAllowed"):  # fmt: skip
        assert client[flow] is False
    assert client["attributes"]["pkce.code.challenge.method"] == "S256"
    assert client["redirectUris"] == ["${PUBLIC_URL}/login/callback"]
    assert client["attributes"]["post.logout.redirect.uris"] == "${PUBLIC_URL}/"
    assert client["secret"] == "${OIDC_CLIENT_SECRET}"
    mappers = {one["protocolMapper"]: one["config"] for one in client["protocolMappers"]}
    assert mappers["oidc-audience-mapper"]["included.client.audience"] == AUDIENCE
    assert mappers["oidc-audience-mapper"]["access.token.claim"] == "true"
    roles = mappers["oidc-usermodel-realm-role-mapper"]
    assert roles["claim.name"] == "realm_access.roles"
    assert roles["id.token.claim"] == roles["access.token.claim"] == roles["multivalued"] == "true"
    [scope] = read(REALM)["scopeMappings"]
    assert scope["client"] == "ticketbuster"
    assert frozenset(scope["roles"]) == ROLES


def test_the_demo_accounts_passwords_meet_the_policy() -> None:
    """Keycloak checks them at the import, and one that does not fit stops its start."""
    policy = dict(re.findall(r"(\w+)\((\w+)\)", read(REALM)["passwordPolicy"]))
    for user in read(USERS)["users"]:
        [credential] = user["credentials"]
        assert int(policy["length"]) <= len(credential["value"]) <= int(policy["maxLength"])
        assert credential["value"] not in (user["username"], user["email"])
        assert f"`{credential['value']}`" in (ROOT / "docs/identity.md").read_text()


def test_a_token_names_its_subject_and_no_more_than_is_asked_for() -> None:
    """Since Keycloak 25 `sub` comes with the scope `basic`; a client without it would sign nobody in."""
    [client] = read(REALM)["clients"]
    assert client["defaultClientScopes"] == ["basic", "profile", "email", "roles"]
    assert client["optionalClientScopes"] == []
    assert "clientScopes" not in read(REALM), "Keycloak makes its own where there are none"


def test_the_demo_accounts_are_those_of_local_mode() -> None:
    there = {user["email"]: set(user["realmRoles"]) for user in read(USERS)["users"]}
    for person in (ANA, BRUNO, CARLA, OLGA, PEDRO, OSCAR):
        assert there[person.email] - {"default-roles-ticketbuster"} == set(person.roles) - {"buyer"}
    assert len(there) == 6
