"""Run a command for what it prints: a version, a list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pycurrent.cache import Builder
from pycurrent.engine import AnyPool, Job, Level
from pycurrent.plugins.command.invocation import (
    Invocation,
    Variables,
    Words,
    on_currents,
    prepared,
)
from pycurrent.plugins.command.sandbox import Sandbox
from pycurrent.plugins.git import Commit
from pycurrent.plugins.limits import Limits, Timeout
from pycurrent.term import Current


@dataclass(frozen=True, slots=True)
class Output(Builder[Invocation, str]):
    """Keeps what a command prints. The key is the invocation; the fields are only context."""

    id: ClassVar[str] = "command-output"
    auto_cancel: ClassVar[bool] = True

    repository: Path
    limits: Limits

    def describe(self, key: Invocation) -> str:
        return f"output of {key}"

    async def build(self, job: Job, key: Invocation) -> str:
        async with prepared(job, self.limits, self.repository, key) as command:
            return await job.check_output(
                command.argv, cwd=command.folder, env=command.env, show=command.shown
            )


def output(
    commit: Commit | Current[Commit],
    argv: Words,
    *,
    env: Variables = None,
    sandbox: Sandbox | None = None,
    timeout: Timeout = None,
    pool: AnyPool | None = None,
    level: Level = Level.AVERAGE,
    label: str | None = None,
) -> Current[str]:
    """What a command writes to its standard output in a clean checkout of the commit.

    All else is as with `run`.
    """
    limits = Limits(level, pool, timeout)
    return on_currents(
        lambda repository, key: Output(repository, limits).get(key),
        commit,
        argv,
        env,
        sandbox,
        label,
    )
