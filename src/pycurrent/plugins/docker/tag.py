"""Give an image a name in its engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Unpack

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import Image, checked_name
from pycurrent.plugins.docker.image_ids import image_ids
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.options import Options, limits_of, operation_component, with_options
from pycurrent.term import Current, Ok, Output, Primitive


@dataclass(frozen=True, slots=True)
class TagKey:
    """A name in an engine, which leads to one image."""

    engine: str
    tag: str


@dataclass(frozen=True, slots=True)
class DockerTag(Publisher[TagKey, Image, Image | None]):
    """Sets a name in an engine to an image, which is the outcome; older records have none."""

    id: ClassVar[str] = "docker-tag"
    durable: ClassVar[bool] = True
    local: ClassVar[bool] = True

    # Equal for one engine, so that it is asked about all their names at once.
    client: Client
    limits: Limits = field(compare=False)

    def describe(self, key: TagKey, value: Image) -> str:
        return f"tag {key.tag} {value.short}"

    async def publish(self, job: Job, key: TagKey, value: Image) -> Image | None:
        async with session(self.client, job) as docker:
            await docker.exec("tag", value.id, key.tag)
        return value

    async def still_there_many(self, pairs: Sequence[tuple[TagKey, Image | None]]) -> list[bool]:
        ids = await image_ids(self.client, [key.tag for key, _ in pairs])
        outcomes = [image for _, image in pairs]
        return [
            id is not None and (image is None or image.id == id)
            for id, image in zip(ids, outcomes, strict=True)
        ]


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
        key = TagKey(client.engine, checked_name(tag))
        return work.set(key, image, retry=options["retry"]).map_output(_done)

    return operation_component(options["label"], "tag {tag}", on_values, image, tag)


def _done(output: Output[Image | None]) -> Output[None]:
    return Ok(None) if isinstance(output, Ok) else output
