"""The digest of an image in a registry, found without pulling it."""

from __future__ import annotations

import json
from typing import Any

from pycurrent.plugins.docker.image import repository_of
from pycurrent.plugins.docker.insecure import insecure_option
from pycurrent.plugins.docker.platform import choose
from pycurrent.plugins.docker.session import DockerSession
from pycurrent.term import Failure

_NO_PLATFORM = "unknown/unknown"
"""The platform of attestations, which are listed among the manifests as if they were images."""


async def digest_of(docker: DockerSession, name: str, platform: str | None) -> str:
    """Return `repository@sha256:...` of the image for a platform, by default the engine's.

    Raises Failure if the registry does not have one for it.
    """
    insecure = await insecure_option(docker, name)
    found = json.loads(await docker.ask("manifest", "inspect", *insecure, "--verbose", name))
    entries: list[dict[str, Any]] = found if isinstance(found, list) else [found]
    if platform is None and len(entries) > 1:
        platform = await _platform_of_engine(docker)
    offered = [_platform(entry) for entry in entries]
    chosen = 0 if platform is None else choose(offered, platform)
    if chosen is not None:
        return f"{repository_of(name)}@{entries[chosen]['Descriptor']['digest']}"
    known = ", ".join(sorted(set(offered) - {_NO_PLATFORM}))
    raise Failure(f"{name} is not available for {platform}, only for {known}")


async def _platform_of_engine(docker: DockerSession) -> str:
    return (await docker.ask("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")).strip()


def _platform(entry: dict[str, Any]) -> str:
    of = entry["Descriptor"].get("platform") or {}
    return "/".join(filter(None, (of.get("os"), of.get("architecture"), of.get("variant"))))
