"""Bring up the containers that a Compose file describes."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.errors import UsageError
from pycurrent.plugins.docker.auth import Auth, AuthOptions, named_registry
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.session import DockerSession, session
from pycurrent.plugins.options import Limits, operation_component, with_options
from pycurrent.term import Current, Failure, Primitive

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
_OLD = "docker-compose"
# What `docker` itself goes by: where things are, how engines are reached.
_NEEDED = re.compile(
    r"PATH|HOME|USER|LOGNAME|TMPDIR|LANG|LC_.*|XDG_.*|SSH_.*|SSL_CERT_.*|DOCKER_.*"
    r"|(?i:(https?|no|all)_proxy)"
)


@dataclass(frozen=True, slots=True)
class ComposeKey:
    """A project in an engine."""

    engine: str
    project: str


@dataclass(frozen=True, slots=True)
class DockerCompose(Publisher[ComposeKey, str, None]):
    """Sets a project to the contents of a Compose file."""

    id: ClassVar[str] = "docker-compose"

    client: Client
    auth: Auth | None
    wait: bool
    remove_orphans: bool
    limits: Limits

    def describe(self, key: ComposeKey, value: str) -> str:
        return f"compose {key.project}"

    async def publish(self, job: Job, key: ComposeKey, value: str) -> None:
        await self.limits.start(job)
        job.on_cancel(lambda: _say_it_stays(job, key.project))
        async with session(self.client, job, auth=self.auth) as docker:
            up = [*_files(docker, key.project), "up", "--detach"]
            up += ["--remove-orphans"] if self.remove_orphans else []
            if await _has_plugin(docker):
                up += ["--wait"] if self.wait else []
                await docker.exec("compose", *up, env=_alone(), stdin=value)
            elif self.wait:
                raise Failure("wait needs Compose v2: install the compose plugin of docker")
            else:
                await docker.exec(*up, program=_OLD, env=_alone(), stdin=value)


def _files(docker: DockerSession, project: str) -> list[str]:
    """Options by which nothing counts but the contents that are given."""
    return ["-p", project, "--project-directory", str(docker.cwd), "-f", "-"]


def _alone() -> dict[str, None]:
    """The environment without what a Compose file could take for its own variables."""
    return {name: None for name in os.environ if not _NEEDED.fullmatch(name)}


async def _has_plugin(docker: DockerSession) -> bool:
    """Whether there is Compose v2; False if there is v1. Raises Failure if there is neither."""
    plugins = await docker.ask("info", "--format", "{{json .ClientInfo.Plugins}}")
    if any(plugin.get("Name") == "compose" for plugin in json.loads(plugins) or []):
        return True
    if shutil.which(_OLD) is None:
        raise Failure("there is no Compose: install the compose plugin of docker")
    return False


def _say_it_stays(job: Job, project: str) -> None:
    if job.cancelled is not None:
        job.log(f"What has been started stays. To end it: docker compose -p {project} down")


@with_options(level=Level.DANGEROUS)
def compose(
    client: Client,
    /,
    project: str,
    contents: str | Current[str],
    *,
    wait: bool = False,
    remove_orphans: bool = False,
    **options: Unpack[AuthOptions],
) -> Current[None]:
    """Have the project run what the contents of a Compose file say.

    Containers are made anew where something about them has changed; those of services that are no
    longer in the file are removed with `remove_orphans` only. The contents are recorded, and no
    place for secrets. With `wait` it succeeds once all services are running and healthy. Cancelled
    it does no more, but what it has started stays. Only the contents count: not the variables of
    the engine's environment, nor an `.env` file; relative paths in the file don't work. `auth` says
    which `registry` it is for.
    """
    auth = named_registry(options["auth"], "compose")
    work = DockerCompose(client, auth, wait, remove_orphans, Limits.of(options))
    if not _PROJECT.fullmatch(project):
        raise UsageError(
            f"{project!r} can't be the name of a project: small letters, digits, - and _"
        )

    def on_values(project: str, contents: str) -> Primitive[None]:
        return work.set(ComposeKey(client.engine, project), contents)

    return operation_component(options["label"], "compose {project}", on_values, project, contents)
