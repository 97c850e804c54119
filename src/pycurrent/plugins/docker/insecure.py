"""Registries that the engine reaches without TLS.

The settings of the engine name them; `docker manifest`, which asks registries directly, needs an
option.
"""

from __future__ import annotations

import ipaddress
import json

from pycurrent.plugins.docker.image import registry_of
from pycurrent.plugins.docker.session import DockerSession


async def insecure_option(docker: DockerSession, name: str) -> list[str]:
    """Return the option by which `docker manifest` does as the engine would."""
    registry = registry_of(name)
    if registry is None:
        return []
    settings = json.loads(await docker.ask("info", "--format", "{{json .RegistryConfig}}")) or {}
    index = (settings.get("IndexConfigs") or {}).get(registry, {})
    ranges = settings.get("InsecureRegistryCIDRs") or []
    is_insecure = index.get("Secure") is False or _within(registry, ranges)
    return ["--insecure"] if is_insecure else []


def _within(registry: str, ranges: list[str]) -> bool:
    host = registry.rpartition(":")[0] or registry
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(range, strict=False) for range in ranges)
