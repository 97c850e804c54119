"""Pull an image from a registry, again and again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from pycurrent.cache import Builder, Schedule
from pycurrent.engine import AnyPool, Job, Level
from pycurrent.plugins.docker.auth import Auth
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import DIGEST, Image, checked_name, repository_of
from pycurrent.plugins.docker.manifest import digest_of
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.labels import label_or
from pycurrent.plugins.limits import Limits, Timeout
from pycurrent.term import Current, Primitive, component


@dataclass(frozen=True, slots=True)
class PullKey:
    """What is pulled, and to where."""

    engine: str
    name: str
    platform: str | None

    def __str__(self) -> str:
        return self.name if self.platform is None else f"{self.name} ({self.platform})"


@dataclass(frozen=True, slots=True)
class Pull(Builder[PullKey, Image]):
    """Brings an image to the engine."""

    id: ClassVar[str] = "docker-pull"
    auto_cancel: ClassVar[bool] = True

    client: Client
    auth: Auth | None
    limits: Limits

    def describe(self, key: PullKey) -> str:
        return f"pull {key}"

    async def build(self, job: Job, key: PullKey) -> Image:
        await self.limits.start(job)
        async with session(self.client, job, auth=self.auth, name=key.name) as docker:
            name, options = key.name, []
            if key.platform is not None:
                # By its digest: for the engine, a name is one image, of whatever platform.
                name = await digest_of(docker, key.name, key.platform)
                options = ["--platform", key.platform]
            said = await docker.exec("pull", *options, name)
            pulled = re.findall(rf"^Digest: ({DIGEST})", said, re.MULTILINE)
            digest = f"{repository_of(name)}@{pulled[-1]}" if pulled else name
            id = await docker.ask("image", "inspect", "--format", "{{.Id}}", digest)
            return Image(id.strip(), digest)


def pull(
    client: Client,
    /,
    name: str | Current[str],
    *,
    schedule: Schedule | None = None,
    platform: str | None = None,
    auth: Auth | None = None,
    timeout: Timeout = None,
    pool: AnyPool | None = None,
    level: Level = Level.MOSTLY_HARMLESS,
    label: str | None = None,
) -> Current[Image]:
    """The image of this name in the registry, brought to the engine.

    It is pulled once, or again as often as the schedule says; an image that is the same as
    before changes nothing. `platform` is one like `linux/arm64`, by default the engine's own.
    """
    limits = Limits(level, pool, timeout)

    def on_values(name: str) -> Primitive[Image]:
        key = PullKey(client.engine, checked_name(name), platform)
        return Pull(client, auth, limits).get(key, schedule=schedule)

    suffix = "" if platform is None else f" ({platform})"
    return component(label_or(label, "pull {name}" + suffix))(on_values)(name)
