"""Update a service of a swarm."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.errors import UsageError
from pycurrent.plugins.docker.auth import Auth, AuthOptions
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import Image, checked_name
from pycurrent.plugins.docker.session import DockerSession, session
from pycurrent.plugins.options import Limits, operation_component, with_options
from pycurrent.term import Current, Failure, Primitive

_FINE = frozenset({None, "completed"})
"""States of an update that has succeeded, or for which there was nothing to do."""


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A service of the swarm that an engine belongs to."""

    engine: str
    name: str


@dataclass(frozen=True, slots=True)
class DockerService(Publisher[ServiceKey, str, None]):
    """Sets the image of a service."""

    id: ClassVar[str] = "docker-service"

    client: Client
    auth: Auth | None
    limits: Limits

    def describe(self, key: ServiceKey, value: str) -> str:
        return f"service {key.name} {value}"

    async def publish(self, job: Job, key: ServiceKey, value: str) -> None:
        await self.limits.start(job)
        job.on_cancel(lambda: _say_it_goes_on(job, key.name))
        async with session(self.client, job, auth=self.auth, name=value) as docker:
            options = [] if self.auth is None else ["--with-registry-auth"]
            try:
                await docker.exec(
                    "service", "update", "--quiet", *options, f"--image={value}", key.name
                )
            except Failure as failure:
                raise await _why_not(docker, key.name, value) or failure from None
            # It succeeds, too, when the swarm has gone back to the image that was there before.
            if why := await _why_not(docker, key.name, value):
                raise why


async def _why_not(docker: DockerSession, name: str, image: str) -> Failure | None:
    """What the swarm has to say of an update that has not succeeded; None if it has."""
    text = await docker.ask("service", "inspect", "--format", "{{json .UpdateStatus}}", name)
    state = (json.loads(text) or {}).get("State")
    if state in _FINE:
        return None
    errors = await _errors_of_tasks(docker, name, image)
    return Failure(f"the update of service {name} to {image} is {state}: {errors}")


async def _errors_of_tasks(docker: DockerSession, name: str, image: str) -> str:
    listed = await docker.ask("service", "ps", "--no-trunc", "--format", "{{json .}}", name)
    tasks = [json.loads(line) for line in listed.splitlines()]
    errors = dict.fromkeys(task["Error"].strip('"') for task in tasks if task["Image"] == image)
    return "; ".join(filter(None, errors)) or "no task has said why: see docker service ps"


def _say_it_goes_on(job: Job, name: str) -> None:
    if job.cancelled is not None:
        job.log(f"The swarm goes on with it. To take it back: docker service rollback {name}")


@with_options(level=Level.DANGEROUS)
def service(
    client: Client,
    /,
    name: str,
    image: Image | str | Current[Image] | Current[str],
    **options: Unpack[AuthOptions],
) -> Current[None]:
    """Have the service run the image: what `push` gives, or the name of one.

    The service is there already. It succeeds once the swarm says that the update has; one that
    is paused, or rolled back, has failed. Cancelled it is no longer waited for, but goes on: how
    to go back is the swarm's to know. With `auth` the swarm's nodes are given the right to pull.
    """
    work = DockerService(client, options["auth"], Limits.of(options))
    if not name or name.startswith("-"):
        raise UsageError(f"{name!r} can't be the name of a service")

    def on_values(name: str, image: Image | str) -> Primitive[None]:
        return work.set(ServiceKey(client.engine, name), checked_name(str(image)))

    return operation_component(options["label"], "service {name}", on_values, name, image)
