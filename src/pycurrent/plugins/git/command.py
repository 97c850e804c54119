"""Git commands of jobs, with a diagnosis if they fail."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path

from pycurrent.engine import CommandFailed, Job
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.git.diagnosis import Diagnosis, Fault, diagnose
from pycurrent.plugins.git.environment import outside_repositories
from pycurrent.plugins.git.progress import exec_with_progress

_LONGEST_READ = 1 << 16
"""Bytes at the end of git's output in which the reason of a failure is looked for."""


class GitFailed(Exception):
    """A git command has failed."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(diagnosis.text)
        self.diagnosis = diagnosis


async def run_git(
    job: Job,
    command: Sequence[str],
    env: Mapping[str, str],
    *,
    mirror: Path | None = None,
    show: str | None = None,
) -> None:
    """Run a command that must not use another repository than it names. Raises GitFailed.

    `mirror` is the folder of our mirror, if the command works in one: it may turn out damaged.
    """
    running = job.exec(command, env=outside_repositories(env), show=show, trusted=True, here=True)
    await _checked(job, running, mirror)


async def run_git_with_progress(
    job: Job, command: Sequence[str], env: Mapping[str, str], mirror: Path
) -> None:
    """Run a command with --progress as `run_git` does. The log shows progress if it takes long."""
    await _checked(job, exec_with_progress(job, command, outside_repositories(env)), mirror)


async def _checked(job: Job, running: Awaitable[None], mirror: Path | None) -> None:
    start = job.log_path.stat().st_size
    try:
        await running
    except CommandFailed as error:
        said = await in_thread(_said, job, start)
        silent = Diagnosis(Fault.OTHER, f"git exited with status {error.status}, without a message")
        raise GitFailed(diagnose(said, mirror) or silent) from None


def _said(job: Job, start: int) -> str:
    """Return the end of the log from `start` on, without the line that has the command."""
    with job.log_path.open("rb") as log:
        end = log.seek(0, os.SEEK_END)
        log.seek(max(start, end - _LONGEST_READ))
        text = log.read().decode(errors="replace")
    return text.partition("\n")[2] if end - start <= _LONGEST_READ else text
