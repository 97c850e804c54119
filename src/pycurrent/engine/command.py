"""The commands of a job: what each is, and those that it runs now."""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from pycurrent.engine.joblog import JobLog
from pycurrent.engine.machine import Blame
from pycurrent.engine.masking import encode
from pycurrent.engine.process import Process, Processes
from pycurrent.engine.tasks import regardless
from pycurrent.errors import PycurrentError
from pycurrent.term import Failure

_KEPT = 64 << 10
"""How many bytes of the output of a command that was run for it are logged if it fails."""
_MASKED_WITH = 1 << 20
"""How many bytes are looked at for secrets then. Of more, the first `_KEPT` are left out, as they
may begin with the second half of a secret.
"""


class CommandFailed(PycurrentError):
    """A command ended with another status than 0."""

    # Whatever was tried before: this one has run.
    blame = Blame.WORK

    def __init__(self, command: str, status: int) -> None:
        how = f"exited with status {status}" if status >= 0 else f"was killed by signal {-status}"
        super().__init__(f"{command} {how}")
        self.command = command
        self.status = status
        self.stdout_at: int | None = None
        """Where in the log its standard output begins, if that was asked for: it follows all that
        was logged before, its standard error too.
        """


class Command:
    """A command, how it is run, and how it is shown."""

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        cwd: Path | str | None,
        env: Mapping[str, str | None] | None,
        stdin: str | bytes | None,
        *,
        cancellable: bool,
        grace: float | None,
        show: str | Sequence[str] | None,
    ) -> None:
        """As for `Job.exec`. Raises `Failure` for what is no list of words."""
        if isinstance(argv, str) or not argv or not all(map(_is_word, argv)):
            raise Failure(f"a command is a list of its words, not {argv!r}")
        self.argv = [os.fspath(word) for word in argv]
        self.cwd = None if cwd is None else Path(cwd)
        self.env = None if env is None else _environment(env)
        self.cancellable = cancellable
        self.of_hook = False
        """Whether a cancel hook runs it: then the end of the work is not its end."""
        self.grace = grace
        self.shown = (
            show if isinstance(show, str) else shlex.join(self.argv if show is None else show)
        )
        self._stdin = stdin.encode() if isinstance(stdin, str) else stdin

    def open_stdin(self, tmp: Path) -> IO[bytes]:
        """What the command reads: a file, so that nobody has to feed it."""
        if self._stdin is None:
            return Path(os.devnull).open("rb")
        with ExitStack() as closing:
            file = closing.enter_context(tempfile.TemporaryFile(dir=tmp))
            file.write(self._stdin)
            file.seek(0)
            closing.pop_all()
        return file


def _environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    """The engine's own, changed."""
    changed = {**os.environ, **changes}
    return {name: value for name, value in changed.items() if value is not None}


def _is_word(word: object) -> bool:
    return isinstance(word, str | os.PathLike)


class Commands:
    """The commands that one job runs now."""

    __slots__ = ("_ending", "_log", "_processes", "_running", "_tmp")

    def __init__(self, processes: Processes, log: JobLog, tmp: Path) -> None:
        """`tmp`: where what they read, and what they give, is put."""
        self._processes = processes
        self._log = log
        self._tmp = tmp
        self._running: dict[Process, Command] = {}
        self._ending = False

    async def run(self, command: Command) -> None:
        """Run a command, its output going to the log. Raises `CommandFailed`.

        If cancelled, it ends the command (or lets it end, if that is not cancellable) before it
        gives way.
        """
        await self._logged(command, stdout=None)

    async def output_of(self, command: Command) -> str:
        """As `run`, but give what the command writes to its standard output, as UTF-8.

        If it fails, or is cancelled, the end of that is in the log.
        """
        with tempfile.TemporaryFile(dir=self._tmp) as output:
            try:
                await self._logged(command, stdout=output.fileno())
            except BaseException as failed:
                if isinstance(failed, CommandFailed):
                    failed.stdout_at = self._log.path.stat().st_size
                self._log_end_of(output)
                raise
            output.seek(0)
            return output.read().decode(errors="replace")

    def _log_end_of(self, output: IO[bytes]) -> None:
        """Put what a command has written for its caller into the log: who looks for what went
        wrong has nothing else.
        """
        size = output.seek(0, os.SEEK_END)
        if not size:
            return
        output.seek(max(0, size - _MASKED_WITH))
        # Cut after it is masked: half a secret would not be known as one.
        text = encode(self._log.masked(output.read().decode(errors="surrogateescape")))
        whole = text if size <= _MASKED_WITH else text[_KEPT:]
        kept = whole[-_KEPT:]
        if len(kept) < len(text):
            kept = kept[kept.find(b"\n") + 1 :]
            self._log.line(f"Its standard output, the last {len(kept)} bytes:")
        else:
            self._log.line("Its standard output:")
        self._log.write(kept)

    def end(self) -> None:
        """End those of the work that are cancellable, and from here on each of them as soon as it
        runs. Twice does nothing more.
        """
        self._ending = True
        for process, command in self._running.items():
            if command.cancellable and not command.of_hook:
                process.cancel()

    async def outlive(self) -> None:
        """End what the work runs, and wait until all has ended, even if cancelled."""
        self.end()
        for process in list(self._running):
            with suppress(PycurrentError):
                await regardless(process.wait())

    async def _logged(self, command: Command, *, stdout: int | None) -> None:
        """Run a command; what it writes goes to the log, but what it writes to `stdout`."""
        self._log.line(f"Exec: {command.shown}")
        reader, writer = os.pipe()
        pumping = asyncio.ensure_future(self._log.pump(reader))
        running = self._status(command, writer if stdout is None else stdout, writer)
        try:
            # All of it, as one that is being started may be at work before that is known.
            status = await (running if command.cancellable else regardless(running))
        finally:
            await regardless(pumping)
        if status:
            raise CommandFailed(command.shown, status)

    async def _status(self, command: Command, stdout: int, stderr: int) -> int:
        """Run a command, to its very end even if cancelled, and give its status."""
        process = await self._begin(command, stdout, stderr)
        self._running[process] = command
        if self._ending and command.cancellable and not command.of_hook:
            # Told to end while it was being started, by a task that is not the job's own.
            process.cancel()
        try:
            return await process.wait()
        except asyncio.CancelledError:
            process.cancel()
            await regardless(process.wait())
            raise
        finally:
            del self._running[process]

    async def _begin(self, command: Command, stdout: int, stderr: int) -> Process:
        """Start a command, which gets the pipe `stderr` for itself."""
        try:
            with command.open_stdin(self._tmp) as stdin:
                return await self._processes.start(
                    command.argv,
                    cwd=command.cwd,
                    env=command.env,
                    stdin=stdin.fileno(),
                    stdout=stdout,
                    stderr=stderr,
                    grace=command.grace,
                )
        finally:
            os.close(stderr)
