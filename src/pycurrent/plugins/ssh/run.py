"""Run a command on a host for its effect, each time that it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Unpack, overload

from pycurrent.cache import Builder, Publisher, Schedule
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.engine.secret import Secret
from pycurrent.errors import UsageError, WrongKind
from pycurrent.files import Tree
from pycurrent.plugins.argv import Argv, as_text
from pycurrent.plugins.options import (
    Options,
    limits_of,
    named_after,
    operation_component,
    with_options,
)
from pycurrent.plugins.saved_files import (
    GivenFiles,
    InputFiles,
    checked_outputs,
    of_engine_files,
)
from pycurrent.plugins.ssh.host import Host
from pycurrent.plugins.ssh.remote import (
    Input,
    RemoteCommand,
    RemoteHost,
    invocation,
    shown_words,
)
from pycurrent.term import Current, Primitive

if TYPE_CHECKING:
    from pycurrent.engine.job_files import JobFiles


@dataclass(frozen=True, slots=True)
class Purpose:
    """The purpose of commands on a host. A later command replaces the one before."""

    host: str
    key: str


@dataclass(frozen=True, slots=True)
class SshRun(Publisher[Purpose, RemoteCommand, None]):
    """Runs a command on a host."""

    id: ClassVar[str] = "ssh-run"
    local: ClassVar[bool] = True
    durable: ClassVar[bool] = True

    remote: RemoteHost
    limits: Limits

    def describe(self, key: Purpose, value: RemoteCommand) -> str:
        return f"{key.host} {key.key}: {value}"

    async def publish(self, job: Job, key: Purpose, value: RemoteCommand) -> None:
        await self.remote.run(job, value)


@dataclass(frozen=True, slots=True)
class FilesQuestion:
    """A command that runs for the files that it makes, and its host."""

    host: str
    command: RemoteCommand
    outputs: tuple[str, ...]
    outputs_required: bool


@dataclass(frozen=True, slots=True)
class SshFiles(Builder[FilesQuestion, Tree]):
    """Keeps files that a command on a host makes."""

    id: ClassVar[str] = "ssh-files"
    local: ClassVar[bool] = True
    durable: ClassVar[bool] = True
    auto_cancel: ClassVar[bool] = True

    remote: RemoteHost
    limits: Limits
    files: JobFiles
    """The files of the engine."""

    def describe(self, key: FilesQuestion) -> str:
        return f"{key.host}: {key.command}"

    async def build(self, job: Job, key: FilesQuestion) -> Tree:
        return await self.remote.files(job, key.command, key.outputs, required=key.outputs_required)

    async def still_there(self, key: FilesQuestion, outcome: Tree) -> bool:
        return await self.files.are_there(outcome)


@overload
def run(
    host: Host | Current[Host],
    argv: Argv,
    *,
    key: str | Current[str],
    stdin: Input | Current[Input] = None,
    secret: str | Secret | None = None,
    inputs: InputFiles | None = None,
    outputs: None = None,
    schedule: Schedule | None = None,
    **options: Unpack[Options],
) -> Current[None]: ...
@overload
def run(
    host: Host | Current[Host],
    argv: Argv,
    *,
    stdin: Input | Current[Input] = None,
    secret: str | Secret | None = None,
    inputs: InputFiles | None = None,
    outputs: str | Sequence[str],
    outputs_required: bool = False,
    schedule: Schedule | None = None,
    **options: Unpack[Options],
) -> Current[Tree]: ...
@with_options(level=Level.DANGEROUS)
def run(
    host: Host | Current[Host],
    argv: Argv,
    *,
    key: str | Current[str] | None = None,
    stdin: Input | Current[Input] = None,
    secret: str | Secret | None = None,
    inputs: InputFiles | None = None,
    outputs: str | Sequence[str] | None = None,
    outputs_required: bool = False,
    schedule: Schedule | None = None,
    **options: Unpack[Options],
) -> Current[None] | Current[Tree]:
    """Run the command on the host, and again each time that its arguments or its input change.

    It succeeds if it exits with 0. `key` names its purpose: the last command for each key is
    remembered, also after a restart. If the command changes while it runs, the new one runs after
    the old one. With a `schedule` it also runs again when that says so. Arguments and `stdin` are
    recorded. A `secret`, a text or a `Secret`, is read instead of `stdin` and not recorded; a new
    one runs nothing again.

    `inputs` are files that jobs have saved, by the paths at which the command finds them, in a new
    folder on the host, where it runs: `{"dist": tree}`. `outputs` are patterns of the files that it
    makes there, which are kept and returned as a `Tree`: `"dist/**"`. Then there is no key: it is
    run once for its host, its arguments and its files, and is ended when nobody needs it any more.
    A pattern that matches nothing is in the log; with `outputs_required` it is a failure. The
    host needs `tar` for files.
    """
    _check_input(stdin, secret)
    given, patterns = GivenFiles.of(inputs), checked_outputs(outputs)
    _check_key(key, patterns)
    limits, retry = limits_of(options), options["retry"]

    @named_after(run)
    def published(
        host: Host, argv: Sequence[str], key: str, stdin: Input, *rest: Any
    ) -> Primitive[None]:
        command = invocation(argv, stdin, given.with_values(rest[0] if rest else ()))
        work = SshRun(RemoteHost(host, secret), limits)
        return work.set(Purpose(str(host), key), command, schedule=schedule, retry=retry)

    @named_after(run)
    def built(
        host: Host, argv: Sequence[str], shown: str, stdin: Input, *rest: Any
    ) -> Primitive[Tree]:
        command = invocation(argv, stdin, given.with_values(rest[0] if rest else ()))
        question = FilesQuestion(str(host), command, patterns, outputs_required)
        remote = RemoteHost(host, secret)
        return of_engine_files(
            lambda files: SshFiles(remote, limits, files).get(
                question, schedule=schedule, retry=retry
            )
        )

    label, files = options["label"], given.currents
    if not patterns:
        return operation_component(label, "{host} {key}", published, host, argv, key, stdin, *files)
    shown = as_text(argv, shown_words)
    return operation_component(label, "{host}: {shown}", built, host, argv, shown, stdin, *files)


def _check_input(stdin: object, secret: object) -> None:
    if secret is not None and stdin is not None:
        raise UsageError(
            "a command reads either stdin= or secret=, not both: put both into secret="
        )
    if secret is not None and not isinstance(secret, str | Secret):
        # Without the value, which may be a secret.
        raise WrongKind(
            f"secret= takes a Secret or a text, not a {type(secret).__name__}: write"
            ' Secret.from_file("/etc/ci/password"), say'
        )


def _check_key(key: object, outputs: Sequence[str]) -> None:
    if not outputs and key is None:
        raise WrongKind(
            'ssh.run takes key=, which names the purpose of the command on its host: key="release"'
        )
    if outputs and key is not None:
        raise WrongKind(
            "ssh.run takes either key= or outputs=: a command that makes files has no key"
        )
