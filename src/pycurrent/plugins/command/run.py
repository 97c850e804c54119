"""Run a command for its effect: a build, a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Unpack, overload

from pycurrent.cache import Retry, Schedule
from pycurrent.engine import Job, Level
from pycurrent.files import Tree
from pycurrent.plugins.argv import Argv
from pycurrent.plugins.command.files import FilesSource
from pycurrent.plugins.command.invocation import CheckoutWork, Invocation, on_currents
from pycurrent.plugins.command.options import InvocationOptions
from pycurrent.plugins.command.report import Report, execute, report_of
from pycurrent.plugins.command.runner import Prepared
from pycurrent.plugins.options import with_options
from pycurrent.plugins.saved_files import (
    GivenFiles,
    InputFiles,
    checked_outputs,
    of_engine_files,
)
from pycurrent.term import Current, Primitive

if TYPE_CHECKING:
    from pycurrent.engine.job_files import JobFiles


@dataclass(frozen=True, slots=True)
class CommandRun(CheckoutWork[None]):
    """Runs a command, with its output in the log."""

    id: ClassVar[str] = "command-run"

    def describe(self, key: Invocation) -> str:
        return str(key)

    async def execute(self, job: Job, command: Prepared, key: Invocation) -> None:
        await execute(job, command, key.report)


@dataclass(frozen=True, slots=True)
class CommandFiles(CheckoutWork[Tree]):
    """Runs a command for the files that it makes."""

    id: ClassVar[str] = "command-files"

    files: JobFiles | None = None
    """The files of the engine."""

    def wanted(
        self, key: Invocation, *, retry: Retry | None, schedule: Schedule | None
    ) -> Primitive[Tree]:
        return of_engine_files(
            lambda files: replace(self, files=files).get(key, retry=retry, schedule=schedule)
        )

    async def still_there(self, key: Invocation, outcome: Tree) -> bool:
        assert self.files is not None
        return await self.files.are_there(outcome)

    def describe(self, key: Invocation) -> str:
        return str(key)

    async def execute(self, job: Job, command: Prepared, key: Invocation) -> Tree:
        await execute(job, command, key.report)
        folder = command.options["cwd"]
        assert folder is not None
        return await job.save(folder, *key.outputs, required=key.outputs_required)


@overload
def run(
    commit: FilesSource,
    argv: Argv,
    *,
    inputs: InputFiles | None = None,
    outputs: None = None,
    report: Report | str | None = None,
    **options: Unpack[InvocationOptions],
) -> Current[None]: ...
@overload
def run(
    commit: FilesSource,
    argv: Argv,
    *,
    inputs: InputFiles | None = None,
    outputs: str | Sequence[str],
    outputs_required: bool = False,
    report: Report | str | None = None,
    **options: Unpack[InvocationOptions],
) -> Current[Tree]: ...
@with_options(level=Level.AVERAGE)
def run(
    commit: FilesSource,
    argv: Argv,
    *,
    inputs: InputFiles | None = None,
    outputs: str | Sequence[str] | None = None,
    outputs_required: bool = False,
    report: Report | str | None = None,
    **options: Unpack[InvocationOptions],
) -> Current[None] | Current[Tree]:
    """Run a command in a clean checkout of the commit; it succeeds if its exit status is 0.

    It is run once for a commit, `argv` and `env`. In place of the commit it takes a part of one
    (`git.tree`), or a `Tree` that a job has saved: then it is run once for that content, in a
    folder that has nothing else. The variables of `env` are added to the engine's own; they are
    recorded. `env="clean"`, or a `CleanEnv` with variables, has nothing of the engine's. `secrets`
    are variables whose values are not recorded, and masked in the log; another secret runs nothing
    again. The command is cancelled after `timeout` (in seconds, if a number), and when nobody needs
    it any more. By default the label is the command.

    With a `sandbox` it sees and changes only what that allows, and its environment is a clean one.
    This needs Linux, and the package bubblewrap.

    `cache` is a `Cache`, or several: folders that are kept for the next commands, each told by an
    environment variable. They are not part of what the result depends on.

    `inputs` are files that jobs have saved, by the paths at which the command finds them:
    `{"dist": tree}`. `outputs` are patterns of the files that it makes, which are kept and returned
    as a `Tree`: `"dist/**"`. A pattern that matches nothing is in the log; with `outputs_required`
    it is a failure.

    `report` is a pattern of the reports that it writes of its tests, in JUnit's XML, or a `Report`,
    which has other kinds, too: what they say is recorded, also if it fails. If tests have failed,
    so has the command, and its failure names the first of them.

    With a `schedule` it runs again as often as that says, and the old result is reported meanwhile.
    """
    given, patterns = GivenFiles.of(inputs), checked_outputs(outputs)
    reported = report_of(report)
    if not patterns:
        return on_currents(run, CommandRun, commit, argv, options, given=given, report=reported)
    return on_currents(
        run,
        CommandFiles,
        commit,
        argv,
        options,
        given=given,
        outputs=patterns,
        outputs_required=outputs_required,
        report=reported,
    )
