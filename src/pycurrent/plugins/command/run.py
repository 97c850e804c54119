"""Run a command for its effect: a build, a test."""

from __future__ import annotations

from typing import ClassVar, Unpack

from pycurrent.engine import Job, Level
from pycurrent.plugins.argv import Argv
from pycurrent.plugins.command.invocation import CheckoutWork, Invocation, on_currents
from pycurrent.plugins.command.options import InvocationOptions
from pycurrent.plugins.command.runner import Prepared
from pycurrent.plugins.git import Commit, Subtree
from pycurrent.plugins.options import with_options
from pycurrent.term import Current


class CommandRun(CheckoutWork[None]):
    """Runs a command, with its output in the log."""

    id: ClassVar[str] = "command-run"

    def describe(self, key: Invocation) -> str:
        return str(key)

    async def execute(self, job: Job, command: Prepared) -> None:
        await job.exec(command.argv, **command.options)


@with_options(level=Level.AVERAGE)
def run(
    commit: Commit | Subtree | Current[Commit] | Current[Subtree],
    argv: Argv,
    **options: Unpack[InvocationOptions],
) -> Current[None]:
    """Run a command in a clean checkout of the commit; it succeeds if its exit status is 0.

    It is run once for a commit, `argv` and `env`. In place of the commit it takes a part of one
    (`git.tree`): then it is run once for that content, whatever the commit, in a folder that has
    nothing else. The variables of `env` are added to the engine's own; they are recorded.
    `env="clean"`, or a `CleanEnv` with variables, has nothing of the engine's. `secrets` are
    variables whose values are not recorded, and masked in the log; another secret runs nothing
    again. The command is cancelled after `timeout` (in seconds, if a number), and when nobody needs
    it any more. By default the label is the command.

    With a `sandbox` it sees and changes only what that allows, and its environment is a clean one.
    This needs Linux, and the package bubblewrap.

    `cache` is a `Cache`, or several: folders that are kept for the next commands, each told by an
    environment variable. They are not part of what the result depends on.

    With a `schedule` it runs again as often as that says, and the old result is reported meanwhile.
    """
    return on_currents(run, CommandRun, commit, argv, options)
