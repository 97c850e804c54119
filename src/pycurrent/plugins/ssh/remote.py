"""Commands of jobs on a host."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypeVar, assert_never

from pycurrent.engine import CommandFailed, Job
from pycurrent.engine.secret import Secret
from pycurrent.engine.supervisor import PROGRAM
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError
from pycurrent.files import Tree
from pycurrent.plugins.argv import checked_words
from pycurrent.plugins.saved_files import Saved, all_files_json, all_files_of_json
from pycurrent.plugins.ssh.ending import ConnectionLost, Finished, Killed, NotConnected, ending
from pycurrent.plugins.ssh.files import Sending, packed, saved
from pycurrent.plugins.ssh.host import Host, Version
from pycurrent.plugins.ssh.lifeline import NAME, THERE, Marks, Pipes, sent
from pycurrent.plugins.ssh.ssh_client import NOT_KEPT
from pycurrent.term import Failure, FailureKind

T = TypeVar("T")

Input = str | bytes | None

_NOBODY_ASKS: Mapping[str, str | None] = MappingProxyType(
    {"SSH_ASKPASS": None, "SSH_ASKPASS_REQUIRE": "never"}
)
_PROGRAM = Path(__file__).with_name("ssh_client.py")
_VERSION = re.compile(r"OpenSSH_\D*(\d+)\.(\d+)")
_NOT_EXECUTED = 126
_SIGNALLED = 128
_LAST_SIGNAL = 64
_LONGEST_READ = 1 << 16
"""Bytes at the end of a command's output in which its last line is looked for."""
_TOO_LONG = re.compile(rf"{NAME}: .*: Argument list too long")
_OURS = re.compile(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d\.\d\d: .*|{NAME}: (?!.*too long$).*")
"""Lines of the job's own log, or of the shell that runs the command."""


@dataclass(frozen=True, slots=True)
class RemoteCommand:
    """A command, and its input. Raises UsageError for an argv that can't run."""

    argv: tuple[str, ...]
    stdin: Input = None
    inputs: dict[str, Saved] = field(default_factory=dict)
    """The files that it is given, by their paths in the folder where it runs."""

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0] or self.argv[0].startswith("-"):
            raise UsageError(
                f"{self.argv!r} is not a command: its first word must be the name of a program"
            )
        if any("\0" in word for word in self.argv):
            raise UsageError("the words of a command can't contain NUL: give such bytes as stdin=")

    def __str__(self) -> str:
        """The command in one line."""
        return " ".join(shlex.join(self.argv).split())

    def to_json(self) -> object:
        """The form in records. It has no word of files where there are none."""
        form = {"argv": list(self.argv), "stdin": self.stdin}
        return form | all_files_json(self.inputs, (), required=False)

    @classmethod
    def from_json(cls, data: Any) -> Self:
        inputs, *_ = all_files_of_json(data)
        return cls(tuple(data["argv"]), data["stdin"], inputs)


def invocation(
    argv: Sequence[str], stdin: Input, inputs: dict[str, Saved] | None = None
) -> RemoteCommand:
    """Make a command of a list of words. Raises UsageError for anything else."""
    words = checked_words(argv, "a command is a list of its words")
    return RemoteCommand(words, stdin, inputs or {})


def shown_words(argv: Sequence[str]) -> str:
    """The words as people read them. Raises UsageError as `invocation` does."""
    return str(invocation(argv, None))


@dataclass(frozen=True, slots=True)
class Client:
    """A client that runs a command. A durable job that goes on has the same one again, by which its
    command is known.
    """

    program: list[str]
    words: list[str]
    marks: Marks
    log_size: int
    """Of the job's log, before it begins."""


@dataclass(frozen=True, slots=True)
class Why:
    """The reason for which a command has failed."""

    message: str
    is_infra: bool = False
    """True if the way to the host has failed."""


@dataclass(frozen=True, slots=True)
class RemoteHost:
    """A host, and the secret that commands there read."""

    host: Host
    secret: str | Secret | None = field(default=None, repr=False)

    async def run(self, job: Job, command: RemoteCommand) -> None:
        """Run a command, for a job that has started. Raises Failure, which says why it failed.

        When cancelled, it returns once the command and its processes have ended on the host, or
        after five seconds. In a durable job it goes on with the next engine.
        """
        if not command.inputs:
            await self._run(job, command, job.exec)
            return
        async with job.tempdir("inputs-") as folder:
            sending = await packed(job, command.inputs, (), folder)
            await self._run(job, command, job.exec, sending)

    async def files(
        self, job: Job, command: RemoteCommand, outputs: Sequence[str], *, required: bool
    ) -> Tree:
        """Run a command as `run` does, in a folder of its own, and save what the patterns select
        there.
        """
        async with job.tempdir("inputs-") as folder:
            sending = await packed(job, command.inputs, outputs, folder)
            client, _ = await self._run(job, command, job.exec, sending)
            return await saved(job, sending.kept, client.marks, outputs, required=required)

    async def output(self, job: Job, command: RemoteCommand) -> str:
        """Run a command as `run` does, and return its standard output, decoded as UTF-8.

        If it fails or is cancelled, the end of the output is in the log.
        """
        _, printed = await self._run(job, command, job.check_output)
        return printed

    async def _run(
        self,
        job: Job,
        command: RemoteCommand,
        run: Callable[..., Awaitable[T]],
        sending: Sending | None = None,
    ) -> tuple[Client, T]:
        """Run it by a method of the job's, and return the client with what that gives."""
        job.refuse_untrusted("untrusted work can't use other machines by ssh")
        async with job.tempdir("ssh-") as folder:
            pipes = Pipes(folder)

            async def client() -> Client:
                version, marks = await in_thread(_check, self.host), Marks()
                words = self.host.client(pipes.log, pipes.when_connected(marks), version)
                program = [os.fsdecode(PROGRAM), str(_PROGRAM)]
                return Client(program, [*words, THERE], marks, job.log_path.stat().st_size)

            known = await job.once("ssh client", client)
            given = _request(command, await self._input(job, command), known, pipes, sending)
            shown = [*self.host.shown, shlex.join(command.argv)]
            try:
                return known, await run(known.program, env=_NOBODY_ASKS, stdin=given, show=shown)
            except CommandFailed as failed:
                if failed.status == -NOT_KEPT:
                    raise self._lost_output(command) from None
                why = await self._why(job, command, known, pipes.client_log, failed)
                kind = FailureKind.INFRA if why.is_infra else FailureKind.REAL
                raise Failure(why.message, kind=kind) from None

    def _lost_output(self, command: RemoteCommand) -> Exception:
        from pycurrent.engine.durable_commands import OutputLost  # few disks are full

        what = f"{command.argv[0]} on {self.host}"
        return OutputLost(f"not all that {what} has printed could be kept: the disk here is full")

    async def _why(
        self, job: Job, command: RemoteCommand, client: Client, written: str, failed: CommandFailed
    ) -> Why:
        """Find the reason once: the folder of the client may be gone for the next engine, and the
        log longer.
        """

        async def why() -> Why:
            # After a kill the log may have been cut before that.
            start = min(client.log_size, job.log_path.stat().st_size)
            # The output for the caller comes last in the log, and is seldom the reason.
            said = _last_line(job.log_path, [(start, failed.stdout_at), (start, None)])
            return self._reason(command, written, said, failed)

        return await job.once("ssh failure", why)

    async def _input(self, job: Job, command: RemoteCommand) -> bytes:
        secret = self.secret
        if isinstance(secret, Secret):
            secret = await in_thread(secret.read)
        given = command.stdin if secret is None else job.secret(secret)
        return given.encode() if isinstance(given, str) else given or b""

    def _reason(
        self, command: RemoteCommand, written: str, said: str, failed: CommandFailed
    ) -> Why:
        if not written:
            return Why(f"{self.host}: {failed}")  # the client itself was killed
        match ending(written, said):
            case Finished(status):
                what = f"{command.argv[0]} on {self.host} exited with status {status}"
                why = _too_long(status, said) or said or _meaning(status)
                return Why(f"{what}: {why}")
            case Killed():
                return Why(f"{command.argv[0]} on {self.host} was killed by a signal")
            case ConnectionLost(reason):
                why = f"the connection to {self.host} was lost while the command ran: {reason}"
                return Why(why, is_infra=True)
            case NotConnected(reason):
                return Why(f"{self.host} can't be reached: {reason}", is_infra=True)
            case never:
                assert_never(never)


def _request(
    command: RemoteCommand, stdin: bytes, client: Client, pipes: Pipes, sending: Sending | None
) -> bytes:
    """Return the request to the program of the client: see `ssh_client.py`."""
    marks = client.marks
    request = {
        "client": client.words,
        "folder": str(pipes.folder),
        "connected": marks.connected,
        "begun": marks.begun,
        "output": None if sending is None else str(sending.kept),
        "payload": None if sending is None else str(sending.archive),
    }
    if sending is None:
        data = sent(command.argv, stdin, marks)
    else:
        words = (*sending.words, *command.argv)
        data = sent(words, sending.head(stdin), marks, sending.size)
    return json.dumps(request).encode() + b"\n" + data


def _too_long(status: int, said: str) -> str | None:
    """Explain the error of a host that does not take such long arguments; None for others."""
    if status != _NOT_EXECUTED or not _TOO_LONG.fullmatch(said):
        return None
    return (
        "its arguments are too long for the host, where one can have 128 KiB: pass long text as "
        "stdin="
    )


def _meaning(status: int) -> str:
    """The meaning of an exit status of a shell."""
    match status:
        case _ if status == _NOT_EXECUTED:
            return "it can't be executed there: is it a program, and executable?"
        case 127:
            return "there is no such command there"
        case _ if _SIGNALLED < status <= _SIGNALLED + _LAST_SIGNAL:
            return f"it was ended by signal {status - _SIGNALLED}"
        case _:
            return "it has said nothing"


def _check(host: Host) -> Version:
    """Return the client's version. Raises Failure if `ssh`, or a file of the host, is missing."""
    try:
        said = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr
    except FileNotFoundError:
        raise Failure("there is no ssh here: install OpenSSH's client") from None
    for file in host.files:
        if not os.access(file, os.R_OK):
            raise Failure(f"{host} needs the file {file}, which is missing or can't be read")
    found = _VERSION.search(said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _last_line(log: Path, places: Sequence[tuple[int, int | None]]) -> str:
    """Return the last line that is not the job's own, in the first of the places that has one."""
    for begin, end in places:
        last = log.stat().st_size if end is None else end
        with log.open("rb") as file:
            at = file.seek(max(begin, last - _LONGEST_READ))
            text = file.read(last - at).decode(errors="replace")
        lines = text.splitlines() if at == begin else text.splitlines()[1:]
        if telling := [line.strip() for line in lines if _tells(line)]:
            return telling[-1]
    return ""


def _tells(line: str) -> bool:
    return bool(line.strip()) and not _OURS.fullmatch(line)
