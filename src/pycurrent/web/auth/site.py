"""From where a site can be reached, and by which names."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from pycurrent.errors import UsageError
from pycurrent.web.auth.names import NoHostName, SiteName, host_name, is_address, origin_of

_LOCAL_NAMES = frozenset({"localhost"})


class Reach(Enum):
    """The machines that can reach a site."""

    HERE = "this machine"
    ELSEWHERE = "other machines"


@dataclass(frozen=True, slots=True)
class SiteAddress:
    """Where it listens, and what it is called besides.

    A page of another site can have a browser ask for a name of its own that leads to our address
    (DNS rebinding), and would then be taken for ours. So requests for a name that is not ours
    are refused; an address is nobody else's name.
    """

    host: str
    public_origin: str | None = None
    """Scheme, name and port of the public address, as browsers write them."""
    names: frozenset[SiteName] = frozenset()
    """The names of the site. A name without a port holds for all ports."""

    @classmethod
    def at(cls, host: str, *, public_url: str | None, allowed_hosts: tuple[str, ...]) -> Self:
        """Make the site of these settings. Raises `UsageError` for an invalid address or name."""
        names = {_allowed(text) for text in allowed_hosts}
        names.update(_known({*_LOCAL_NAMES, host}))
        public = None
        if public_url is not None:
            public = _public_origin(public_url)
            names.add(SiteName(_name_of(public), None))
        if not _is_here(host):
            names.update(_known({socket.gethostname(), socket.getfqdn()}))
        return cls(host, public, frozenset(names))

    @property
    def reach(self) -> Reach:
        """The reach. A public name means that a proxy leads to the site, wherever it listens."""
        hosts = [self.host]
        if self.public_origin is not None:
            hosts.append(_name_of(self.public_origin))
        return Reach.HERE if all(_is_here(host) for host in hosts) else Reach.ELSEWHERE

    def allows_host(self, header: str, scheme: str = "http") -> bool:
        """True if the header `Host` of a request is a name of this site."""
        try:
            host = SiteName.parse(header)
        except NoHostName:
            return False
        if self.reach is Reach.HERE and is_address(host.name):
            return _is_here(host.name)
        found = {SiteName(host.name, None), SiteName(host.name, host.port_for(scheme))}
        return is_address(host.name) or not found.isdisjoint(self.names)


def _public_origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        rest = parts.path.strip("/") or parts.query or parts.fragment
        if parts.scheme in {"http", "https"} and not rest:
            return origin_of(url)
    except ValueError:
        pass
    raise UsageError(
        f"--public-url {url!r} is not the address of a site: it looks like"
        " https://ci.example.org, without a path"
    )


def _allowed(text: str) -> SiteName:
    try:
        return SiteName.parse(f"[{text}]" if text.count(":") > 1 and "[" not in text else text)
    except NoHostName:
        raise UsageError(
            f"--allow-host {text!r} is not the name of a host: it looks like ci.internal, or"
            " ci.internal:8080 for this port only"
        ) from None


def _name_of(origin: str) -> str:
    return SiteName.parse(origin.partition("://")[2]).name


def _known(names: Iterable[str]) -> Iterator[SiteName]:
    """The valid ones of these names: a system may call itself anything."""
    for name in names:
        try:
            yield SiteName(host_name(name), None)
        except NoHostName:
            continue


def _is_here(host: str) -> bool:
    try:
        name = host_name(host)
    except NoHostName:
        return False
    return name in _LOCAL_NAMES or (is_address(name) and ip_address(name).is_loopback)
