"""Containers that don't outlive the job that made them.

A container is first created, then started, so it is known by name before it runs. The command that
starts the container also stops and removes it when that command is told to end: when the job is
cancelled, and when our engine dies, unless the job is durable: then when its lease is over. The job
removes the container however it ends.

Removal fails if the Docker engine has gone at that moment. So containers have labels that name the
state directory and the job's temporary folder. If the folder no longer exists, nobody waits for the
container, and it is removed before the next one of the same state directory is created.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Self

from pycurrent.engine import Job
from pycurrent.plugins.docker.client import Client
from pycurrent.plugins.docker.secrets import DockerSecrets
from pycurrent.plugins.docker.session import DockerSession
from pycurrent.plugins.docker.untrusted import check_run_args
from pycurrent.plugins.saved_files import Saved, all_files_json, all_files_of_json
from pycurrent.term import Failure

STATE_LABEL = "pycurrent.state"
JOB_LABEL = "pycurrent.job"
FOLDER_LABEL = "pycurrent.folder"

GRACE = 4
"""Seconds between TERM and KILL for what runs in a container."""

_REMOVED_WITHIN = 20.0
"""Seconds to stop and remove a container on a busy machine."""

_START = """\
end() {{ while {look}; do {stop}; {remove}; done; }} >/dev/null 2>&1
trap 'end; exit 143' TERM
"$@" & wait $! && exit
status=$?
# It has failed, or its output can't be written any more: nobody reads that of a dead engine, and
# TERM may come later. A container that is just being started still has the state created. One that
# could not be started has an error, which the job asks for.
case "$({look} 2>/dev/null)" in
    created|running|paused|restarting) end ;;
esac
exit $status
"""
# It repeats until the container is gone, or the engine does not answer: one that is just starting
# can't be stopped yet.

_MEANINGS = {126: ": it can't be executed", 127: ": it was not found", 137: ": it was killed"}
"""The meaning of exit statuses of shells, and of the init process of containers."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """The image, the arguments and the files of a run."""

    engine: str
    image: str
    args: tuple[str, ...]
    run_args: tuple[str, ...]
    inputs: dict[str, Saved] = field(default_factory=dict)
    """The files that it is given, by their paths."""
    outputs: tuple[str, ...] = ()
    """The patterns of the files that are kept of what it makes."""
    outputs_required: bool = False

    def to_json(self) -> object:
        """The form in keys. It has no word of files where there are none."""
        form = {
            "engine": self.engine,
            "image": self.image,
            "args": list(self.args),
            "run_args": list(self.run_args),
        }
        return form | all_files_json(self.inputs, self.outputs, required=self.outputs_required)

    @classmethod
    def from_json(cls, data: Any) -> Self:
        args, run_args = tuple(data["args"]), tuple(data["run_args"])
        return cls(data["engine"], data["image"], args, run_args, *all_files_of_json(data))


@asynccontextmanager
async def container(
    docker: DockerSession, key: RunKey, secrets: DockerSecrets
) -> AsyncIterator[Container]:
    """Create a container for the block, which starts it."""
    job = docker.job
    check_run_args(job, key.run_args)
    made = Container(docker, f"pycurrent-{PurePath(job.id).name}")
    await _remove_what_was_left(docker)
    try:
        await docker.ask(
            *("create", "--init", "--pull=never", *key.run_args, *secrets.for_run()),
            *("--rm=false", "--restart=no", f"--name={made.name}"),
            *(f"--label={STATE_LABEL}={state_of(job)}", f"--label={JOB_LABEL}={job.id}"),
            *(f"--label={FOLDER_LABEL}={docker.folder}", key.image, *key.args),
            env=await secrets.told(job),
            cancellable=False,
        )
        yield made
    finally:
        await _clean_up(docker)


@dataclass(frozen=True, slots=True)
class Container:
    """A created container. Its methods raise Failure, which says why its command failed."""

    docker: DockerSession
    name: str

    async def run(self) -> None:
        """Start it, and wait until it ends. Its output goes to the log."""
        await self._attach(self.docker.exec)

    async def read(self) -> str:
        """Start it, wait until it ends, and return its standard output."""
        return await self._attach(self.docker.ask)

    async def _attach(self, run: Callable[..., Awaitable[str]]) -> str:
        ends_it = guard(self.docker.client, self.name)
        try:
            return await run("start", "--attach", self.name, through=ends_it, grace=_REMOVED_WITHIN)
        except Failure as failure:
            raise await self._why(failure) from None

    async def _why(self, failure: Failure) -> Failure:
        """Explain a failure: the exit status may be the command's, or that of `docker start`."""
        try:
            return await _ended(self.docker, self.name) or failure
        except Failure:
            return failure  # it already says that the engine has gone


def guard(client: Client, name: str) -> list[str]:
    """Return the command that runs `docker start`, and stops the container when it ends itself."""
    state = "{{.State.Status}}{{.State.Error}}"
    words = {
        "look": ["container", "inspect", "--format", state, name],
        "stop": ["stop", "-t", str(GRACE), name],
        "remove": ["rm", "--force", "--volumes", name],
    }
    commands = {use: shlex.join(client.command("docker", said)) for use, said in words.items()}
    return ["sh", "-c", _START.format(**commands), "sh"]


async def _ended(docker: DockerSession, name: str) -> Failure | None:
    """Return why an ended container has failed; None if it has not."""
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
    """Return an id of the job's state directory, which is unique across machines."""
    jobs = job.log_path.parents[len(PurePath(job.id).parts) - 1]
    return hashlib.sha256(f"{socket.gethostname()}:{jobs.resolve()}".encode()).hexdigest()


async def _remove_what_was_left(docker: DockerSession) -> None:
    """Remove containers of jobs that have ended and could not remove them."""
    form = f'{{{{.ID}}}} {{{{.Label "{FOLDER_LABEL}"}}}}'
    mine = f"label={STATE_LABEL}={state_of(docker.job)}"
    listed = await docker.ask("ps", "--all", "--filter", mine, "--format", form, cancellable=False)
    pairs = [line.split(" ", 1) for line in listed.splitlines()]

    async def gone() -> list[str]:
        return [id for id, folder in pairs if not Path(folder).exists()]

    try:
        await _remove(docker, await docker.job.once("containers to remove", gone))
    except Failure as failure:
        # Another job may be removing them, too.
        docker.job.log(f"Could not remove containers of earlier jobs: {failure}")


async def _remove(docker: DockerSession, containers: Sequence[str]) -> None:
    if containers:
        await docker.ask("rm", "--force", "--volumes", *containers, cancellable=False)


async def _clean_up(docker: DockerSession) -> None:
    """Remove the container. An error is only logged, as it must not hide that of the work."""
    mine = f"label={JOB_LABEL}={docker.job.id}"
    try:
        found = await docker.ask("ps", "--all", "--quiet", "--filter", mine, cancellable=False)
        await _remove(docker, found.split())
    except Failure as failure:
        docker.job.log(f"Could not remove the container: {failure}")
