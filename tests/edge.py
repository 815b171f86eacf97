"""A stand-in for cloudflared and the edge behind it: a TLS proxy that sets Cloudflare's headers.

Called with cloudflared's arguments it prints what the real one prints, in a box on stderr, and then
becomes a Caddy that goes by the rules of `--config`. Every visitor comes from VISITOR.
"""

import os
import sys
from pathlib import Path
from typing import Any

import yaml

HOST = "four-plain-words-here.trycloudflare.com"
VISITOR = "198.51.100.7"
BOX = f"""\
Thank you for trying Cloudflare Tunnel. (https://www.cloudflare.com/website-terms/)
Requesting new quick Tunnel on trycloudflare.com...
+--------------------------------------------------------------------------------------------+
|  Your quick Tunnel has been created! Visit it at (it may take some time to be reachable):  |
|  https://{HOST}                                           |
+--------------------------------------------------------------------------------------------+
"""
PROXY = """reverse_proxy %s {
			header_up CF-Connecting-IP %s
			header_up CF-Visitor `{"scheme":"https"}`
			header_up CF-IPCountry PE
			header_up CF-Ray 8f0000000000abcd-LIM
			header_up X-Forwarded-Proto https
			header_up -X-Forwarded-Host
			# The edge adds whom it heard to what it was told.
			header_up X-Forwarded-For 127\\.0\\.0\\.1$ %s
		}"""


def put_on_path(folder: Path, does: str = "") -> dict[str, str]:
    """An environment in which `cloudflared` is this, or a script that does something else."""
    folder.mkdir(exist_ok=True)
    script = folder / "cloudflared"
    itself = f'exec {sys.executable} {__file__} "$@"'
    script.write_text(f"#!/bin/sh\n{does or itself}\n")
    script.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def caddyfile(rules: list[dict[str, Any]], folder: Path, port: str) -> str:
    """The rules as cloudflared reads them: in their order, by a pattern of the path."""
    routes = ""
    for number, rule in enumerate(rules):
        kind, _, rest = rule["service"].partition(":")
        does = f"respond {rest}" if kind == "http_status" else (
            PROXY % (f"unix/{rest}", VISITOR, VISITOR))  # fmt: skip
        matcher = f"@r{number} path_regexp {rule['path']}\n" if "path" in rule else ""
        routes += f"{matcher}handle {f'@r{number} ' if matcher else ''}{{\n{does}\n}}\n"
    return f"""
    {{
        admin off
        skip_install_trust
        auto_https disable_redirects
        persist_config off
        grace_period 1s
        storage file_system {folder}/edge
        log {{
            level ERROR
        }}
        servers {{
            protocols h1 h2
            trusted_proxies static 127.0.0.1
        }}
    }}
    https://{HOST}:{port} {{
        bind 127.0.0.1
        tls internal
        {routes}
    }}"""


def main() -> None:
    """As `cloudflared tunnel --no-autoupdate --config FILE --url …`."""
    config = Path(sys.argv[sys.argv.index("--config") + 1])
    rules = yaml.safe_load(config.read_text())["ingress"]
    written = config.with_name("edge.caddyfile")
    written.write_text(caddyfile(rules, config.parent, os.environ["TUNNEL_EDGE_PORT"]))
    for line in [*BOX.splitlines(), "Registered tunnel connection connIndex=0 protocol=quic"]:
        sys.stderr.write(f"2026-01-05T10:00:00Z INF {line}\n")
    sys.stderr.flush()
    caddy = str(Path(sys.executable).with_name("caddy"))
    os.execv(caddy, [caddy, "run", "--config", str(written), "--adapter", "caddyfile"])  # noqa: S606  no shell wanted


if __name__ == "__main__":
    main()
