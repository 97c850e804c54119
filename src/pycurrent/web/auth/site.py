"""From where a site can be reached, and by which names."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from enum import Enum
from typing import Self
from urllib.parse import urlsplit

from pycurrent.errors import UsageError

_LOCAL_NAMES = frozenset({"localhost"})


class Reach(Enum):
    """Who can reach a site."""

    HERE = "this machine"
    ELSEWHERE = "other machines"


@dataclass(frozen=True, slots=True)
class Site:
    """Where it listens, and what it is called besides.

    A page of another site can have a browser ask for a name of its own that leads to our address
    (DNS rebinding), and would then be taken for ours. So requests for a name that is not ours
    are refused; an address is nobody else's name.
    """

    host: str
    public_url: str | None = None
    names: frozenset[str] = frozenset()

    @classmethod
    def at(cls, host: str, *, public_url: str | None, allowed_hosts: tuple[str, ...]) -> Self:
        """Raises `UsageError` if `public_url` is no address."""
        names = {*_LOCAL_NAMES, host.lower(), *(name.lower() for name in allowed_hosts)}
        if public_url is not None:
            names.add(_host_of(public_url))
        if not _is_here(host):
            names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        return cls(host, public_url, frozenset(names))

    @property
    def reach(self) -> Reach:
        """What is called by a public name can be reached by a proxy, wherever it listens."""
        hosts = [self.host]
        if self.public_url is not None:
            hosts.append(_host_of(self.public_url))
        return Reach.HERE if all(_is_here(host) for host in hosts) else Reach.ELSEWHERE

    def answers_to(self, header: str) -> bool:
        """Whether what a request has as its `Host` is a name of ours."""
        try:
            name = urlsplit(f"//{header}").hostname
        except ValueError:
            return False
        if not name:
            return False
        if self.reach is Reach.HERE and _is_address(name):
            return _is_here(name)
        return name in self.names or _is_address(name)


def _host_of(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise UsageError(
            f"{url!r} is no address of a site: it looks like https://ci.example.org, without a path"
        )
    return parts.hostname


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_here(host: str) -> bool:
    if host.lower() in _LOCAL_NAMES:
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_loopback
