"""Run a command on a host for what it prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Builder, Schedule
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.plugins.argv import Argv, as_text
from pycurrent.plugins.options import Options, limits_of, operation_component, with_options
from pycurrent.plugins.ssh.host import Host
from pycurrent.plugins.ssh.remote import RemoteCommand, RemoteHost, invocation, shown_words
from pycurrent.term import Current, Primitive


@dataclass(frozen=True, slots=True)
class Question:
    """A command that runs for what it prints, and its host."""

    host: str
    command: RemoteCommand


@dataclass(frozen=True, slots=True)
class SshOutput(Builder[Question, str]):
    """Keeps what a command on a host prints."""

    id: ClassVar[str] = "ssh-output"
    local: ClassVar[bool] = True
    durable: ClassVar[bool] = True
    auto_cancel: ClassVar[bool] = True

    remote: RemoteHost
    limits: Limits

    def describe(self, key: Question) -> str:
        return f"{key.host}: output of {key.command}"

    async def build(self, job: Job, key: Question) -> str:
        return await self.remote.output(job, key.command)


@with_options(level=Level.AVERAGE)
def output(
    host: Host | Current[Host],
    argv: Argv,
    *,
    schedule: Schedule | None = None,
    **options: Unpack[Options],
) -> Current[str]:
    """The standard output of a command on the host, decoded as UTF-8.

    The command runs once for a host and arguments, and again as the `schedule` says. It is ended
    when nobody needs it any more.
    """
    limits = limits_of(options)

    def on_values(host: Host, argv: Sequence[str], shown: str) -> Primitive[str]:
        question = Question(str(host), invocation(argv, None))
        return SshOutput(RemoteHost(host), limits).get(
            question, schedule=schedule, retry=options["retry"]
        )

    shown = as_text(argv, shown_words)
    return operation_component(options["label"], "{host}: {shown}", on_values, host, argv, shown)
