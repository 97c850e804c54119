"""Run a command on a host for its effect, each time that it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Unpack

from pycurrent.cache import Publisher, Schedule
from pycurrent.engine import Job, Level
from pycurrent.engine.limits import Limits
from pycurrent.engine.secret import Secret
from pycurrent.errors import UsageError, WrongKind
from pycurrent.plugins.argv import Argv
from pycurrent.plugins.options import Options, limits_of, operation_component, with_options
from pycurrent.plugins.ssh.host import Host
from pycurrent.plugins.ssh.remote import Input, RemoteCommand, RemoteHost, invocation
from pycurrent.term import Current, Primitive


@dataclass(frozen=True, slots=True)
class Purpose:
    """The purpose of commands on a host. A later command replaces the one before."""

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
        await self.remote.run(job, value)


@with_options(level=Level.DANGEROUS)
def run(
    host: Host | Current[Host],
    argv: Argv,
    *,
    key: str | Current[str],
    stdin: Input | Current[Input] = None,
    secret: str | Secret | None = None,
    schedule: Schedule | None = None,
    **options: Unpack[Options],
) -> Current[None]:
    """Run the command on the host, and again each time that its arguments or its input change.

    It succeeds if it exits with 0. `key` names its purpose: the last command for each key is
    remembered, also after a restart. If the command changes while it runs, the new one runs after
    the old one. With a `schedule` it also runs again when that says so. Arguments and `stdin` are
    recorded. A `secret`, a text or a `Secret`, is read instead of `stdin` and not recorded; a new
    one runs nothing again.
    """
    limits = limits_of(options)
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

    def on_values(host: Host, argv: Sequence[str], key: str, stdin: Input) -> Primitive[None]:
        work = SshRun(RemoteHost(host, secret), limits)
        return work.set(
            Purpose(str(host), key),
            invocation(argv, stdin),
            schedule=schedule,
            retry=options["retry"],
        )

    label = options["label"]
    return operation_component(label, "{host} {key}", on_values, host, argv, key, stdin)
