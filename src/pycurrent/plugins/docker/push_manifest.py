"""Push one name for the images of several architectures."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.errors import UsageError
from pycurrent.plugins.docker.auth import Auth, AuthOptions
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import DIGEST, checked_name, repository_of
from pycurrent.plugins.docker.insecure import insecure_option
from pycurrent.plugins.docker.session import DockerSession, session
from pycurrent.plugins.options import limits_of, operation_component, with_options
from pycurrent.term import Current, Failure, Primitive, seq

_IS_A_LIST = "is a manifest list"


@dataclass(frozen=True, slots=True)
class DockerPushManifest(Publisher[str, tuple[str, ...], str]):
    """Sets a name in a registry to images of the same registry."""

    id: ClassVar[str] = "docker-push-manifest"
    local: ClassVar[bool] = True
    durable: ClassVar[bool] = True

    client: Client
    auth: Auth | None
    limits: Limits

    def describe(self, key: str, value: tuple[str, ...]) -> str:
        return f"push {key} of {len(value)} images"

    async def publish(self, job: Job, key: str, value: tuple[str, ...]) -> str:
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
    """Push manifests, and return the digest. Raises Failure if one of them is a list itself."""
    insecure = await insecure_option(docker, key)
    await docker.exec("manifest", "create", *insecure, key, *images)
    said = await docker.ask("manifest", "push", *insecure, key)
    digests: list[str] = re.findall(rf"^{DIGEST}$", said, re.MULTILINE)
    return digests[-1]


async def _of_lists(docker: DockerSession, key: str, images: Sequence[str]) -> str:
    """Join lists, such as those of images with attestations; only buildx can. Return the digest."""
    docker.job.log("An image is a list of manifests: joining them with buildx")
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
    """Set the name to these images, one for each platform; the result is `repository@sha256:...`.

    The images must be in the same registry already: give the results of `push`.
    """
    work = DockerPushManifest(client, options["auth"], limits_of(options))

    def on_values(tag: str, images: Sequence[str]) -> Primitive[str]:
        if not images:
            raise UsageError(f"push_manifest({tag!r}) needs images: give the results of push")
        names = tuple(checked_name(image) for image in images)
        return work.set(checked_name(tag), names, retry=options["retry"])

    together = images if isinstance(images, Current) else seq(list(images))
    return operation_component(options["label"], "push {tag}", on_values, tag, together)
