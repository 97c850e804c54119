"""The work of a job: the commands that it runs, its folders and files, and what is done once.

`job.py` has the contract of all this; `driven_job.py` is the whole job.
"""

from __future__ import annotations

import os
import sys
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, TypeVar, Unpack

from pycurrent.engine.arguments import check_functions
from pycurrent.engine.clock import instant
from pycurrent.engine.forgotten import Calls, to_be_awaited, to_be_entered
from pycurrent.engine.job_parts import JobParts
from pycurrent.engine.job_state import JobState
from pycurrent.engine.job_trust import JobTrust
from pycurrent.engine.level import keep_time
from pycurrent.engine.stopped import Stopped, TimedOut, TimeLimit
from pycurrent.engine.tasks import in_thread
from pycurrent.engine.tempdirs import temporary_folder
from pycurrent.errors import PycurrentError, WrongKind
from pycurrent.term import shown

if TYPE_CHECKING:
    from pycurrent.engine.cache_folder import Cache
    from pycurrent.engine.command import Command, CommandOptions
    from pycurrent.engine.commands import Commands
    from pycurrent.engine.job_reports import Reported
    from pycurrent.engine.joblog import JobLog
    from pycurrent.engine.place import JobPath
    from pycurrent.engine.pool import Tickets
    from pycurrent.files import File, Tree

T = TypeVar("T")


class WorkingJob(JobTrust):
    """A job as its work uses it."""

    __slots__ = ()

    state: JobState
    stopped: Stopped | None
    job_log: JobLog
    _parts: JobParts

    @property
    @abstractmethod
    def calls(self) -> Calls:
        """The calls of its async methods."""

    @property
    @abstractmethod
    def commands(self) -> Commands:
        """Its commands."""

    @property
    @abstractmethod
    def time_limit(self) -> TimeLimit | None:
        """The limit of the time that its work may take, while that goes on."""

    @property
    @abstractmethod
    def tickets(self) -> Tickets:
        """The tickets that it has drawn in the queues of pools."""

    @property
    @abstractmethod
    def has_begun(self) -> bool:
        """True once its work has begun."""

    @abstractmethod
    def label(self, name: str, /) -> str | None:
        """A label of the stage that wanted it first; None if it has none of this name."""

    @abstractmethod
    def note(self, line: str) -> None:
        """Add a line of the engine's own to the log, which alone makes no file of it."""

    @abstractmethod
    async def recorded(self) -> bool:
        """Have it recorded, whatever comes of it: something is to be recorded with it. False if
        that can't be written now.
        """

    @abstractmethod
    def _turn_waited(self) -> None:
        """Its commands have to wait for their turn, or need not any more."""

    # Commands

    @to_be_awaited
    async def exec(
        self, argv: Sequence[str | os.PathLike[str]], **options: Unpack[CommandOptions]
    ) -> None:
        command = self._command(argv, options)
        await self._commands_for(command).run(command, self._turn_waited)

    @to_be_awaited
    async def check_output(
        self, argv: Sequence[str | os.PathLike[str]], **options: Unpack[CommandOptions]
    ) -> str:
        command = self._command(argv, options)
        return await self._commands_for(command).output_of(command, self._turn_waited)

    def _commands_for(self, command: Command) -> Commands:
        return self.commands.here if command.here else self.commands

    def _command(self, argv: Sequence[str | os.PathLike[str]], options: CommandOptions) -> Command:
        from pycurrent.engine.command import Command  # many jobs run none

        if not self.is_trusted:
            options = self.confine(options)
        command = Command(argv, **options)
        hooks = self._parts.hooks
        command.of_hook = hooks is not None and hooks.run_here
        # A job that was cancelled may clean up, by commands that are not cancellable.
        have_run = hooks is not None and hooks.have_run
        ending = have_run and self.stopped is None and not command.of_hook
        if ending or self.state is JobState.ENDED:
            raise PycurrentError(f"job {self.id} has ended: it can't run {command.shown}")
        return command

    @to_be_awaited
    async def report(
        self,
        folder: str | os.PathLike[str],
        *,
        junit: str | Sequence[str] | None = None,
        coverage: str | Sequence[str] | None = None,
        sarif: str | Sequence[str] | None = None,
        required: bool = False,
    ) -> Reported:
        from pycurrent.engine import job_folders  # many jobs use no files
        from pycurrent.engine.job_reports import Reported

        failing = sys.exception()
        wanted = {"junit": junit, "coverage": coverage, "sarif": sarif}
        what = ("report", str(folder), repr(wanted))
        take = partial(
            job_folders.report, self, Path(folder), wanted, required=required, failing=failing
        )
        return await self._noted(what, take, Reported)

    async def _noted(
        self, what: tuple[str, ...], function: Callable[[], Awaitable[T]], type: type[T]
    ) -> T:
        """Do something that is not done again where an earlier engine has done it."""
        if not self.is_durable:
            return await function()
        return await self.commands.noted(what, function, type)

    @to_be_awaited
    async def once(self, name: str, function: Callable[[], Awaitable[T]]) -> T:
        check_functions("job.once", function=function)
        if not isinstance(name, str):
            raise WrongKind(f"job.once takes a name, a text, not {shown(name)}")
        return await self.commands.once(name, function)

    @to_be_entered
    def tempdir(
        self, prefix: str = "", *, here: bool = False, keep: timedelta | None = None
    ) -> AbstractAsyncContextManager[JobPath]:
        keep = keep_time(keep, "job.tempdir: keep=")
        if self.place is not None:
            if here:
                return temporary_folder(self.host.tmp, prefix, self.host.trash)
            return self.commands.there.tempdir(prefix, partial(self._time_to_keep, keep))
        place = self.commands.place_of(prefix) if self.is_durable else None
        if keep is None:
            return temporary_folder(self.host.tmp, prefix, self.host.trash, place)
        name = None if place is None else place.name
        return self.host.kept().folder(self.id, prefix, name, partial(self._keeps, keep))

    @property
    def keep_failed(self) -> timedelta | None:
        return self.host.config.keep_failed

    def _time_to_keep(self, keep: timedelta | None, error: BaseException) -> timedelta | None:
        """For how long a folder stays whose block raises; None if it does not."""
        has_failed = isinstance(error, Exception) or isinstance(self.stopped, TimedOut)
        return keep if has_failed else None

    def _keeps(self, keep: timedelta, error: BaseException) -> bool:
        """Keep its folders here, if it fails by an error. False if it does not."""
        if self._time_to_keep(keep, error) is None:
            return False
        try:
            until = self.host.kept().keep(self.id, keep)
        except OSError as why:
            self.job_log.line(f"Its folders can't be kept: {why.strerror}")
            return False
        self.job_log.line(f"Its folder is kept until {instant(until)}: pycurrent shell {self.id}")
        return True

    def locking(self, path: Path, what: str) -> AbstractAsyncContextManager[None]:
        return self.locked(path, f"{what}: a command of an engine that was killed has it")

    @asynccontextmanager
    async def locked(self, path: Path, what: str, *, shared: bool = False) -> AsyncIterator[None]:
        """Hold the lock of a file, as do the commands that begin in the block. If somebody else has
        it, the job waits for `what`.
        """
        with ExitStack() as waiting:

            def wait() -> None:
                waiting.enter_context(self.waiting_for(what))

            async with self.commands.locking(path, wait, shared=shared):
                waiting.close()
                yield

    @to_be_entered
    @asynccontextmanager
    async def cache_folder(self, cache: Cache) -> AsyncIterator[Path]:
        limit = self.time_limit
        async with AsyncExitStack() as held:
            if limit is not None:
                limit.pause()
            try:
                path = await held.enter_async_context(self.host.folders().hold(self, cache))
            finally:
                if limit is not None and not self.commands.are_waiting:
                    limit.go_on()
            yield path

    # Files

    @to_be_awaited
    async def save(self, folder: Path | str, *patterns: str, required: bool = False) -> Tree:
        from pycurrent.engine import job_folders  # many jobs use no files
        from pycurrent.files import Tree

        save = partial(job_folders.save, self, Path(folder), patterns, required=required)
        return await self._noted(("save", str(folder), *patterns), save, Tree)

    @to_be_awaited
    async def save_file(self, path: Path | str) -> File:
        from pycurrent.engine import job_folders  # many jobs use no files
        from pycurrent.files import File

        save = partial(job_folders.save_file, self, Path(path))
        return await self._noted(("save_file", str(path)), save, File)

    @to_be_awaited
    async def put(self, what: Tree | File, target: Path | str) -> None:
        from pycurrent.engine import job_folders  # many jobs use no files

        put = partial(job_folders.put, self, what, Path(target))
        await self._noted(("put", str(what), str(target)), put, NoneType)

    @to_be_awaited
    async def send(self, folder: Path | str, target: Path | str) -> None:
        from pycurrent.engine import job_folders  # many jobs use no files

        send = partial(job_folders.send, self, Path(folder), Path(target))
        await self._noted(("send", str(target)), send, NoneType)

    @to_be_awaited
    async def read_file(self, path: Path | str) -> bytes:
        if self.place is not None:
            return await self.commands.there.read(Path(path))
        return await in_thread(Path(path).read_bytes)

    @to_be_awaited
    async def write_file(self, path: Path | str, data: bytes | str) -> None:
        from pycurrent.engine import job_folders  # many jobs use no files

        content = data.encode() if isinstance(data, str) else data
        if self.place is not None:
            await self.commands.there.write(Path(path), content)
        else:
            await in_thread(job_folders.write_whole, Path(path), content)

    @to_be_awaited
    async def glob(self, folder: Path | str, pattern: str) -> list[JobPath]:
        from pycurrent.engine import job_folders  # many jobs use no files

        if self.place is not None:
            return await self.commands.there.glob(Path(folder), pattern)
        return await in_thread(job_folders.matching, Path(folder), pattern)
