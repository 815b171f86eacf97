"""From which address a request comes, seen past the proxies that we trust."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from flask import request

from pipeline.settings import settings

HOPS_MAX = 10
FRONT = ("127.0.0.0/8", "::1/128")
"""Our own `front` speaks to us from here, and tells no address that it was only told."""


def client_address() -> str:
    """The nearest address on the request's way that is no proxy of ours.

    Each proxy writes down whom it heard, at the end of X-Forwarded-For; what an untrusted one
    wrote further to the left is hearsay.
    """
    told = request.headers.get("X-Forwarded-For", "").split(",")[-HOPS_MAX:]
    nearest = request.remote_addr or FRONT[0].partition("/")[0]
    for one in reversed([part.strip() for part in told]):
        if not _is_ours(nearest, settings().trusted_proxies) or not _is_address(one):
            break
        nearest = one
    return nearest


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1_024)
def _is_ours(address: str, trusted: tuple[str, ...]) -> bool:
    return any(ip_address(address) in network for network in _networks(trusted))


@lru_cache(maxsize=4)
def _networks(trusted: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(one, strict=False) for one in (*FRONT, *trusted)]
