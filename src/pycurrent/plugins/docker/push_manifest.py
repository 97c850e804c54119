"""Push a name that stands for one image on each architecture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import AnyPool, Job, Level
from pycurrent.errors import UsageError
from pycurrent.plugins.docker.auth import Auth
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import DIGEST, checked_name, repository_of
from pycurrent.plugins.docker.insecure import insecure_option
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.labels import label_or
from pycurrent.plugins.limits import Limits, Timeout
from pycurrent.term import Current, Primitive, component, seq


@dataclass(frozen=True, slots=True)
class PushManifest(Publisher[str, tuple[str, ...], str]):
    """Sets a name in a registry to some images of it."""

    id: ClassVar[str] = "docker-push-manifest"

    client: Client
    auth: Auth | None
    limits: Limits

    def describe(self, key: str, value: tuple[str, ...]) -> str:
        return f"push {key} of {len(value)} images"

    async def publish(self, job: Job, key: str, value: tuple[str, ...]) -> str:
        await self.limits.start(job)
        async with session(self.client, job, auth=self.auth, name=key) as docker:
            insecure = await insecure_option(docker, key)
            await docker.exec("manifest", "create", *insecure, key, *value)
            said = await docker.ask("manifest", "push", *insecure, key)
            digest = re.findall(rf"^{DIGEST}$", said, re.MULTILINE)[-1]
            job.log(f"{key} is {digest}")
            return f"{repository_of(key)}@{digest}"


def push_manifest(
    client: Client,
    /,
    tag: str | Current[str],
    images: Sequence[Current[str]] | Current[Sequence[str]],
    *,
    auth: Auth | None = None,
    timeout: Timeout = None,
    pool: AnyPool | None = None,
    level: Level = Level.DANGEROUS,
    label: str | None = None,
) -> Current[str]:
    """Have the name lead to these images, each for its platform; gives `repository@sha256:...`.

    The images are in the same registry already: what `push` gives.
    """
    limits = Limits(level, pool, timeout)

    def on_values(tag: str, images: Sequence[str]) -> Primitive[str]:
        if not images:
            raise UsageError(f"no images are given for {tag}")
        names = tuple(checked_name(image) for image in images)
        return PushManifest(client, auth, limits).set(checked_name(tag), names)

    together = images if isinstance(images, Current) else seq(list(images))
    return component(label_or(label, "push {tag}"))(on_values)(tag, together)
