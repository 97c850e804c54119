"""Names of hosts, compared as browsers and the DNS do."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import idna

PORTS = {"http": 80, "https": 443}
"""The port of an address that does not name one."""

_ASCII = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")
_LONGEST = 253


class NoHostName(ValueError):
    """The text is not a valid name of a host."""


@dataclass(frozen=True, slots=True)
class SiteName:
    """A name or address, and the port if there is one."""

    name: str
    """As browsers send it: in lower case, in ASCII (IDNA), without a point at its end; an IPv6
    address in its short form, without brackets and zone.
    """
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value of a header `Host`. Raises `NoHostName`."""
        if re.search(r"[\s/?#@\\]", text):
            raise NoHostName(text)
        try:
            parts = urlsplit(f"//{text}")
            name, port = parts.hostname, parts.port
        except ValueError as error:
            raise NoHostName(text) from error
        if not name:
            raise NoHostName(text)
        return cls(host_name(name), port)

    def port_for(self, scheme: str) -> int | None:
        """The port, or else the default port of the scheme."""
        return PORTS.get(scheme) if self.port is None else self.port


def host_name(text: str) -> str:
    """The name of a host, or an address without brackets, as `SiteName.name` has it. Raises
    `NoHostName`.
    """
    address = text.partition("%")[0]
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        pass
    else:
        mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
        return str(mapped or found)
    try:
        name = text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise NoHostName(text) from error
    name = name.lower().removesuffix(".")
    if len(name) > _LONGEST or ".." in name or not _ASCII.fullmatch(name):
        raise NoHostName(text)
    return name


def is_address(name: str) -> bool:
    """True for an IP address, False for a name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, as one text for all its spellings (RFC 6454). Raises
    `NoHostName`.
    """
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    host = SiteName.parse(re.split(r"[/?#]", rest)[0])
    name = f"[{host.name}]" if ":" in host.name else host.name
    port = host.port_for(scheme)
    return f"{scheme}://{name}" if port == PORTS.get(scheme) else f"{scheme}://{name}:{port}"
