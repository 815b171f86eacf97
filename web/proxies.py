"""From which address a request comes, seen past the proxies that we trust."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from flask import request

from pipeline.settings import settings

HOPS_MAX = 10
FRONT = ("127.0.0.0/8", "::1/128")
"""Our own `front` speaks to us from here, and tells no address that it was only told."""
WITH_PORT = re.compile(r"(\d[\d.]*):\d+|\[([\da-fA-F:.]+)\](?::\d+)?")


def client_address() -> str:
    """The nearest address on the request's way that is no proxy of ours.

    Each proxy writes down whom it heard, at the end of X-Forwarded-For; what an untrusted one
    wrote further to the left is hearsay.
    """
    told = request.headers.get("X-Forwarded-For", "").split(",")[-HOPS_MAX:]
    nearest = _address(request.remote_addr or "") or ip_address("127.0.0.1")
    for one in reversed(told):
        further = _address(one.strip())
        if further is None or not _is_ours(nearest, settings().trusted_proxies):
            break
        nearest = further
    return str(nearest)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address in a text, which may name a port; one address is written in one way only."""
    ported = WITH_PORT.fullmatch(text)
    try:
        found = ip_address(ported[1] or ported[2] if ported else text)
    except ValueError:
        return None
    # A socket for both kinds hears 10.0.0.1 as ::ffff:10.0.0.1.
    return getattr(found, "ipv4_mapped", None) or found


@lru_cache(maxsize=1_024)
def _is_ours(address: IPv4Address | IPv6Address, trusted: tuple[str, ...]) -> bool:
    return any(address in network for network in _networks(trusted))


@lru_cache(maxsize=4)
def _networks(trusted: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(one, strict=False) for one in (*FRONT, *trusted)]
