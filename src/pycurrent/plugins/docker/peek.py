"""The newest digest of an image, without pulling it."""

from __future__ import annotations

from typing import ClassVar, Unpack

from pycurrent.engine import Level
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.manifest import digest_of
from pycurrent.plugins.docker.registry import (
    NamedImage,
    RegistryLook,
    RegistryOptions,
    registry_look,
)
from pycurrent.plugins.docker.session import DockerSession
from pycurrent.plugins.options import with_options
from pycurrent.term import Current


class DockerPeek(RegistryLook[str]):
    """Asks the registry for a digest."""

    id: ClassVar[str] = "docker-peek"
    lookup: ClassVar[bool] = True
    verb: ClassVar[str] = "peek"

    async def look(self, docker: DockerSession, key: NamedImage) -> str:
        digest = await digest_of(docker, key.name, key.platform)
        docker.job.log(f"{key} is {digest}")
        return digest


@with_options(level=Level.MOSTLY_HARMLESS)
def peek(
    client: Client, /, name: str | Current[str], **options: Unpack[RegistryOptions]
) -> Current[str]:
    """Look up the digest of a name in its registry: `repository@sha256:...`, for one platform.

    The result can be pulled, and can stand in a `FROM` line. `platform` is one like `linux/arm64`,
    by default the engine's own.
    """
    # The engine only matters for its platform.
    engine = client.engine if options["platform"] is None else None
    return registry_look(peek, DockerPeek, client, engine, name, options)
