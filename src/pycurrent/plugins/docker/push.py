"""Push an image to a registry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import AnyPool, Job, Level
from pycurrent.plugins.docker.auth import Auth
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import DIGEST, Image, checked_name, repository_of
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.labels import label_or
from pycurrent.plugins.limits import Limits, Timeout
from pycurrent.term import Current, Failure, Primitive, component


@dataclass(frozen=True, slots=True)
class Push(Publisher[str, Image, str]):
    """Sets a name in a registry to an image: the name is the same from whatever engine."""

    id: ClassVar[str] = "docker-push"

    client: Client
    auth: Auth | None
    limits: Limits

    def describe(self, key: str, value: Image) -> str:
        return f"push {key} {value.short}"

    async def publish(self, job: Job, key: str, value: Image) -> str:
        await self.limits.start(job)
        async with session(self.client, job, auth=self.auth, name=key) as docker:
            await docker.exec("tag", value.id, key)
            said = await docker.exec("push", key)
            pushed = re.findall(rf"\bdigest: ({DIGEST})", said)
            if not pushed:
                raise Failure(f"docker push {key}: it has not said which digest it has now")
            return f"{repository_of(key)}@{pushed[-1]}"


def push(
    client: Client,
    /,
    image: Image | Current[Image],
    tag: str | Current[str],
    *,
    auth: Auth | None = None,
    timeout: Timeout = None,
    pool: AnyPool | None = None,
    level: Level = Level.DANGEROUS,
    label: str | None = None,
) -> Current[str]:
    """Have the name lead to the image, in its registry; gives `repository@sha256:...`.

    Two different images for one name are an error, whichever engines they are in.
    """
    limits = Limits(level, pool, timeout)

    def on_values(image: Image, tag: str) -> Primitive[str]:
        return Push(client, auth, limits).set(checked_name(tag), image)

    return component(label_or(label, "push {tag}"))(on_values)(image, tag)
