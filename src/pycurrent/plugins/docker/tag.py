"""Give an image a name in its engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import Image, checked_name
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.labels import label_or
from pycurrent.plugins.limits import Limits
from pycurrent.term import Current, Primitive, component


@dataclass(frozen=True, slots=True)
class TagKey:
    """A name means one image in each engine."""

    engine: str
    tag: str


@dataclass(frozen=True, slots=True)
class Tag(Publisher[TagKey, Image, None]):
    """Sets a name to an image."""

    id: ClassVar[str] = "docker-tag"

    client: Client
    limits: Limits

    def describe(self, key: TagKey, value: Image) -> str:
        return f"tag {key.tag} {value.short}"

    async def publish(self, job: Job, key: TagKey, value: Image) -> None:
        await self.limits.start(job)
        async with session(self.client, job) as docker:
            await docker.exec("tag", value.id, key.tag)


def tag(
    client: Client,
    /,
    image: Image | Current[Image],
    tag: str | Current[str],
    *,
    level: Level = Level.AVERAGE,
    label: str | None = None,
) -> Current[None]:
    """Have the name lead to the image, in the engine. `push` makes it known to a registry."""

    def on_values(image: Image, tag: str) -> Primitive[None]:
        return Tag(client, Limits(level)).set(TagKey(client.engine, checked_name(tag)), image)

    return component(label_or(label, "tag {tag}"))(on_values)(image, tag)
