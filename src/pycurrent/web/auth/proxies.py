"""The proxies whose headers `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from pycurrent.errors import UsageError

_HERE = ("127.0.0.0/8", "::1", "::ffff:127.0.0.0/104")


def believed(proxies: Iterable[str]) -> list[str]:
    """The addresses and networks of these proxies, and those of this machine.

    Raises `UsageError` for anything else.
    """
    return [*_HERE, *map(_network, proxies)]


def _network(proxy: str) -> str:
    try:
        return str(ip_network(proxy.strip("[]"), strict=False))
    except ValueError:
        raise UsageError(
            f"--trust-proxy {proxy!r} is not an address or a network: expected 10.0.0.5 or"
            " 10.0.0.0/8, say"
        ) from None
