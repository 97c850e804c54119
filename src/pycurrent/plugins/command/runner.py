"""Runs commands for jobs: the start, the folder, the environment, the secrets, the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Self

from pycurrent.engine import Cache, CommandFailed, CommandOptions, Job
from pycurrent.engine.limits import Limits
from pycurrent.engine.shell_words import unread, unread_operator
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.command.bubblewrap import HOME, Bubblewrap
from pycurrent.plugins.command.environment import Env, added, clean, own_folders, variables_of
from pycurrent.plugins.command.kept import check_caches, kept_folders, with_keys
from pycurrent.plugins.command.program import Program, command_words
from pycurrent.plugins.command.sandbox import Sandbox
from pycurrent.plugins.command.secrets import CommandSecrets
from pycurrent.term import Current, Failure, seq

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
    """The context of commands: when they may run, the secrets that they are told, and the folders
    that are kept for them.
    """

    limits: Limits
    secrets: CommandSecrets
    caches: tuple[Cache, ...] = ()

    @property
    def keys(self) -> list[Current[Sequence[str]]]:
        """The keys of caches that are currents, in one current; empty if there are none.

        As an argument of a component constants would be part of the stage's path.
        """
        keys = [cache.key for cache in self.caches if isinstance(cache.key, Current)]
        return [seq(keys)] if keys else []

    def with_keys(self, keys: Sequence[str]) -> Self:
        """The context with the values of `keys`."""
        return replace(self, caches=with_keys(self.caches, keys)) if keys else self

    def program(self, argv: Sequence[str], env: Env, sandbox: Sandbox | None) -> Program:
        """The program that an author means. Raises UsageError for what can't be one."""
        variables, is_clean = variables_of(env)
        self.secrets.check_apart(variables)
        check_caches(self.caches, {*variables, *self.secrets.sources})
        return Program(command_words(argv), variables, sandbox, is_clean and sandbox is None)

    def started_with(self, program: Program) -> Limits | None:
        """The limits, unless something has to be looked at before the job is started."""
        return self.limits if program.sandbox is None and not self.secrets else None

    async def start(self, job: Job, program: Program) -> None:
        """Start the job. Raises CommandNotStarted or SecretMissing before that: nobody should
        confirm, or wait for, what can't run anyway.
        """
        if self.secrets:
            job.refuse_untrusted("untrusted work gets no secrets")
        if sandbox_of(job, program) is not None:
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
        show = program.by_hand(given, secrets)
        async with (
            files as folder,
            kept_folders(job, self.caches) as kept,
            _wrapped(job, program, folder, {**program.env, **given, **secrets}, kept) as (
                argv,
                env,
            ),
        ):
            try:
                # In a sandbox if it needs one.
                options = CommandOptions(cwd=folder, env=env, show=show, trusted=True)
                yield Prepared(argv, options, secrets)
            except CommandFailed as failed:
                # In the message, the variables would only be in the way.
                raise CommandFailed(str(program), failed.status, unread(program.argv)) from None
            if note := unread_operator(program.argv):
                job.log(f"Note: {note}")


def sandbox_of(job: Job, program: Program) -> Sandbox | None:
    """The sandbox that a command runs in: that of its author, or else one that untrusted work has.

    Raises Failure if untrusted work could write to the machine's folders in it.
    """
    if program.sandbox is not None:
        if program.sandbox.writable:
            job.refuse_untrusted("untrusted work can't write to the machine: writable= is refused")
        return program.sandbox
    return Sandbox() if job.needs_sandbox else None


@asynccontextmanager
async def _wrapped(
    job: Job,
    program: Program,
    folder: Path,
    given: Mapping[str, str],
    kept: Mapping[str, Path],
) -> AsyncIterator[tuple[Sequence[str], Mapping[str, str | None]]]:
    """Yield the command line, and its environment as changes of the engine's."""
    argv, sandbox = program.argv, sandbox_of(job, program)
    variables = {**given, **{name: str(path) for name, path in kept.items()}}
    if sandbox is not None:
        if job.place is not None:
            raise Failure(
                f"a sandbox is made on the engine's machine only, and the job runs at {job.place}"
            )
        wrapped = Bubblewrap.find().wrapped(job, sandbox, folder, argv, tuple(kept.values()))
        async with wrapped as line:
            yield line, clean(variables, HOME=HOME)
    elif program.is_clean and job.place is not None:
        async with job.tempdir("home-") as home, job.tempdir("tmp-") as tmp:
            yield argv, clean(variables, HOME=str(home), TMPDIR=str(tmp))
    elif program.is_clean:
        async with job.tempdir("own-") as scratch:
            own = await in_thread(lambda: own_folders(scratch))
            yield argv, clean(variables, **own)
    else:
        yield argv, added(variables)
