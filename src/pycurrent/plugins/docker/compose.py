"""Bring up the containers that a Compose file describes."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import ClassVar

from pycurrent.cache import Publisher
from pycurrent.engine import AnyPool, Job, Level
from pycurrent.errors import UsageError
from pycurrent.plugins.docker.auth import Auth
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.session import Session, session
from pycurrent.plugins.labels import label_or
from pycurrent.plugins.limits import Limits, Timeout
from pycurrent.term import Current, Failure, Primitive, component

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
_OLD = "docker-compose"


@dataclass(frozen=True, slots=True)
class ComposeKey:
    """A project in an engine."""

    engine: str
    project: str


@dataclass(frozen=True, slots=True)
class Compose(Publisher[ComposeKey, str, None]):
    """Sets a project to the contents of a Compose file."""

    id: ClassVar[str] = "docker-compose"

    client: Client
    auth: Auth | None
    wait: bool
    limits: Limits

    def describe(self, key: ComposeKey, value: str) -> str:
        return f"compose {key.project}"

    async def publish(self, job: Job, key: ComposeKey, value: str) -> None:
        await self.limits.start(job)
        job.on_cancel(lambda: _say_it_stays(job, key.project))
        async with session(self.client, job, auth=self.auth) as docker:
            up = ("-p", key.project, "-f", "-", "up", "--detach", "--remove-orphans")
            if await _has_plugin(docker):
                wait = ["--wait"] if self.wait else []
                await docker.exec("compose", *up, *wait, stdin=value)
            elif self.wait:
                raise Failure("wait needs Compose v2: install the compose plugin of docker")
            else:
                await docker.exec(*up, program=_OLD, stdin=value)


async def _has_plugin(docker: Session) -> bool:
    """Whether there is Compose v2; False if there is v1. Raises Failure if there is neither."""
    try:
        await docker.ask("compose", "version")
    except Failure as failure:
        if shutil.which(_OLD) is None:
            raise Failure(f"there is no Compose: install its plugin ({failure})") from None
        return False
    return True


def _say_it_stays(job: Job, project: str) -> None:
    if job.cancelled is not None:
        job.log(f"What has been started stays. To end it: docker compose -p {project} down")


def compose(
    client: Client,
    /,
    project: str,
    contents: str | Current[str],
    *,
    wait: bool = False,
    auth: Auth | None = None,
    timeout: Timeout = None,
    pool: AnyPool | None = None,
    level: Level = Level.DANGEROUS,
    label: str | None = None,
) -> Current[None]:
    """Have the project run what the contents of a Compose file say.

    Containers are made anew where something about them has changed, and removed where they are
    no longer in the file. The contents are recorded, and no place for secrets. With `wait` it
    succeeds once all services are running and healthy. Cancelled it does no more, but what it has
    started stays. Relative paths in the file don't work. `auth` says which `registry` it is for.
    """
    work = Compose(client, auth, wait, Limits(level, pool, timeout))
    if not _PROJECT.fullmatch(project):
        raise UsageError(
            f"{project!r} can't be the name of a project: small letters, digits, - and _"
        )

    def on_values(project: str, contents: str) -> Primitive[None]:
        return work.set(ComposeKey(client.engine, project), contents)

    return component(label_or(label, "compose {project}"))(on_values)(project, contents)
