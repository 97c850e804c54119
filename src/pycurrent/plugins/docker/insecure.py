"""Whether a registry may be asked without TLS.

The engine decides that for itself by its settings; `docker manifest`, which goes to registries
directly, has to be told.
"""

from __future__ import annotations

import ipaddress
import json

from pycurrent.plugins.docker.image import registry_of
from pycurrent.plugins.docker.session import DockerSession


async def insecure_option(docker: DockerSession, name: str) -> list[str]:
    """The option for `docker manifest` and an image of this name: what the engine would do."""
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
