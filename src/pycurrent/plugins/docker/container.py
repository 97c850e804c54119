"""A container that lives no longer than the job that made it.

The container is made, then started: so there is no moment at which one that nobody knows of may
come into being. What starts it stops and removes it when it is told to end: when the job is
cancelled, and when our engine dies. The job removes it whichever way it ends.

That fails where the engine of the container is gone at that moment. So a container bears labels
that name the state directory and the job's temporary folder: one whose folder is no more is what
nobody waits for, and is removed before the next one of the same state directory is made.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from pycurrent.engine import Job
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.secrets import DockerSecrets
from pycurrent.plugins.docker.session import DockerSession
from pycurrent.term import Failure

STATE_LABEL = "pycurrent.state"
JOB_LABEL = "pycurrent.job"
FOLDER_LABEL = "pycurrent.folder"

GRACE = 4
"""Seconds between TERM and KILL for what runs in a container."""

_REMOVED_WITHIN = 20.0
"""Seconds that what ends a container has for that and for its removal, on a busy machine."""

_START = """\
end() {{ while {look}; do {stop}; {remove}; done; }} >/dev/null 2>&1
trap 'end; exit 143' TERM
"$@" & wait $! && exit
status=$?
# It has failed, or it can't be attached to any more: nobody reads the output of an engine that has
# died, and the TERM that follows may come later. One that is just being started is still said to be
# created; what could not be started has an error, which the job asks for.
case "$({look} 2>/dev/null)" in
    created|running|paused|restarting) end ;;
esac
exit $status
"""
# Until it is gone, or the engine can't be asked: one that is just being started is not stopped.

_MEANINGS = {126: ": it can't be executed", 127: ": it was not found", 137: ": it was killed"}
"""What shells, and the init process of containers, mean by a status."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """What is run."""

    engine: str
    image: str
    args: tuple[str, ...]
    run_args: tuple[str, ...]


@asynccontextmanager
async def container(
    docker: DockerSession, key: RunKey, secrets: DockerSecrets
) -> AsyncIterator[Container]:
    """A container that has been made but not started, for the block."""
    job = docker.job
    made = Container(docker, f"pycurrent-{PurePath(job.id).name}")
    await _remove_what_was_left(docker)
    try:
        await docker.ask(
            *("create", "--init", "--pull=never", *key.run_args, *secrets.for_run()),
            *("--rm=false", "--restart=no", f"--name={made.name}"),
            *(f"--label={STATE_LABEL}={state_of(job)}", f"--label={JOB_LABEL}={job.id}"),
            *(f"--label={FOLDER_LABEL}={docker.folder}", key.image, *key.args),
            env=secrets.told(job),
            cancellable=False,
        )
        yield made
    finally:
        await _clean_up(docker)


@dataclass(frozen=True, slots=True)
class Container:
    """One that has been made. Its methods raise Failure, which says why its command has failed."""

    docker: DockerSession
    name: str

    async def run(self) -> None:
        """Start it, and wait until it ends. What it writes goes to the log."""
        try:
            await self.docker.exec(
                *self._start, through=guard(self.docker.client, self.name), grace=_REMOVED_WITHIN
            )
        except Failure as failure:
            raise await self._why(failure) from None

    async def read(self) -> str:
        """As `run`, but give what it writes to its standard output."""
        try:
            return await self.docker.ask(
                *self._start, through=guard(self.docker.client, self.name), grace=_REMOVED_WITHIN
            )
        except Failure as failure:
            raise await self._why(failure) from None

    @property
    def _start(self) -> tuple[str, ...]:
        return ("start", "--attach", self.name)

    @property
    def _guard(self) -> list[str]:
        return guard(self.docker.client, self.name)

    async def _why(self, failure: Failure) -> Failure:
        """The status of `docker start` may be its own or that of the command."""
        try:
            return await _ended(self.docker, self.name) or failure
        except Failure:
            return failure  # that the engine is gone is what it says itself


def guard(client: Client, name: str) -> list[str]:
    """What runs the command that starts a container: ends that with itself."""
    state = "{{.State.Status}}{{.State.Error}}"
    words = {
        "look": ["container", "inspect", "--format", state, name],
        "stop": ["stop", "-t", str(GRACE), name],
        "remove": ["rm", "--force", "--volumes", name],
    }
    commands = {use: shlex.join(client.command("docker", said)) for use, said in words.items()}
    return ["sh", "-c", _START.format(**commands), "sh"]


async def _ended(docker: DockerSession, name: str) -> Failure | None:
    """Why a container that has ended has failed; None if it has not."""
    state: dict[str, Any] = json.loads(
        await docker.ask("container", "inspect", "--format", "{{json .State}}", name)
    )
    if state["Error"]:
        return Failure(f"the container could not be started: {state['Error']}")
    if state["OOMKilled"]:
        return Failure("the container ran out of memory, and was killed")
    if state["Status"] != "exited":
        return Failure(f"the container has not ended: it is {state['Status']}")
    status = state["ExitCode"]
    if not status:
        return None
    meaning = _MEANINGS.get(status, "")
    return Failure(f"the command in the container exited with status {status}{meaning}")


def state_of(job: Job) -> str:
    """Tells the state directory of a job from all others, those of other machines too."""
    jobs = job.log_path.parents[len(PurePath(job.id).parts) - 1]
    return hashlib.sha256(f"{socket.gethostname()}:{jobs.resolve()}".encode()).hexdigest()


async def _remove_what_was_left(docker: DockerSession) -> None:
    """Containers of jobs that have ended without having been able to remove them."""
    form = f'{{{{.ID}}}} {{{{.Label "{FOLDER_LABEL}"}}}}'
    mine = f"label={STATE_LABEL}={state_of(docker.job)}"
    listed = await docker.ask("ps", "--all", "--filter", mine, "--format", form, cancellable=False)
    pairs = [line.split(" ", 1) for line in listed.splitlines()]
    try:
        await _remove(docker, [id for id, folder in pairs if not Path(folder).exists()])
    except Failure as failure:
        # Another job may be about to do the same.
        docker.job.log(f"What was left of other jobs may still be there: {failure}")


async def _remove(docker: DockerSession, containers: Sequence[str]) -> None:
    if containers:
        await docker.ask("rm", "--force", "--volumes", *containers, cancellable=False)


async def _clean_up(docker: DockerSession) -> None:
    """That it fails is not the failure of the work, and is not to hide that."""
    mine = f"label={JOB_LABEL}={docker.job.id}"
    try:
        found = await docker.ask("ps", "--all", "--quiet", "--filter", mine, cancellable=False)
        await _remove(docker, found.split())
    except Failure as failure:
        docker.job.log(f"The container may still be there: {failure}")
