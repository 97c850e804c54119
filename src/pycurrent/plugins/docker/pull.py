"""Pull an image from a registry, once or on a schedule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Unpack

from pycurrent.engine import Level
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import DIGEST, Image, repository_of
from pycurrent.plugins.docker.image_ids import have_images
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


class DockerPull(RegistryLook[Image]):
    """Brings an image to the engine."""

    id: ClassVar[str] = "docker-pull"
    verb: ClassVar[str] = "pull"

    async def look(self, docker: DockerSession, key: NamedImage) -> Image:
        name, options = key.name, []
        if key.platform is not None:
            # By its digest: for the engine, a name leads to one image of any platform.
            name = await digest_of(docker, key.name, key.platform)
            options = ["--platform", key.platform]
        said = await docker.exec("pull", *options, name)
        pulled = re.findall(rf"^Digest: ({DIGEST})", said, re.MULTILINE)
        digest = f"{repository_of(name)}@{pulled[-1]}" if pulled else name
        id = await docker.ask("image", "inspect", "--format", "{{.Id}}", digest)
        return Image(id.strip(), digest)

    async def still_there_many(self, pairs: Sequence[tuple[NamedImage, Image]]) -> list[bool]:
        return await have_images(self.client, [image for _, image in pairs])


@with_options(level=Level.MOSTLY_HARMLESS)
def pull(
    client: Client, /, name: str | Current[str], **options: Unpack[RegistryOptions]
) -> Current[Image]:
    """Pull the image of this name into the engine.

    It is pulled once, or as often as the `schedule` says; pulling the same image again changes
    nothing. `platform` is one like `linux/arm64`, by default the engine's own.
    """
    return registry_look(pull, DockerPull, client, client.engine, name, options)
