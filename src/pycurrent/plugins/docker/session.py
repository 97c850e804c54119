"""The `docker` commands of one job."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pycurrent.engine import CommandFailed, Job
from pycurrent.plugins.docker.auth import Auth
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.config import CWD, make_config, prepare_login, users_config
from pycurrent.plugins.docker.diagnosis import diagnose, kind_of
from pycurrent.plugins.docker.image import DOCKER_HUB, registry_of
from pycurrent.term import Failure

Environment = Mapping[str, str | None]
"""Variables to add; a value of None removes one."""

_NONE: Environment = MappingProxyType({})
_SET: Environment = MappingProxyType(
    {
        "DOCKER_CLI_HINTS": "false",
        "BUILDKIT_PROGRESS": "plain",
        # Results must depend on the key, not on the engine's environment.
        "DOCKER_DEFAULT_PLATFORM": None,
        "SOURCE_DATE_EPOCH": None,
    }
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

    async def exec(
        self,
        *words: str,
        program: str = "docker",
        env: Environment = _NONE,
        stdin: str | None = None,
        through: Sequence[str] = (),
        grace: float | None = None,
    ) -> str:
        """Run a command with its output going to the log, and return the end of that output.

        `through` is a command that runs the one whose words follow its own. For `grace` see
        `Job.exec`.
        """
        start, command = self._log_size(), self.client.command(program, words)
        try:
            await self.job.exec(
                [*through, *command],
                cwd=self.cwd,
                env={**self._env, **env},
                stdin=stdin,
                grace=grace,
                show=command,
            )
        except CommandFailed as error:
            raise self._failure(program, words, error, start) from None
        return self._said(start)

    async def ask(
        self,
        *words: str,
        env: Environment = _NONE,
        cancellable: bool = True,
        through: Sequence[str] = (),
        grace: float | None = None,
    ) -> str:
        """Run a command, and return its standard output."""
        start, command = self._log_size(), self.client.command("docker", words)
        try:
            return await self.job.check_output(
                [*through, *command],
                cwd=self.cwd,
                env={**self._env, **env},
                cancellable=cancellable,
                grace=grace,
                show=command,
            )
        except CommandFailed as error:
            raise self._failure("docker", words, error, start) from None

    @property
    def cwd(self) -> Path:
        """The empty folder in which its commands run, wherever the engine was started."""
        return self.folder / CWD

    @property
    def _env(self) -> dict[str, str | None]:
        return {"DOCKER_CONFIG": str(self.folder), **_SET}

    def _failure(
        self, program: str, words: tuple[str, ...], error: CommandFailed, start: int
    ) -> Failure:
        why = (
            # The output for the caller comes last in the log, and is seldom the reason.
            diagnose(self._said(start, error.stdout_at))
            or diagnose(self._said(start))
            or f"it printed nothing (exit status {error.status})"
        )
        what = program if words[0].startswith("-") else f"{program} {words[0]}"
        return Failure(f"{what}: {why}", kind=kind_of(why))

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
        await asyncio.to_thread(make_config, folder, users)
        docker = DockerSession(client, job, folder)
        docker.cwd.mkdir()
        if auth is not None:
            server = auth.registry or registry_of(name) or DOCKER_HUB
            await asyncio.to_thread(prepare_login, folder, users, server)
            await _login(docker, auth, server)
        yield docker


async def _login(docker: DockerSession, auth: Auth, server: str) -> None:
    docker.job.secret(auth.password)
    docker.job.log(f"Logging in to {server} for this job only, in a folder that ends with it")
    await docker.exec(
        "login", f"--username={auth.username}", "--password-stdin", server, stdin=auth.password
    )
