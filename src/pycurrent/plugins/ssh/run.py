"""Run a command on a host for its effect, when it has become another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Publisher, Schedule
from pycurrent.engine import Job, Level
from pycurrent.errors import UsageError
from pycurrent.plugins.argv import Argv
from pycurrent.plugins.options import Limits, Options, operation_component, with_options
from pycurrent.plugins.ssh.host import Host
from pycurrent.plugins.ssh.remote import Input, RemoteCommand, RemoteHost, invocation
from pycurrent.term import Current, Primitive


@dataclass(frozen=True, slots=True)
class Purpose:
    """What commands are for, on a host. A later one takes the place of the one before."""

    host: str
    key: str


@dataclass(frozen=True, slots=True)
class SshRun(Publisher[Purpose, RemoteCommand, None]):
    """Runs a command on a host."""

    id: ClassVar[str] = "ssh-run"

    remote: RemoteHost
    limits: Limits

    def describe(self, key: Purpose, value: RemoteCommand) -> str:
        return f"{key.host} {key.key}: {value}"

    async def publish(self, job: Job, key: Purpose, value: RemoteCommand) -> None:
        await self.limits.start(job)
        await self.remote.run(job, value)


@with_options(level=Level.DANGEROUS)
def run(
    host: Host | Current[Host],
    argv: Argv,
    *,
    key: str | Current[str],
    stdin: Input | Current[Input] = None,
    secret: str | None = None,
    schedule: Schedule | None = None,
    **options: Unpack[Options],
) -> Current[None]:
    """Run the command on the host, and again each time that its arguments or its input change.

    It succeeds if it exits with 0. `key` says what it is for: the last command for each is known,
    also after a restart. If it changes while it runs, the new one is run after the old one. With
    a `schedule` it is run again when that says so. Arguments and `stdin` are recorded; a `secret`
    is not: it is what the command reads instead of `stdin`, and a new one runs nothing anew.
    """
    limits = Limits.of(options)
    if secret is not None and stdin is not None:
        raise UsageError("a command reads its stdin or its secret, not both")

    def on_values(host: Host, argv: Sequence[str], key: str, stdin: Input) -> Primitive[None]:
        work = SshRun(RemoteHost(host, secret), limits)
        return work.set(Purpose(str(host), key), invocation(argv, stdin), schedule=schedule)

    label = options["label"]
    return operation_component(label, "{host} {key}", on_values, host, argv, key, stdin)
