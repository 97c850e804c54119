"""Push a name that stands for one image on each architecture."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.errors import UsageError
from pycurrent.plugins.docker.auth import Auth, AuthOptions
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import DIGEST, checked_name, repository_of
from pycurrent.plugins.docker.insecure import insecure_option
from pycurrent.plugins.docker.session import DockerSession, session
from pycurrent.plugins.options import Limits, operation_component, with_options
from pycurrent.term import Current, Failure, Primitive, seq

_IS_A_LIST = "is a manifest list"


@dataclass(frozen=True, slots=True)
class DockerPushManifest(Publisher[str, tuple[str, ...], str]):
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
            try:
                digest = await _of_manifests(docker, key, value)
            except Failure as failure:
                if _IS_A_LIST not in str(failure):
                    raise
                digest = await _of_lists(docker, key, value)
            job.log(f"{key} is {digest}")
            return f"{repository_of(key)}@{digest}"


async def _of_manifests(docker: DockerSession, key: str, images: Sequence[str]) -> str:
    """Its digest. Raises Failure if one of the images is a list, as those with attestations are."""
    insecure = await insecure_option(docker, key)
    await docker.exec("manifest", "create", *insecure, key, *images)
    said = await docker.ask("manifest", "push", *insecure, key)
    digests: list[str] = re.findall(rf"^{DIGEST}$", said, re.MULTILINE)
    return digests[-1]


async def _of_lists(docker: DockerSession, key: str, images: Sequence[str]) -> str:
    """Its digest. Lists are joined to one by buildx only."""
    docker.job.log("It takes buildx to make one list of several")
    await docker.exec("buildx", "imagetools", "create", f"--tag={key}", *images)
    form = "{{json .Manifest}}"
    said = await docker.ask("buildx", "imagetools", "inspect", "--format", form, key)
    return str(json.loads(said)["digest"])


@with_options(level=Level.DANGEROUS)
def push_manifest(
    client: Client,
    /,
    tag: str | Current[str],
    images: Sequence[Current[str]] | Current[Sequence[str]],
    **options: Unpack[AuthOptions],
) -> Current[str]:
    """Have the name lead to these images, each for its platform; gives `repository@sha256:...`.

    The images are in the same registry already: what `push` gives.
    """
    work = DockerPushManifest(client, options["auth"], Limits.of(options))

    def on_values(tag: str, images: Sequence[str]) -> Primitive[str]:
        if not images:
            raise UsageError(f"no images are given for {tag}")
        names = tuple(checked_name(image) for image in images)
        return work.set(checked_name(tag), names)

    together = images if isinstance(images, Current) else seq(list(images))
    return operation_component(options["label"], "push {tag}", on_values, tag, together)
