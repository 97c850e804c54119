"""Run a command for its effect: a build, a test."""

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
class Run(Builder[Invocation, None]):
    """Runs a command in a checkout. The key is the invocation; the fields are only context."""

    id: ClassVar[str] = "command-run"
    auto_cancel: ClassVar[bool] = True

    repository: Path
    limits: Limits

    def describe(self, key: Invocation) -> str:
        return str(key)

    async def build(self, job: Job, key: Invocation) -> None:
        async with prepared(job, self.limits, self.repository, key) as command:
            await job.exec(command.argv, cwd=command.folder, env=command.env, show=command.shown)


def run(
    commit: Commit | Current[Commit],
    argv: Words,
    *,
    env: Variables = None,
    sandbox: Sandbox | None = None,
    timeout: Timeout = None,
    pool: AnyPool | None = None,
    level: Level = Level.AVERAGE,
    label: str | None = None,
) -> Current[None]:
    """Run a command in a clean checkout of the commit; it succeeds if its exit status is 0.

    It is run once for a commit, argv and `env`, which adds to the engine's environment and is
    recorded, so that it is no place for secrets. It is cancelled after `timeout` (in seconds,
    if a number), and when nobody needs it any more. By default the label is the command.

    With a `sandbox` it sees and changes only what that allows, and its environment is `env` and
    a few basics. That needs Linux, and the package bubblewrap.
    """
    limits = Limits(level, pool, timeout)
    return on_currents(
        lambda repository, key: Run(repository, limits).get(key), commit, argv, env, sandbox, label
    )
