"""The commands that a job runs now."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar, cast

from pycurrent.engine.channel import Used
from pycurrent.engine.command import Command, CommandFailed
from pycurrent.engine.encoding import encode
from pycurrent.engine.joblog import JobLog
from pycurrent.engine.leftovers import JobLock, locked_file
from pycurrent.engine.pipe import PipeReader
from pycurrent.engine.process import Durability, Process, Processes
from pycurrent.engine.shell_words import unread, unread_operator
from pycurrent.engine.tasks import uncancellable
from pycurrent.engine.tempdirs import temporary_file
from pycurrent.engine.turns import Turn
from pycurrent.errors import PycurrentError, UsageError

if TYPE_CHECKING:
    from pycurrent.engine.kept_folders import Kept
    from pycurrent.engine.place import Place
    from pycurrent.engine.place_files import PlaceFiles

T = TypeVar("T")

_KEPT = 64 << 10
"""How many bytes of the output of a command that was run for it are logged if it fails."""
_MASKED_WITH = 1 << 20
"""How many bytes are looked at for secrets then. Of more, the first `_KEPT` are left out, as they
may begin with the second half of a secret.
"""


class Commands:
    """The commands that one job runs now."""

    __slots__ = (
        "_ending",
        "_given",
        "_lock",
        "_locks",
        "_log",
        "_processes",
        "_running",
        "_tmp",
        "_turn",
        "used",
    )

    def __init__(
        self,
        processes: Processes,
        log: JobLog,
        tmp: Path,
        lock: JobLock,
        turn: Turn,
    ) -> None:
        """`tmp`: where what they read, and what they give, is put."""
        self._processes = processes
        self._log = log
        self._tmp = tmp
        self._lock = lock
        self._turn = turn
        self._locks: list[int] = []
        """Of files that the job has locked: its commands share them."""
        self._running: dict[Process, Command | None] = {}
        """With None: one of an earlier engine that was not asked for again yet."""
        self._ending = False
        self._given: dict[str, object] = {}
        """The results of `once`, by name."""
        self.used: Used | None = None
        """The resources that those have used which have ended; None if that is not known."""

    @property
    def began(self) -> datetime | None:
        """When an earlier engine has begun the job; None if this one has."""
        return None

    @property
    def has_journal(self) -> bool:
        """True if it is noted what they have done: see `journal.py`."""
        return False

    @property
    def have_left_something(self) -> bool:
        """True if some may run on at the job's place, of which nobody here knows any more."""
        return False

    async def begin(self) -> None:
        """Called before the work of a job that an earlier engine has begun."""

    @property
    def there(self) -> PlaceFiles:
        """The files at the job's place, which is another one than the engine's machine."""
        raise AssertionError("it runs on the engine's machine")

    @property
    def here(self) -> Commands:
        """The commands of the job on the engine's machine."""
        return self

    def move_to(self, place: Place) -> None:
        """Run them at another place from here on. Raises `UsageError` where that is too late."""
        raise UsageError(
            f"the job has used commands or folders here before job.start gave it {place}: call"
            " job.start first"
        )

    async def leave(self) -> Kept | None:
        """Called once the job needs its place no more; tells what stays there."""
        return None

    async def once(self, name: str, function: Callable[[], Awaitable[T]]) -> T:
        """The result of the function, which is called once for each name, by this engine or an
        earlier one.
        """
        if name not in self._given:
            self._given[name] = await function()
        return cast("T", self._given[name])

    async def noted(
        self, what: tuple[str, ...], function: Callable[[], Awaitable[T]], type: type[T]
    ) -> T:
        """The result of the function, or that which an earlier engine has got of it."""
        return await function()

    def place_of(self, prefix: str) -> Path | None:
        """The place of the next temporary folder, if that is to be found again."""
        return None

    async def run(self, command: Command, waited: Callable[[], None]) -> None:
        """Run a command, its output going to the log. Raises `CommandFailed`.

        `waited` is called when it has to wait for the job's turn, and when it need not any more.
        If cancelled, it ends the command (or lets it end, if that is not cancellable) before it
        gives way.
        """
        async with self._in_turn(command, waited):
            await self._logged(command, stdout=None)

    async def output_of(self, command: Command, waited: Callable[[], None]) -> str:
        """As `run`, but give what the command writes to its standard output, as UTF-8.

        If it fails, or is cancelled, the end of that is in the log.
        """
        async with self._in_turn(command, waited):
            with temporary_file(self._tmp) as output:
                try:
                    await self._logged(command, stdout=output.fileno())
                except BaseException as failed:
                    self._log_of_failed(failed, output)
                    raise
                output.seek(0)
                return output.read().decode(errors="replace")

    @property
    def are_waiting(self) -> bool:
        """True while too many other jobs have commands at work."""
        return self._turn.is_waited_for

    @asynccontextmanager
    async def _in_turn(self, command: Command, waited: Callable[[], None]) -> AsyncIterator[None]:
        """Wait for the job's turn; commands that tidy up don't wait."""
        waits = False

        def wait(why: str) -> None:
            nonlocal waits
            if self._ending or command.of_hook:
                self._turn.hurry()
                return
            waits = True
            self._log.line(f"Waiting for its turn: {why}")
            self._log.park()
            waited()

        await self._turn.take(wait)
        try:
            if waits:
                waited()
            yield
        finally:
            self._turn.give_back()

    def _log_of_failed(self, failed: BaseException, output: IO[bytes]) -> None:
        """Log what a command has written for its caller, and tell where that begins."""
        if isinstance(failed, CommandFailed):
            failed.stdout_at = self._log.path.stat().st_size
        self._log_end_of(output)

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

    @property
    def running(self) -> frozenset[object]:
        return frozenset(self._running)

    def end(self) -> None:
        """End those of the work that are cancellable, and from here on each of them as soon as it
        runs. Twice does nothing more.
        """
        self._ending = True
        self._turn.hurry()
        for process, command in self._running.items():
            if command is None or (command.cancellable and not command.of_hook):
                process.cancel()

    async def outlive(self) -> None:
        """End what the work runs, and wait until all has ended, even if cancelled."""
        self.end()
        for process in list(self._running):
            with suppress(PycurrentError):
                await uncancellable(process.wait())

    def check_replayed(self) -> None:
        """Raise if the work of a job that goes on has come to its end otherwise than before."""

    def close(self) -> None:
        """None is run any more. Twice does nothing more."""
        self._lock.release()

    @asynccontextmanager
    async def locking(
        self, path: Path, waiting: Callable[[], None], *, shared: bool = False
    ) -> AsyncIterator[None]:
        """Hold the lock of a file, and have each command that begins in the block hold it.

        `waiting` is called, once, if somebody else has it.
        """
        lock = self._lock
        locked = locked_file(path, lock.open_files, waiting, shared=shared, adopted=lock.adopted)
        async with locked as file:
            self._locks.append(file)
            try:
                yield
            finally:
                self._locks.remove(file)

    async def _logged(self, command: Command, *, stdout: int | None) -> None:
        """Run a command; what it writes goes to the log, but what it writes to `stdout`.

        Raises OSError if the log has no file, and can't have one.
        """
        self._log.need_file()
        self._log.line(f"Exec: {command.shown}")
        with ExitStack() as closing:
            reader, writer = os.pipe()
            closing.callback(os.close, writer)
            pipe = PipeReader(reader)
            # One of its own, as the pump closes the other when it likes.
            abandoned = os.dup(reader)
            closing.callback(os.close, abandoned)
            pumping = self._log.pump(pipe, self._processes.copiers)
            descriptors = (writer if stdout is None else stdout, writer, abandoned)
            running = self._status(command, descriptors, closing.pop_all())
        try:
            # All of it, as one that is being started may be at work before that is known.
            status = await (running if command.cancellable else uncancellable(running))
        finally:
            # All that it has written is there by now.
            pipe.finish()
            await uncancellable(pumping)
        if pipe.is_cut_off:
            self._log.line("Its output is held open by a process that it did not start, or lost")
        self._check(command, status)

    def _check(self, command: Command, status: int) -> None:
        if status:
            raise CommandFailed(command.shown, status, command.hint(unread))
        if note := command.hint(unread_operator):
            self._log.line(f"Note: {note}")

    async def _status(
        self, command: Command, descriptors: tuple[int, int, int], closing: ExitStack
    ) -> int:
        """Run a command, to its very end even if cancelled, and give its status."""
        with closing:
            process = await self._begin(command, *descriptors)
        try:
            return await self._ended(command, process)
        finally:
            self._count(self._used_by_process(process))

    def _used_by_process(self, process: Process) -> Used | None:
        """The resources that a command has used."""
        return process.used

    def _count(self, used: Used | None) -> None:
        """Another command has used this."""
        if used is not None:
            self.used = used if self.used is None else self.used + used

    async def _ended(self, command: Command, process: Process) -> int:
        """Wait for a command that runs, to its very end even if cancelled, and give its status."""
        self._running[process] = command
        if self._ending and command.cancellable and not command.of_hook:
            # Told to end while it was being started, by a task that is not the job's own.
            process.cancel()
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            process.cancel()
            await uncancellable(process.wait())
            raise
        finally:
            del self._running[process]
        if process.left_behind is not None:
            self._log.line(f"Ended {process.left_behind}")
        return status

    async def _begin(
        self,
        command: Command,
        stdout: int,
        stderr: int,
        reader: int,
        durable: Durability | None = None,
    ) -> Process:
        stdin = command.open_stdin(self._tmp)
        try:
            return await self._processes.start(
                command.argv,
                cwd=command.cwd,
                env=command.env,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                grace=command.grace,
                pipes=[reader],
                locks=[self._lock.take(), *self._locks],
                durable=durable,
            )
        finally:
            os.close(stdin)
