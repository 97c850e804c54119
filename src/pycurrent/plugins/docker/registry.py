"""Images in a registry: the options and the operation that `pull` and `peek` share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from pycurrent.cache import Builder, Schedule
from pycurrent.engine import Job
from pycurrent.engine.limits import Limits
from pycurrent.plugins.docker.auth import Auth, AuthOptions
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import checked_name
from pycurrent.plugins.docker.session import DockerSession, session
from pycurrent.plugins.options import limits_of, named_after, operation_component
from pycurrent.term import Current, Primitive

V = TypeVar("V")


class RegistryOptions(AuthOptions, total=False):
    """The options of a look into a registry."""

    schedule: Schedule | None
    platform: str | None


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image by its name, for one platform, by default that of the engine."""

    engine: str | None
    name: str
    platform: str | None

    def __str__(self) -> str:
        return self.name if self.platform is None else f"{self.name} ({self.platform})"


@dataclass(frozen=True, slots=True)
class RegistryLook(Builder[NamedImage, V]):
    """Looks at an image in its registry, with a login if there are credentials."""

    auto_cancel: ClassVar[bool] = True
    local: ClassVar[bool] = True
    durable: ClassVar[bool] = True
    verb: ClassVar[str]

    # Equal for one engine, so that it is asked about all their images at once.
    client: Client
    auth: Auth | None = field(compare=False)
    limits: Limits = field(compare=False)

    def describe(self, key: NamedImage) -> str:
        return f"{self.verb} {key}"

    async def build(self, job: Job, key: NamedImage) -> V:
        async with session(self.client, job, auth=self.auth, name=key.name) as docker:
            return await self.look(docker, key)

    @abstractmethod
    async def look(self, docker: DockerSession, key: NamedImage) -> V:
        """Pull or look up the image. Raises Failure, which says why."""


def registry_look(
    public: Callable[..., object],
    operation: Callable[[Client, Auth | None, Limits], RegistryLook[V]],
    client: Client,
    engine: str | None,
    name: str | Current[str],
    options: RegistryOptions,
) -> Current[V]:
    """The component of a look at an image, made for a `public` function."""
    work, platform = operation(client, options["auth"], limits_of(options)), options["platform"]

    @named_after(public)
    def on_values(name: str) -> Primitive[V]:
        key = NamedImage(engine, checked_name(name), platform)
        return work.get(key, schedule=options["schedule"], retry=options["retry"])

    suffix = "" if platform is None else f" ({platform})"
    default = f"{work.verb} {{name}}{suffix}"
    return operation_component(options["label"], default, on_values, name)
