"""Push an image to a registry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.plugins.docker.auth import Auth, AuthOptions
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import DIGEST, Image, checked_name, repository_of
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.options import limits_of, operation_component, with_options
from pycurrent.term import Current, Failure, Primitive


@dataclass(frozen=True, slots=True)
class DockerPush(Publisher[str, Image, str]):
    """Sets a name in a registry to an image. The engine does not matter to the name."""

    id: ClassVar[str] = "docker-push"
    local: ClassVar[bool] = True
    durable: ClassVar[bool] = True

    client: Client
    auth: Auth | None
    limits: Limits

    def describe(self, key: str, value: Image) -> str:
        return f"push {key} {value.short}"

    async def publish(self, job: Job, key: str, value: Image) -> str:
        async with session(self.client, job, auth=self.auth, name=key) as docker:
            await docker.exec("tag", value.id, key)
            said = await docker.exec("push", key)
            pushed = re.findall(rf"\bdigest: ({DIGEST})", said)
            if not pushed:
                raise Failure(
                    f"docker push {key} has not printed the digest of the image: see its log"
                )
            return f"{repository_of(key)}@{pushed[-1]}"


@with_options(level=Level.DANGEROUS)
def push(
    client: Client,
    /,
    image: Image | Current[Image],
    tag: str | Current[str],
    **options: Unpack[AuthOptions],
) -> Current[str]:
    """Set the name in its registry to the image; the result is `repository@sha256:...`.

    Two different images for one name are an error, even if they are in different engines.
    """
    work = DockerPush(client, options["auth"], limits_of(options))

    def on_values(image: Image, tag: str) -> Primitive[str]:
        return work.set(checked_name(tag), image, retry=options["retry"])

    return operation_component(options["label"], "push {tag}", on_values, image, tag)
