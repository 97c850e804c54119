"""Update a service of a swarm."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.errors import UsageError
from pycurrent.plugins.docker.auth import Auth, AuthOptions
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.image import Image, checked_name
from pycurrent.plugins.docker.session import DockerSession, session
from pycurrent.plugins.options import limits_of, operation_component, with_options
from pycurrent.term import Current, Failure, Primitive

_FINE = frozenset({None, "completed"})
"""States of an update that has succeeded, or had nothing to do."""


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A service of an engine's swarm."""

    engine: str
    name: str


@dataclass(frozen=True, slots=True)
class DockerService(Publisher[ServiceKey, str, None]):
    """Sets the image of a service."""

    id: ClassVar[str] = "docker-service"
    local: ClassVar[bool] = True
    durable: ClassVar[bool] = True

    client: Client
    auth: Auth | None
    limits: Limits

    def describe(self, key: ServiceKey, value: str) -> str:
        return f"service {key.name} {value}"

    async def publish(self, job: Job, key: ServiceKey, value: str) -> None:
        job.on_cancel(lambda: _say_it_goes_on(job, key.name))
        async with session(self.client, job, auth=self.auth, name=value) as docker:
            options = [] if self.auth is None else ["--with-registry-auth"]
            try:
                await docker.exec(
                    "service", "update", "--quiet", *options, f"--image={value}", key.name
                )
            except Failure as failure:
                raise await _why_not(docker, key.name, value) or failure from None
            # The command also succeeds if the swarm has rolled the update back.
            if why := await _why_not(docker, key.name, value):
                raise why


async def _why_not(docker: DockerSession, name: str, image: str) -> Failure | None:
    """Ask the swarm why an update failed; None if it has not failed."""
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
    return "; ".join(filter(None, errors)) or "the tasks don't say why: see docker service ps"


def _say_it_goes_on(job: Job, name: str) -> None:
    if job.cancelled is not None:
        job.log(f"The swarm goes on with the update. To undo it: docker service rollback {name}")


@with_options(level=Level.DANGEROUS)
def service(
    client: Client,
    /,
    name: str,
    image: Image | str | Current[Image] | Current[str],
    **options: Unpack[AuthOptions],
) -> Current[None]:
    """Update the service to the image: the result of `push`, or a name.

    The service must exist. The update succeeds once the swarm says so; an update that is paused or
    rolled back has failed. Cancelling stops the wait, not the update. With `auth` the nodes of the
    swarm get the right to pull.
    """
    work = DockerService(client, options["auth"], limits_of(options))
    if not name or name.startswith("-"):
        raise UsageError(f"{name!r} is not the name of a service: write one like shop_web")

    def on_values(name: str, image: Image | str) -> Primitive[None]:
        return work.set(
            ServiceKey(client.engine, name), checked_name(str(image)), retry=options["retry"]
        )

    return operation_component(options["label"], "service {name}", on_values, name, image)
