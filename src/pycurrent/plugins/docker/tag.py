"""Give an image a name in its engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import Image, checked_name
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.options import Options, limits_of, operation_component, with_options
from pycurrent.term import Current, Primitive


@dataclass(frozen=True, slots=True)
class TagKey:
    """A name in an engine, which leads to one image."""

    engine: str
    tag: str


@dataclass(frozen=True, slots=True)
class DockerTag(Publisher[TagKey, Image, None]):
    """Sets a name in an engine to an image."""

    id: ClassVar[str] = "docker-tag"

    client: Client
    limits: Limits

    def describe(self, key: TagKey, value: Image) -> str:
        return f"tag {key.tag} {value.short}"

    async def publish(self, job: Job, key: TagKey, value: Image) -> None:
        async with session(self.client, job) as docker:
            await docker.exec("tag", value.id, key.tag)


@with_options(level=Level.AVERAGE)
def tag(
    client: Client,
    /,
    image: Image | Current[Image],
    tag: str | Current[str],
    **options: Unpack[Options],
) -> Current[None]:
    """Set the name to the image in the engine. Use `push` to set it in a registry."""
    work = DockerTag(client, limits_of(options))

    def on_values(image: Image, tag: str) -> Primitive[None]:
        return work.set(TagKey(client.engine, checked_name(tag)), image, retry=options["retry"])

    return operation_component(options["label"], "tag {tag}", on_values, image, tag)
