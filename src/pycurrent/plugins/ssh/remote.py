"""Commands on a host, as a job runs them."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar, assert_never

from pycurrent.engine import CommandFailed, Job
from pycurrent.errors import UsageError
from pycurrent.plugins.ssh.ending import Finished, Killed, Lost, NotConnected, ending
from pycurrent.plugins.ssh.host import Host
from pycurrent.plugins.ssh.lifeline import NAME, THERE, here, sent, when_connected
from pycurrent.term import Current, Failure

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

Words = Sequence[str] | Current[Sequence[str]]
Input = str | bytes | None

_NOBODY_ASKS: Mapping[str, str | None] = MappingProxyType(
    {"SSH_ASKPASS": None, "SSH_ASKPASS_REQUIRE": "never"}
)
_SIGNALLED = 128
_LAST_SIGNAL = 64
_LONGEST_READ = 1 << 16
"""Bytes at the end of what a command says, in which its last line is looked for."""
_OURS = re.compile(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d\.\d\d: .*|{NAME}: .*")
"""Lines that the job has logged itself, or the shell that the command was run by."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What is run, and what it reads. Raises UsageError for what can't be run."""

    argv: tuple[str, ...]
    stdin: Input = None

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0] or self.argv[0].startswith("-"):
            raise UsageError(f"{self.argv!r} can't be a command: its first word is its name")
        if any("\0" in word for word in self.argv):
            raise UsageError("the words of a command can't contain NUL")

    def __str__(self) -> str:
        """In a line."""
        return " ".join(shlex.join(self.argv).split())


def invocation(argv: Sequence[str], stdin: Input) -> Invocation:
    """Raises UsageError for a string, which is no list of words."""
    if isinstance(argv, str):
        raise UsageError(f"a command is a list of its words, not {argv!r}")
    return Invocation(tuple(argv), stdin)


class Runner(Protocol[T_co]):
    """`Job.exec` or `Job.check_output`."""

    async def __call__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str | None],
        stdin: bytes,
        show: Sequence[str],
    ) -> T_co: ...


@dataclass(frozen=True, slots=True)
class Remote:
    """A host, and what commands there are told that nobody else may know."""

    host: Host
    secret: str | None = field(default=None, repr=False)

    async def run(self, job: Job, command: Invocation, run: Runner[T]) -> T:
        """Run a command, for a job that has started. Raises Failure, which names the cause.

        Cancelled, it returns when the command and what it has started have ended over there, or
        after five seconds.
        """
        await asyncio.to_thread(_check, self.host)
        async with job.tempdir("ssh-") as folder:
            log, start = folder / "log", job.log_path.stat().st_size
            client = [*self.host.client(log, when_connected(folder)), THERE]
            try:
                return await run(
                    here(client, folder),
                    env=_NOBODY_ASKS,
                    stdin=sent(command.argv, self._input(job, command)),
                    show=[*self.host.shown, shlex.join(command.argv)],
                )
            except CommandFailed as failed:
                said = _last_line(job.log_path, start, failed.stdout_at)
                written = log.read_text(errors="replace") if log.exists() else ""
                why = self._why(command, written, said)
                raise Failure(why or f"{self.host}: {failed}") from None

    def _input(self, job: Job, command: Invocation) -> bytes:
        given = command.stdin if self.secret is None else job.secret(self.secret)
        return given.encode() if isinstance(given, str) else given or b""

    def _why(self, command: Invocation, written: str, said: str) -> str | None:
        """None: the client itself was killed."""
        if not written:
            return None
        match ending(written, said):
            case Finished(status):
                what = f"{command.argv[0]} on {self.host} exited with status {status}"
                return f"{what}: {said or _meaning(status)}"
            case Killed():
                return f"{command.argv[0]} on {self.host} was killed by a signal"
            case Lost(reason):
                return f"the connection to {self.host} was lost while the command ran: {reason}"
            case NotConnected(reason):
                return f"{self.host} can't be reached: {reason}"
            case never:
                assert_never(never)


def _meaning(status: int) -> str:
    """What a shell means by it."""
    match status:
        case 126:
            return "it can't be executed there"
        case 127:
            return "there is no such command there"
        case _ if _SIGNALLED < status <= _SIGNALLED + _LAST_SIGNAL:
            return f"it was ended by signal {status - _SIGNALLED}"
        case _:
            return "it has said nothing"


def _check(host: Host) -> None:
    if shutil.which("ssh") is None:
        raise Failure("there is no ssh here: install OpenSSH's client")
    for file in host.files:
        if not os.access(file, os.R_OK):
            raise Failure(f"{file}, which {host} is reached by, is not there or can't be read")


def _last_line(log: Path, start: int, stdout_at: int | None) -> str:
    """The last line from there on that the job has not logged itself: of the standard error, if
    it has any.
    """
    whole = log.stat().st_size
    for end in (stdout_at or whole, whole):
        with log.open("rb") as file:
            begin = file.seek(max(start, end - _LONGEST_READ))
            lines = file.read(end - begin).decode(errors="replace").splitlines()
        if telling := [line.strip() for line in lines if _tells(line)]:
            return telling[-1]
    return ""


def _tells(line: str) -> bool:
    return bool(line.strip()) and not _OURS.fullmatch(line)
