"""Commands of jobs on a host."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, assert_never

from pycurrent.engine import CommandFailed, Job
from pycurrent.engine.secret import Secret
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError
from pycurrent.files import Tree
from pycurrent.plugins.argv import checked_words
from pycurrent.plugins.saved_files import Saved, all_files_json, all_files_of_json
from pycurrent.plugins.ssh.ending import ConnectionLost, Finished, Killed, NotConnected, ending
from pycurrent.plugins.ssh.files import Sending, packed, saved
from pycurrent.plugins.ssh.host import Host, Version
from pycurrent.plugins.ssh.lifeline import THERE, Pipes, sent
from pycurrent.plugins.ssh.said import NAME, Marks, Said, heard
from pycurrent.term import Failure, FailureKind

Input = str | bytes | None

_NOBODY_ASKS: Mapping[str, str | None] = MappingProxyType(
    {"SSH_ASKPASS": None, "SSH_ASKPASS_REQUIRE": "never"}
)
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
class RemoteHost:
    """A host, and the secret that commands there read."""

    host: Host
    secret: str | Secret | None = field(default=None, repr=False)

    async def run(self, job: Job, command: RemoteCommand) -> None:
        """Run a command, for a job that has started. Raises Failure, which says why it failed.

        When cancelled, it returns once the command and its processes have ended on the host, or
        after five seconds.
        """
        if not command.inputs:
            await self._run(job, command, Marks())
            return
        async with job.tempdir("inputs-") as folder:
            sending = await packed(job, command.inputs, (), folder)
            await self._run(job, command, Marks(), sending=sending)

    async def files(
        self, job: Job, command: RemoteCommand, outputs: Sequence[str], *, required: bool
    ) -> Tree:
        """Run a command as `run` does, in a folder of its own, and save what the patterns select
        there.
        """
        async with job.tempdir("inputs-") as folder:
            sending, marks = await packed(job, command.inputs, outputs, folder), Marks()
            await self._run(job, command, marks, sending=sending)
            return await saved(job, sending.kept, marks, outputs, required=required)

    async def output(self, job: Job, command: RemoteCommand) -> str:
        """Run a command as `run` does, and return its standard output, decoded as UTF-8.

        If it fails or is cancelled, the end of the output is in the log.
        """
        printed = bytearray()
        await self._run(job, command, Marks(), printed=printed)
        return printed.decode(errors="replace")

    async def _run(
        self,
        job: Job,
        command: RemoteCommand,
        marks: Marks,
        *,
        printed: bytearray | None = None,
        sending: Sending | None = None,
    ) -> None:
        """Run it, with its output going to the log; its standard output to `printed`, if given."""
        job.refuse_untrusted("untrusted work can't use other machines by ssh")
        version = await in_thread(_check, self.host)
        async with job.tempdir("ssh-") as folder:
            pipes = Pipes(folder)
            client = [*self.host.client(pipes.log, pipes.when_connected(marks), version), THERE]
            given = _sent(command, await self._input(job, command), marks, pipes, sending)
            shown = [*self.host.shown, shlex.join(command.argv)]
            start = job.log_path.stat().st_size
            try:
                with _heard(job, pipes, marks, printed, sending):
                    await job.exec(pipes.here(client), env=_NOBODY_ASKS, stdin=given, show=shown)
            except BaseException as failed:
                errors_end = job.log_path.stat().st_size
                _log_end_of(job, printed)
                if not isinstance(failed, CommandFailed):
                    raise
                said = _last_line(job.log_path, [(start, errors_end), (start, None)])
                raise self._failure(command, pipes.client_log, said, failed) from None

    async def _input(self, job: Job, command: RemoteCommand) -> bytes:
        secret = self.secret
        if isinstance(secret, Secret):
            secret = await in_thread(secret.read)
        given = command.stdin if secret is None else job.secret(secret)
        return given.encode() if isinstance(given, str) else given or b""

    def _failure(
        self, command: RemoteCommand, written: str, said: str, failed: CommandFailed
    ) -> Failure:
        """Return the failure; its kind is INFRA if the way to the host has failed."""
        if not written:
            return Failure(f"{self.host}: {failed}")  # the client itself was killed
        match ending(written, said):
            case Finished(status):
                what = f"{command.argv[0]} on {self.host} exited with status {status}"
                why = _too_long(status, said) or said or _meaning(status)
                return Failure(f"{what}: {why}")
            case Killed():
                return Failure(f"{command.argv[0]} on {self.host} was killed by a signal")
            case ConnectionLost(reason):
                why = f"the connection to {self.host} was lost while the command ran: {reason}"
                return Failure(why, kind=FailureKind.INFRA)
            case NotConnected(reason):
                return Failure(f"{self.host} can't be reached: {reason}", kind=FailureKind.INFRA)
            case never:
                assert_never(never)


def _sent(
    command: RemoteCommand, stdin: bytes, marks: Marks, pipes: Pipes, sending: Sending | None
) -> bytes:
    """Return the bytes to send, but for an archive of files, which is put where it is found."""
    if sending is None:
        return sent(command.argv, stdin, marks)
    sending.archive.rename(pipes.payload)
    size = pipes.payload.stat().st_size
    return sent((*sending.words, *command.argv), sending.head(stdin), marks, size)


@contextmanager
def _heard(
    job: Job, pipes: Pipes, marks: Marks, printed: bytearray | None, sending: Sending | None
) -> Iterator[None]:
    """Take what the client writes in the block: to the log, to `printed`, or as files."""
    if sending is None:
        output = Said(marks, job.write if printed is None else printed.extend)
        # In this order, so that the last error is the last line.
        with heard(pipes.errors, Said(marks, job.write)), heard(pipes.output, output):
            yield
        return
    with heard(pipes.errors, Said(marks, job.write)):
        yield
    pipes.output.rename(sending.kept)


def _log_end_of(job: Job, printed: bytearray | None) -> None:
    """Log the end of the output that was for the caller: it may show what went wrong."""
    if not printed:
        return
    end = bytes(printed[-_LONGEST_READ:])
    # From the beginning of a line: half a secret would not be recognized and masked.
    kept = end if len(printed) <= _LONGEST_READ else end[end.find(b"\n") + 1 :]
    job.log("Its standard output:" if kept == printed else f"Its last {len(kept)} bytes of output:")
    job.write(kept)


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
