"""Sign-in at providers that nobody here wrote, in Chromium, with nothing but the environment changed."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from playwright.sync_api import Browser, Page, expect

from pipeline.node import node_with_packages
from pipeline.prepare import free_ports
from tests.journey.system import System, running, wait_for

ROOT = Path(__file__).parent.parent
PROVIDERS = ROOT / "providers"
START_S_MAX = 30


@contextmanager
def provider(issuer: str, *command: str) -> Iterator[None]:
    """A provider as a process of its own."""
    process = subprocess.Popen(command, cwd=PROVIDERS, stdout=subprocess.DEVNULL)

    def up() -> bool:
        assert process.poll() is None, "the provider ended"
        try:
            found = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=2)
        except requests.ConnectionError:
            return False
        return found.status_code == 200

    try:
        wait_for(up, START_S_MAX, "the provider does not serve")
        yield
    finally:
        process.terminate()
        process.wait(10)


def me(page: Page) -> dict[str, object]:
    said = page.context.request.get("/api/auth/me")
    return {**said.json(), "status": said.status}


def test_a_provider_from_npm_signs_people_in_and_out(browser: Browser, tmp_path: Path) -> None:
    """The whole system, started with an issuer: no account, key or password here is ours."""
    node = node_with_packages(PROVIDERS)
    theirs, ours = free_ports(2)
    issuer, address = f"http://localhost:{theirs}", f"http://localhost:{ours}"
    with (
        provider(issuer, *node, "provider.mjs", str(theirs), address),
        running(
            tmp_path,
            PORT=str(ours),
            PAYMENTS="simulated",
            RATE_LIMITS="on",
            OIDC_ISSUER=issuer,
            OIDC_CLIENT_ID="boleteria",
            OIDC_CLIENT_SECRET="a secret that only the two of them know",
            OIDC_SCOPES="openid profile email roles offline_access",
        ) as system,
    ):
        page = browser.new_context(base_url=system.address, locale="es-PE").new_page()
        page.set_default_timeout(15_000)
        page.goto("/login?next=/orders")
        page.locator("input[name=login]").fill("maria")
        page.locator("input[name=password]").fill("anything")
        page.get_by_role("button", name="Sign-in").click()
        page.get_by_role("button", name="Continue").click()
        page.wait_for_url(f"{address}/orders")
        expect(page.locator(".who .name")).to_have_text("Señora maria")
        said = me(page)
        assert (said["sub"], said["email"]) == ("maria", "maria@people.example")
        assert said["roles"] == ["organiser"], "what we do not know is no role"
        assert "session" in {cookie.get("name") for cookie in page.context.cookies(address)}
        [(first,)] = system.rows("SELECT refresh_token FROM accounts.sessions WHERE sub = 'maria'")
        system.rows(
            "UPDATE accounts.sessions SET fresh_until = now() WHERE sub = 'maria' RETURNING 1"
        )
        assert me(page)["roles"] == ["organiser"]
        [(second,)] = system.rows("SELECT refresh_token FROM accounts.sessions WHERE sub = 'maria'")
        assert first != second
        assert requests.get(f"{address}/provider/jwks", timeout=5).status_code == 404
        page.get_by_role("button", name="Salir").click()
        # The provider asks whether its own session shall end too, and leads back.
        page.get_by_role("button", name=re.compile("sign me out", re.IGNORECASE)).click()
        page.wait_for_url(f"{address}/**")
        assert me(page)["status"] == 401
        assert page.get_by_role("link", name="Entrar").is_visible()


def test_a_provider_from_pypi_signs_people_in(browser: Browser, system: System) -> None:
    theirs, ours = free_ports(2)
    issuer, address = f"http://localhost:{theirs}", f"http://localhost:{ours}"
    claims = '{"sub": "jose", "email": "jose@people.example", "name": "José", "roles": ["steward"]}'
    command = (sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(theirs))
    with (
        provider(issuer, *command, "--user-claims", claims),
        system.another_web(
            WEB_PORT=str(ours),
            PUBLIC_URL=address,
            PAYMENTS="simulated",
            RATE_LIMITS="on",
            OIDC_ISSUER=issuer,
            OIDC_CLIENT_ID="anybody",
            OIDC_CLIENT_SECRET="what this provider takes from anybody",
        ),
    ):
        page = browser.new_context(base_url=address, locale="es-PE").new_page()
        page.set_default_timeout(15_000)
        page.goto("/login?next=/orders")
        page.locator("input[name=sub]").fill("jose")
        page.get_by_role("button", name=re.compile("authorize|sign", re.IGNORECASE)).first.click()
        page.wait_for_url(f"{address}/orders")
        said = me(page)
        assert (said["sub"], said["name"]) == ("jose", "José")
        page.get_by_role("button", name="Salir").click()
        page.wait_for_url(f"{issuer}/**")
        page.goto(f"{address}/")
        assert me(page)["status"] == 401
