"""`make tunnel`, with a stand-in for cloudflared and the edge: a whole purchase by its public address."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import urllib3
from playwright.sync_api import Page, expect

from pipeline.prepare import free_ports
from tests.browser import chromium, phone, until
from tests.edge import HOST, VISITOR, put_on_path
from tests.journey.buyers import event_with, pay, sign_in, tick
from tests.journey.system import System, running, wait_for

PUBLIC = f"https://{HOST}"
LIAR = "203.0.113.66"
LIES = {
    "CF-Connecting-IP": LIAR,
    "X-Forwarded-For": LIAR,
    "X-Real-IP": LIAR,
    "True-Client-IP": LIAR,
    "Origin": PUBLIC,
}
SOCKETS = 100
BACK_S_MAX = 4.5
WINDOW_MS, MANY_AT_ONCE = 500, 40


@pytest.fixture(scope="module")
def edge_port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def tunnel(tmp_path_factory: pytest.TempPathFactory, edge_port: int) -> Iterator[System]:
    """Everything, as `make tunnel` starts it; at the end Ctrl-C must leave nothing."""
    folder: Path = tmp_path_factory.mktemp("tunnel")
    with running(
        folder,
        ("tunnel",),
        **put_on_path(folder.with_name("path")),
        TUNNEL_EDGE_PORT=str(edge_port),
        RATE_LIMITS="on",
    ) as started:
        yield started
    assert not (folder / "front.sock").exists()


@pytest.fixture(scope="module")
def page(edge_port: int) -> Iterator[Page]:
    """A phone for which the public name leads to the stand-in's port."""
    to_us = f"--host-resolver-rules=MAP {HOST}:443 127.0.0.1:{edge_port}"
    with chromium(to_us, "--ignore-certificate-errors") as browser:
        yield phone(browser, PUBLIC)


def said(system: System) -> str:
    return (system.folder / "run.log").read_text()


def password(system: System, name: str) -> str:
    """As the start printed it."""
    found = re.search(rf"^ +{name}@example\.com +(\S+)$", said(system), re.MULTILINE)
    assert found
    return found[1]


def counted(system: System, address: str) -> list[str]:
    """What the limits count under this address."""
    with redis.Redis.from_url(system.settings.redis_url, decode_responses=True) as client:
        return list(client.scan_iter(f"*{address}*", count=1000))


def test_the_start_says_the_address_and_new_passwords(tunnel: System) -> None:
    wait_for(lambda: f"TicketBuster serves {PUBLIC}\n" in said(tunnel), 15, "no line")
    assert f"The public address is {PUBLIC} " in said(tunnel)
    assert password(tunnel, "ana") != "demo"
    assert len(password(tunnel, "oscar")) >= 10


def test_a_whole_purchase_by_the_public_address(tunnel: System, page: Page) -> None:
    """H37: nothing on the way leads elsewhere, and the ticket comes by the socket alone."""
    event = event_with(tunnel, 2)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"/events/{event}")
    tick(page, tunnel.free_seats(event, 1))
    page.get_by_role("button", name="Reservar").click()
    page.wait_for_url("**/checkout")
    page.get_by_role("link", name="Entrar y pagar").click()
    sign_in(page, "ana", "demo")
    expect(page.get_by_role("alert")).to_be_visible()
    sign_in(page, "ana", password(tunnel, "ana"))
    page.wait_for_url(f"{PUBLIC}/events/{event}/checkout")
    with tunnel.suspended("pipeline.dispatcher"):
        with page.expect_websocket() as opened:
            pay(page)
        assert opened.value.url == f"wss://{HOST}/ws"
        # The page's own asking is taken out of it: what comes now is pushed.
        page.locator(".order [hx-get]").evaluate("poll => poll.remove()")
        page.wait_for_timeout(500)
    expect(page.locator(".ticket img")).to_have_count(1, timeout=15_000)
    until(page, "() => document.body.matches('.kept')")
    kept = page.context.cookies()
    assert {cookie["name"] for cookie in kept} >= {"__Host-session"}
    assert all(cookie["secure"] for cookie in kept), kept
    assert {re.match(r"[a-z]+://[^/]+|data:", one)[0] for one in asked} <= {PUBLIC, "data:"}  # type: ignore[index]


def test_whom_the_edge_heard_is_believed_and_nobody_elses_word(
    tunnel: System, page: Page, edge_port: int
) -> None:
    """A caller's own CF-Connecting-IP and X-Forwarded-For, on this machine and through the edge."""
    assert [one for one in counted(tunnel, VISITOR) if "ana@" in one], "she came through the edge"
    with urllib3.HTTPSConnectionPool(
        "127.0.0.1",
        edge_port,
        server_hostname=HOST,
        assert_hostname=HOST,
        headers={"Host": HOST},
        ca_certs=str(tunnel.folder / "edge/pki/authorities/local/root.crt"),
    ) as edge:
        where = edge.request("GET", "/login", redirect=False).headers["Location"]
        assert where.startswith(f"{PUBLIC}/provider/authorize?")
        form = where.removeprefix(PUBLIC)
        assert sign_in_as("other", edge, form, {"Host": HOST}) == 401
        assert edge.request("GET", "/metrics").status == 404
        assert edge.request("GET", "/health").status == 200
    here = urllib3.connection_from_url(tunnel.address)
    assert sign_in_as("liar", here, form, {}) == 401
    assert [one for one in counted(tunnel, "127.0.0.1") if "liar@" in one]
    assert [one for one in counted(tunnel, VISITOR) if "other@" in one]
    assert counted(tunnel, LIAR) == []


def sign_in_as(
    name: str, way: urllib3.HTTPConnectionPool, form: str, headers: dict[str, str]
) -> int:
    """With a wrong password and a false address; gives the status."""
    body = f"email={name}%40example.com&password=wrong"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return way.request("POST", form, body=body, headers={**LIES, **kind, **headers}).status


def test_nobody_else_may_open_the_tunnels_socket(tunnel: System) -> None:
    path = tunnel.settings.front_socket
    assert path
    assert path.stat().st_mode & 0o777 == 0o600
    with socket.create_connection(("127.0.0.1", tunnel.settings.port)) as front:
        assert front.getpeername()[0] == "127.0.0.1"


def test_sockets_that_the_edge_cuts_at_once_come_back_spread_out(
    tunnel: System, page: Page
) -> None:
    """H33: a hundred in one moment, as the page's own script brings them back."""
    page.unroute_all()
    page.goto(f"/events/{event_with(tunnel, 1)}")
    page.evaluate(
        """count => {
            window.opened = []
            window.tried = []
            window.WebSocket = class extends WebSocket {
                constructor(address) {
                    super(address)
                    window.tried.push(performance.now())
                }
            }
            addEventListener("htmx:ws:after:connection", () => window.opened.push(performance.now()))
            for (let one = 0; one < count; one++) {
                const place = document.createElement("div")
                place.className = "cut"
                place.setAttribute("hx-ws:connect", "/ws")
                document.body.append(place)
                htmx.process(place)
            }
        }""",
        SOCKETS,
    )
    until(page, "count => window.opened.length >= count", SOCKETS)
    begun = page.evaluate(
        """() => {
            window.opened = []
            window.tried = []
            document.querySelectorAll(".cut").forEach(one => one._htmx.ws.connection.socket.close())
            return performance.now()
        }"""
    )
    until(page, "count => window.opened.length >= count", SOCKETS)
    # When each tries: Chromium lets one after the other through, and so would spread them anyway.
    back = sorted(one - begun for one in page.evaluate("window.tried"))
    assert len(back) == SOCKETS
    assert back[-1] < BACK_S_MAX * 1000
    busiest = max(sum(1 for one in back if at <= one < at + WINDOW_MS) for at in back)
    assert busiest < MANY_AT_ONCE, f"{busiest} of {SOCKETS} within {WINDOW_MS} ms"
