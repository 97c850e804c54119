"""Run a command on a host for what it prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pycurrent.cache import Builder, Schedule
from pycurrent.engine import AnyPool, Job, Level
from pycurrent.plugins.labels import label_or
from pycurrent.plugins.limits import Limits, Timeout
from pycurrent.plugins.ssh.host import Host
from pycurrent.plugins.ssh.remote import Invocation, Remote, Words, invocation
from pycurrent.term import Current, Primitive, component, map


@dataclass(frozen=True, slots=True)
class Question:
    """A command that is run for what it prints, and where."""

    host: str
    command: Invocation


@dataclass(frozen=True, slots=True)
class Output(Builder[Question, str]):
    """Keeps what a command on a host prints."""

    id: ClassVar[str] = "ssh-output"
    auto_cancel: ClassVar[bool] = True

    remote: Remote
    limits: Limits

    def describe(self, key: Question) -> str:
        return f"{key.host}: output of {key.command}"

    async def build(self, job: Job, key: Question) -> str:
        await self.limits.start(job)
        return await self.remote.output(job, key.command)


def output(
    host: Host | Current[Host],
    argv: Words,
    *,
    schedule: Schedule | None = None,
    timeout: Timeout = None,
    pool: AnyPool | None = None,
    level: Level = Level.AVERAGE,
    label: str | None = None,
) -> Current[str]:
    """What a command writes to its standard output on the host, as UTF-8.

    It is asked once for a host and arguments, and again as the `schedule` says; it is ended when
    nobody needs it any more.
    """
    limits = Limits(level, pool, timeout)

    def on_values(host: Host, argv: Sequence[str], shown: str) -> Primitive[str]:
        question = Question(str(host), invocation(argv, None))
        return Output(Remote(host), limits).get(question, schedule=schedule)

    shown = map(_shown, argv) if isinstance(argv, Current) else _shown(argv)
    return component(label_or(label, "{host}: {shown}"))(on_values)(host, argv, shown)


def _shown(argv: Sequence[str]) -> str:
    return str(invocation(argv, None))
