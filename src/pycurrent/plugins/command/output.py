"""Run a command for what it prints: a version, a list."""

from __future__ import annotations

from typing import ClassVar, Unpack

from pycurrent.engine import Job, Level
from pycurrent.plugins.argv import Argv
from pycurrent.plugins.command.files import FilesSource
from pycurrent.plugins.command.invocation import CheckoutWork, Invocation, on_currents
from pycurrent.plugins.command.options import InvocationOptions
from pycurrent.plugins.command.runner import Prepared
from pycurrent.plugins.command.secrets import check_free_of
from pycurrent.plugins.options import with_options
from pycurrent.term import Current


class Output(CheckoutWork[str]):
    """Keeps what a command prints."""

    id: ClassVar[str] = "command-output"

    def describe(self, key: Invocation) -> str:
        return f"output of {key}"

    async def execute(self, job: Job, command: Prepared, key: Invocation) -> str:
        printed = await job.check_output(command.argv, **command.options)
        if command.secrets:
            await check_free_of(printed, command.secrets)
        return printed


@with_options(level=Level.AVERAGE)
def output(
    commit: FilesSource,
    argv: Argv,
    **options: Unpack[InvocationOptions],
) -> Current[str]:
    """The standard output of a command in a clean checkout of the commit.

    It is recorded, so a command that prints one of its `secrets` fails. All else is as with `run`.
    """
    return on_currents(output, Output, commit, argv, options)
