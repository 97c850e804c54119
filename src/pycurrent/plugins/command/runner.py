"""Runs commands for jobs: the start, the folder, the environment, the secrets, the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pycurrent.engine import CommandFailed, CommandOptions, Job
from pycurrent.engine.limits import Limits
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.command.bubblewrap import HOME, Bubblewrap
from pycurrent.plugins.command.environment import Env, added, clean, own_folders, variables_of
from pycurrent.plugins.command.program import Program, command_words
from pycurrent.plugins.command.sandbox import Sandbox
from pycurrent.plugins.command.secrets import CommandSecrets

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command that a job can run as it is."""

    argv: Sequence[str]
    options: CommandOptions
    secrets: Mapping[str, str] = field(repr=False)
    """The values that it was told."""


@dataclass(frozen=True, slots=True)
class Runner:
    """The context of commands: when they may run, and the secrets that they are told."""

    limits: Limits
    secrets: CommandSecrets

    def program(self, argv: Sequence[str], env: Env, sandbox: Sandbox | None) -> Program:
        """The program that an author means. Raises UsageError for what can't be one."""
        variables, is_clean = variables_of(env)
        self.secrets.check_apart(variables)
        return Program(command_words(argv), variables, sandbox, is_clean and sandbox is None)

    def started_with(self, program: Program) -> Limits | None:
        """The limits, unless something has to be looked at before the job is started."""
        return self.limits if program.sandbox is None and not self.secrets else None

    async def start(self, job: Job, program: Program) -> None:
        """Start the job. Raises CommandNotStarted or SecretMissing before that: nobody should
        confirm, or wait for, what can't run anyway.
        """
        if program.sandbox is not None:
            Bubblewrap.find()
        await self.secrets.check()
        await self.limits.start(job)

    @asynccontextmanager
    async def prepared(
        self,
        job: Job,
        program: Program,
        files: AbstractAsyncContextManager[Path],
        given: Mapping[str, str] = NOTHING,
    ) -> AsyncIterator[Prepared]:
        """Yield the command for the block, which runs it, in the folder of `files`.

        It has the variables that are `given`, too. The secrets are read now: they may have changed
        while the job waited.
        """
        secrets = await self.secrets.told(job)
        variables = {**program.env, **given, **secrets}
        show = program.by_hand(given, secrets)
        async with files as folder, _wrapped(job, program, folder, variables) as (argv, env):
            try:
                yield Prepared(argv, {"cwd": folder, "env": env, "show": show}, secrets)
            except CommandFailed as failed:
                # In the message, the variables would only be in the way.
                raise CommandFailed(str(program), failed.status) from None


@asynccontextmanager
async def _wrapped(
    job: Job, program: Program, folder: Path, variables: Mapping[str, str]
) -> AsyncIterator[tuple[Sequence[str], Mapping[str, str | None]]]:
    """Yield the command line, and its environment as changes of the engine's."""
    argv = program.argv
    if program.sandbox is not None:
        wrapped = Bubblewrap.find().wrapped(job, program.sandbox, folder, argv)
        async with wrapped as line:
            yield line, clean(variables, HOME=HOME)
    elif program.is_clean:
        async with job.tempdir("own-") as scratch:
            own = await in_thread(lambda: own_folders(scratch))
            yield argv, clean(variables, **own)
    else:
        yield argv, added(variables)
