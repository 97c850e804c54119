"""Bring up the services of a Compose file."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Publisher
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.errors import UsageError
from pycurrent.plugins.docker.auth import Auth, AuthOptions, named_registry
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.session import DockerSession, session
from pycurrent.plugins.options import limits_of, operation_component, with_options
from pycurrent.term import Current, Failure, Primitive

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
_OLD = "docker-compose"
# Variables that `docker` itself needs, for example to reach engines.
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
    durable: ClassVar[bool] = True
    local: ClassVar[bool] = True

    client: Client
    auth: Auth | None
    wait: bool
    remove_orphans: bool
    limits: Limits

    def describe(self, key: ComposeKey, value: str) -> str:
        return f"compose {key.project}"

    async def publish(self, job: Job, key: ComposeKey, value: str) -> None:
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
    """Options by which only the given contents count."""
    return ["-p", project, "--project-directory", str(docker.cwd), "-f", "-"]


def _alone() -> dict[str, None]:
    """Remove variables that a Compose file could refer to from the environment."""
    return {name: None for name in os.environ if not _NEEDED.fullmatch(name)}


async def _has_plugin(docker: DockerSession) -> bool:
    """True for Compose v2, False for v1. Raises Failure if neither is installed."""
    plugins = await docker.ask("info", "--format", "{{json .ClientInfo.Plugins}}")
    if any(plugin.get("Name") == "compose" for plugin in json.loads(plugins) or []):
        return True
    if shutil.which(_OLD) is None:
        raise Failure("Compose is missing: install the compose plugin of docker")
    return False


def _say_it_stays(job: Job, project: str) -> None:
    if job.cancelled is not None:
        job.log(f"The started containers stay. To end them: docker compose -p {project} down")


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
    """Bring up the services of a Compose file, given by its contents.

    Changed containers are replaced. Containers of services that have left the file are only
    removed with `remove_orphans`. With `wait` it succeeds once all services are running and
    healthy. Cancelling stops the command, but started containers stay.

    Only the contents count, not the engine's environment or an `.env` file, and relative paths in
    the file don't work. The contents are recorded, so keep secrets out of them. `auth` must name
    its `registry`.
    """
    auth = named_registry(options["auth"], "compose")
    work = DockerCompose(client, auth, wait, remove_orphans, limits_of(options))
    if not _PROJECT.fullmatch(project):
        raise UsageError(
            f"{project!r} is not the name of a project: use small letters, digits, - and _"
        )

    def on_values(project: str, contents: str) -> Primitive[None]:
        return work.set(ComposeKey(client.engine, project), contents, retry=options["retry"])

    return operation_component(options["label"], "compose {project}", on_values, project, contents)
