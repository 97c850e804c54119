"""The options that the functions of this plugin share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pycurrent.cache import Schedule
from pycurrent.engine import Cache
from pycurrent.engine.secret import Secret
from pycurrent.errors import WrongKind
from pycurrent.plugins.command.environment import CleanEnv, variables_of
from pycurrent.plugins.command.kept import taken_caches
from pycurrent.plugins.command.runner import Runner
from pycurrent.plugins.command.sandbox import Sandbox
from pycurrent.plugins.command.secrets import CommandSecrets
from pycurrent.plugins.options import Options, limits_of
from pycurrent.term import Current, shown


class InvocationOptions(Options, total=False):
    """The options of a command in a folder of its own."""

    env: (
        Mapping[str, str]
        | CleanEnv
        | Literal["clean"]
        | Current[Mapping[str, str]]
        | Current[CleanEnv]
        | None
    )
    secrets: Mapping[str, Secret] | None
    sandbox: Sandbox | None
    cache: Cache | Sequence[Cache] | None
    schedule: Schedule | None


def runner_of(options: InvocationOptions) -> Runner:
    """The context of the commands. Raises UsageError for options that can't be."""
    runner = Runner(
        limits_of(options), CommandSecrets.of(options["secrets"]), taken_caches(options["cache"])
    )
    sandbox: object = options["sandbox"]
    if sandbox is not None and not isinstance(sandbox, Sandbox):
        raise WrongKind(f"sandbox= takes a Sandbox, not {shown(sandbox)}: write Sandbox()")
    env = options["env"]
    if not isinstance(env, Current):
        runner.secrets.check_apart(variables_of(env)[0])
    return runner
