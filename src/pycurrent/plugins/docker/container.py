"""A container that lives no longer than the job that made it.

The container is made, then started: so there is no moment at which one that nobody knows of may
come into being. It is stopped when the job is cancelled, for which it has some seconds, and removed
whichever way the job ends. What an engine of ours that was killed has left bears a label that tells
the operation, the key and the state directory: it is removed before the same work is run again.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pycurrent.engine import Job
from pycurrent.plugins.docker.secrets import Secrets
from pycurrent.plugins.docker.session import Session
from pycurrent.term import Failure

WORK_LABEL = "pycurrent.work"
JOB_LABEL = "pycurrent.job"

GRACE = 5
"""Seconds between TERM and KILL for what runs in a container."""

_MEANINGS = {126: ": it can't be executed", 127: ": it was not found", 137: ": it was killed"}
"""What shells, and the init process of containers, mean by a status."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """What is run."""

    engine: str
    image: str
    args: tuple[str, ...]
    run_args: tuple[str, ...]

    def of_job(self, job: Job) -> str:
        """Tells this work from all others of all engines, those of other state directories too."""
        jobs = job.log_path.parents[len(PurePath(job.id).parts) - 1]
        parts = [socket.gethostname(), str(jobs), job.op, self.image, self.args, self.run_args]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@asynccontextmanager
async def container(docker: Session, key: RunKey, secrets: Secrets) -> AsyncIterator[str]:
    """The name of a container that has been made but not started, for the block."""
    job, work = docker.job, key.of_job(docker.job)
    name = f"pycurrent-{PurePath(job.id).name}"
    await _remove(docker, await _left_behind(docker, work))
    try:
        await docker.ask(
            *("create", "--init", "--pull=never", *key.run_args, *secrets.for_run()),
            *("--rm=false", f"--name={name}"),
            *(f"--label={WORK_LABEL}={work}", f"--label={JOB_LABEL}={job.id}"),
            *(key.image, *key.args),
            env=secrets.told(job),
            cancellable=False,
        )
        yield name
    finally:
        await _clean_up(docker, work)


async def ended(docker: Session, name: str) -> Failure | None:
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


async def _left_behind(docker: Session, work: str) -> Sequence[str]:
    label = f"label={WORK_LABEL}={work}"
    found = await docker.ask("ps", "--all", "--quiet", "--filter", label, cancellable=False)
    return found.split()


async def _remove(docker: Session, containers: Sequence[str]) -> None:
    if containers:
        await docker.ask("rm", "--force", "--volumes", *containers, cancellable=False)


async def _clean_up(docker: Session, work: str) -> None:
    """That it fails is not the failure of the work, and is not to hide that."""
    try:
        left = await _left_behind(docker, work)
        if left and docker.job.cancelled is not None:
            await docker.ask("stop", "-t", str(GRACE), *left, cancellable=False)
        await _remove(docker, left)
    except Failure as failure:
        docker.job.log(f"The container may still be there: {failure}")
