"""The newest digest of an image, without pulling it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pycurrent.cache import Builder, Schedule
from pycurrent.engine import AnyPool, Job, Level
from pycurrent.plugins.docker.auth import Auth
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import checked_name
from pycurrent.plugins.docker.manifest import digest_of
from pycurrent.plugins.docker.session import session
from pycurrent.plugins.labels import label_or
from pycurrent.plugins.limits import Limits, Timeout
from pycurrent.term import Current, Primitive, component


@dataclass(frozen=True, slots=True)
class PeekKey:
    """What is looked for. The engine only says what the platform is, if none is given."""

    engine: str | None
    name: str
    platform: str | None

    def __str__(self) -> str:
        return self.name if self.platform is None else f"{self.name} ({self.platform})"


@dataclass(frozen=True, slots=True)
class Peek(Builder[PeekKey, str]):
    """Asks the registry."""

    id: ClassVar[str] = "docker-peek"
    auto_cancel: ClassVar[bool] = True

    client: Client
    auth: Auth | None
    limits: Limits

    def describe(self, key: PeekKey) -> str:
        return f"peek {key}"

    async def build(self, job: Job, key: PeekKey) -> str:
        await self.limits.start(job)
        async with session(self.client, job, auth=self.auth, name=key.name) as docker:
            digest = await digest_of(docker, key.name, key.platform)
        job.log(f"{key} is {digest}")
        return digest


def peek(
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
) -> Current[str]:
    """What the registry has under this name: `repository@sha256:...`, for one platform.

    That can be pulled, run from, and stand in a `FROM` line. `platform` is one like
    `linux/arm64`, by default the engine's own.
    """
    limits = Limits(level, pool, timeout)

    def on_values(name: str) -> Primitive[str]:
        engine = client.engine if platform is None else None
        key = PeekKey(engine, checked_name(name), platform)
        return Peek(client, auth, limits).get(key, schedule=schedule)

    suffix = "" if platform is None else f" ({platform})"
    return component(label_or(label, "peek {name}" + suffix))(on_values)(name)
