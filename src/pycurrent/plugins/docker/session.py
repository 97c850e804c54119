"""The `docker` commands of one job."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar, Unpack

from pycurrent.engine import CommandFailed, CommandOptions, Job
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.docker.auth import Auth
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.config import CWD, make_config, prepare_login, users_config
from pycurrent.plugins.docker.diagnosis import diagnose, kind_of
from pycurrent.plugins.docker.image import DOCKER_HUB, registry_of
from pycurrent.term import Failure

T = TypeVar("T")

_SET: Mapping[str, str | None] = MappingProxyType(
    {
        "DOCKER_CLI_HINTS": "false",
        "BUILDKIT_PROGRESS": "plain",
        # Results must depend on the key, not on the engine's environment.
        "DOCKER_DEFAULT_PLATFORM": None,
        "SOURCE_DATE_EPOCH": None,
    }
)
_FINDS = (
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
    *("DOCKER_API_VERSION", "DOCKER_BUILDKIT", "HOME", "SSH_AUTH_SOCK"),
)
_LONGEST_READ = 1 << 16
"""Bytes at the end of a command's output in which its last lines are looked for."""


@dataclass(frozen=True, slots=True)
class DockerSession:
    """Runs `docker` commands for a job. They raise Failure, which says why."""

    client: Client
    job: Job
    folder: Path
    """The folder with the settings of `docker`, which exists as long as the session."""
    _numbers: Iterator[int] = field(default_factory=count)
    """Of its commands: a durable job that goes on has the same ones again."""

    async def exec(
        self,
        *words: str,
        program: str = "docker",
        through: Sequence[str] = (),
        **options: Unpack[CommandOptions],
    ) -> str:
        """Run a command with its output going to the log, and return the end of that output.

        `through` is a command that runs the one whose words follow its own. For the options see
        `Job.exec`; `env` adds to the environment of the session.
        """
        number = next(self._numbers)
        start = await self._begins(number)
        await self._run(self.job.exec, (program, *words), through, options, start)

        async def said() -> str:
            return self._said(start)

        # The log may be longer when a durable job comes here again.
        return await self.job.once(f"docker {number} said", said)

    async def ask(
        self, *words: str, through: Sequence[str] = (), **options: Unpack[CommandOptions]
    ) -> str:
        """Run a command as `exec` does, and return its standard output."""
        start = await self._begins(next(self._numbers))
        return await self._run(self.job.check_output, ("docker", *words), through, options, start)

    async def _run(
        self,
        run: Callable[..., Awaitable[T]],
        words: tuple[str, ...],
        through: Sequence[str],
        options: CommandOptions,
        start: int,
    ) -> T:
        command = self.client.command(words[0], words[1:])
        env = {**self._engines, "DOCKER_CONFIG": str(self.folder), **_SET}
        env.update(options.pop("env", None) or {})
        # It is ours; what it runs of others is in a container.
        options = {"cwd": self.cwd, "env": env, "show": command, "trusted": True, **options}
        try:
            return await run([*through, *command], **options)
        except CommandFailed as error:
            raise self._failure(words, error, start) from None

    @property
    def _engines(self) -> dict[str, str | None]:
        """The variables by which `docker`, which is ours, finds its engine in untrusted work."""
        return {} if self.job.is_trusted else {n: os.environ[n] for n in _FINDS if n in os.environ}

    @property
    def cwd(self) -> Path:
        """The empty folder in which its commands run, wherever the engine was started."""
        return self.folder / CWD

    def _failure(self, words: tuple[str, ...], error: CommandFailed, start: int) -> Failure:
        why = (
            # The output for the caller comes last in the log, and is seldom the reason.
            diagnose(self._said(start, error.stdout_at))
            or diagnose(self._said(start))
            or f"it printed nothing (exit status {error.status})"
        )
        what = words[0] if words[1].startswith("-") else " ".join(words[:2])
        return Failure(f"{what}: {why}", kind=kind_of(why))

    async def _begins(self, number: int) -> int:
        """The size of the log where the output of a command begins, by its number in the job."""

        async def size() -> int:
            return self._log_size()

        # After a kill the log may have been cut before that.
        return min(await self.job.once(f"docker {number} begins", size), self._log_size())

    def _log_size(self) -> int:
        return self.job.log_path.stat().st_size

    def _said(self, start: int, end: int | None = None) -> str:
        """Return the end of the log after `start`, up to `end` if given."""
        with self.job.log_path.open("rb") as log:
            if end is None:
                end = log.seek(0, os.SEEK_END)
            begin = log.seek(max(start, end - _LONGEST_READ))
            return log.read(max(0, end - begin)).decode(errors="replace")


@asynccontextmanager
async def session(
    client: Client, job: Job, *, auth: Auth | None = None, name: str = ""
) -> AsyncIterator[DockerSession]:
    """Open a session for the block, logged in to the registry of `auth`, or of the image's name.

    The login ends with the block, and no other job sees it.
    """
    users = users_config(client.config)
    async with job.tempdir("docker-config-") as folder:
        if auth is not None:
            job.refuse_untrusted("untrusted work gets no secrets")
        server = None if auth is None else auth.registry or registry_of(name) or DOCKER_HUB

        async def prepare() -> None:
            await in_thread(lambda: make_config(folder, users, logins=job.is_trusted))
            if server is not None:
                await in_thread(prepare_login, folder, users, server)

        # Once, as a login is added to it.
        await job.once("docker settings", prepare)
        docker = DockerSession(client, job, folder)
        docker.cwd.mkdir(exist_ok=True)
        if auth is not None and server is not None:
            await _login(docker, auth, server)
        yield docker


async def _login(docker: DockerSession, auth: Auth, server: str) -> None:
    docker.job.secret(auth.password)
    docker.job.log(f"Logging in to {server} for this job only, in a folder that ends with it")
    await docker.exec(
        "login", f"--username={auth.username}", "--password-stdin", server, stdin=auth.password
    )
