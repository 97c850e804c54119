"""The files that jobs save and place: the store of an engine, and its records.

A job goes on when the files that it has saved are recorded, so a killed engine loses none of them.
The job that has made files makes them again if they are lost: see `losses.py`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from pycurrent.engine.clock import Clock
from pycurrent.engine.commits import Commits
from pycurrent.engine.losses import Losses
from pycurrent.engine.machine import Blame
from pycurrent.engine.tasks import in_thread, stoppable
from pycurrent.errors import WrongKind
from pycurrent.files import (
    File,
    FilesError,
    FilesLost,
    FileStore,
    Saved,
    Tree,
    entries_of,
    is_in,
    is_kept,
    place,
    save,
    save_file,
)
from pycurrent.files.listing import Entry
from pycurrent.store import SavedFiles, SavedRecord
from pycurrent.term import Failure, FailureKind, shown

if TYPE_CHECKING:
    from pycurrent.engine.job_work import WorkingJob

T = TypeVar("T")

_AT_ONCE = 3
"""How many jobs read and write files at the same time: the disk has no more for others."""


class FilesMissing(Failure):
    """A job needs files that are lost; they are made again before it is run again."""

    blame = Blame.SHORTAGE


class FilesGone(Failure):
    """A job needs files that are lost, and nothing makes them again by itself."""

    blame = Blame.BROKEN


class JobFiles:
    """The files of one engine's jobs. Belongs to the loop's thread."""

    def __init__(
        self,
        store: FileStore,
        records: SavedFiles,
        commits: Commits,
        clock: Clock,
        losses: Losses,
        between_steps: Callable[[], Awaitable[None]],
    ) -> None:
        self.store = store
        self._records = records
        self._commits = commits
        self._clock = clock
        self._losses = losses
        self._between_steps = between_steps
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._cleaning = asyncio.Lock()
        self._is_clean = False

    async def save(
        self, job: WorkingJob, folder: Path, patterns: Sequence[str], *, required: bool
    ) -> Tree:
        """See `Job.save`."""

        def saving(stop: Event) -> Saved:
            with self.store.writing() as writer:
                return save(self.store, writer, folder, patterns, stop)

        def record(saved: Saved) -> SavedRecord:
            tree, name = saved.tree, ", ".join(patterns) or folder.name
            if required and saved.unmatched:
                raise Failure(f"nothing in {folder} matches {', '.join(saved.unmatched)}")
            return self._record(job, tree.digest, name, count=tree.count, size=tree.size)

        saved = await self._kept(job, saving, record)
        for pattern in saved.unmatched:
            job.note(f"Nothing in {folder} matches {pattern}")
        if saved.left_out:
            some = ", ".join(saved.left_out[:3])
            job.note(f"Left out, as they are not files ({len(saved.left_out)}): {some}")
        job.note(f"Saved {', '.join(patterns) or folder}: {saved.tree}")
        return saved.tree

    async def save_file(self, job: WorkingJob, path: Path) -> File:
        """See `Job.save_file`."""

        def saving(stop: Event) -> File:
            with self.store.writing() as writer:
                return save_file(writer, path, stop)

        def record(file: File) -> SavedRecord:
            return self._record(job, file.digest, path.name, size=file.size, mode=file.mode)

        file = await self._kept(job, saving, record)
        job.note(f"Saved {path}: {file}")
        return file

    async def put(self, job: WorkingJob, what: Tree | File, target: Path) -> None:
        """See `Job.put`."""
        if not isinstance(what, Tree | File):
            raise WrongKind(f"job.put takes a Tree or a File, not {shown(what)}")
        try:
            async with self._turn(job):
                await stoppable(lambda stop: place(self.store, what, target, stop))
        except FilesError as error:
            raise Failure(str(error)) from None
        except FilesLost as lost:
            await self._between_steps()
            maker = self._losses.heal(job, lost.digest, lost.what)
            if maker is None:
                raise FilesGone(
                    f"{lost.what} is {lost.how}, and no stage of the pipeline makes {what} again:"
                    " rebuild the stage that has made it",
                    kind=FailureKind.INFRA,
                ) from None
            raise FilesMissing(
                f"{lost.what}, which job {maker} had saved, is {lost.how}, and made again",
                kind=FailureKind.INFRA,
            ) from None
        job.note(f"Placed {what} in {target}")

    async def are_there(self, what: Tree | File) -> bool:
        """True if what was saved can be placed, as far as its files tell without being read."""
        async with self._turns:
            return await in_thread(is_kept, self.store, what)

    async def entries(self, tree: Tree) -> list[Entry]:
        """The listing of a tree that a job has placed. Raises `FilesLost`."""
        return await in_thread(entries_of, self.store, tree)

    async def is_in(self, what: Tree | File, target: Path) -> bool:
        """True if a folder has all of a tree, or a path has a file, as they were saved. Reads them.
        Raises OSError for what can't be read.
        """
        async with self._turns:
            return await in_thread(is_in, self.store, what, target)

    async def _kept(
        self, job: WorkingJob, saving: Callable[[Event], T], record: Callable[[T], SavedRecord]
    ) -> T:
        """Save something, and record it; until that is done nothing of it is removed."""
        async with self._turn(job):
            await self._clean()
            with ExitStack() as held:
                try:
                    saved = await stoppable(self._holding(job, saving, held))
                except FilesError as error:
                    raise Failure(str(error)) from None
                self._records.add(record(saved))
                await self._commits.written()
        return saved

    async def _clean(self) -> None:
        """Remove what a killed engine has left, before anything is saved: it looks the same."""
        async with self._cleaning:
            if not self._is_clean:
                await in_thread(self.store.remove_leftovers)
                self._is_clean = True

    @asynccontextmanager
    async def _turn(self, job: WorkingJob) -> AsyncIterator[None]:
        """Wait until few others read and write files."""
        with ExitStack() as waiting:
            if self._turns.locked():
                waiting.enter_context(
                    job.waiting_for("its turn to read and write files, as no more may at once")
                )
            await self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()

    def _holding(
        self, job: WorkingJob, saving: Callable[[Event], T], held: ExitStack
    ) -> Callable[[Event], T]:
        """Return what holds the store until `held` is closed, and saves. While garbage is
        collected, the job says that it waits for that.
        """
        loop, waiting = asyncio.get_running_loop(), held.enter_context(ExitStack())

        def say() -> None:
            waiting.enter_context(job.waiting_for("the end of a removal of old files"))

        def hold_and_save(stop: Event) -> T:
            told = Event()

            def waits() -> None:
                if not told.is_set():
                    told.set()
                    loop.call_soon_threadsafe(say)

            held.callback(os.close, self.store.hold(stop, waits))
            if told.is_set():
                loop.call_soon_threadsafe(waiting.close)
            return saving(stop)

        return hold_and_save

    def _record(
        self,
        job: WorkingJob,
        digest: str,
        name: str,
        *,
        size: int,
        count: int | None = None,
        mode: int | None = None,
    ) -> SavedRecord:
        return SavedRecord(job.id, digest, name, count, size, mode, self._clock.now())
