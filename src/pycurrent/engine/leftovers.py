"""The commands of a killed engine that are still at work, and the jobs that wait for them.

The commands of a killed engine are ended by their supervisors, which takes as long as a command
has to tidy up: seconds, or what its `grace` says. The next engine may well be there before. So
each job that runs commands has a *lock*, a file in `run/<job id>/` that is locked (flock) through
one open file which the engine shares with the supervisors of the job's commands. The kernel lets
go of it when the last of them is gone, however that comes.

An engine looks at the start whose locks are still held. Work that such a job was doing, the same
operation for the same key, is not begun before that lock is free; all else is begun at once. All
that a job may have left at another place is waited for in the same way: see `fence.py`.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pycurrent.store import Database, StateDir
from pycurrent.store.lock import is_at
from pycurrent.store.trees import remove_tree

if TYPE_CHECKING:
    from pycurrent.engine.fence import FencedJob
    from pycurrent.engine.process import Processes
    from pycurrent.engine.waits import Told

# ruff: noqa: PTH102, PTH103, PTH106, PTH108
# Of a job's lock the objects for paths would cost more than the files.

LOCK = "lock"
"""The name of its file."""

_LOOK = 0.05
"""Seconds between two looks at a lock: the kernel tells nobody that it is free."""

_ASKED = 8
"""How many places are asked at once to end what jobs have left there."""


class JobLock:
    """The lock of one job, which is taken when the job runs its first command."""

    __slots__ = ("_file", "_is_kept", "_job_id", "_runs", "adopted", "open_files")

    def __init__(self, runs: Path, job_id: str, open_files: set[int]) -> None:
        """`open_files`: has those that hold a lock while they do; no fork may keep one."""
        self._runs = runs
        self._job_id = job_id
        self._file: int | None = None
        self._is_kept = False
        self.open_files = open_files
        self.adopted: list[int] = []
        """Open files, of this lock and others, that commands hold which an earlier engine has
        begun for the job.
        """

    @property
    def folder(self) -> Path:
        """The folder that it is in."""
        return Path(self._folder())

    def keep(self) -> None:
        """The folder stays when it is released: it holds a journal."""
        self._is_kept = True

    def adopt(self, files: list[int]) -> None:
        """Take over open files, which hold locks."""
        self.adopted += files
        self.open_files.update(files)

    def take(self) -> int:
        """The open file that holds the lock, to be handed to supervisors. Raises OSError."""
        if self._file is None:
            folder = self._folder()
            self._file = held_by(self.adopted, Path(f"{folder}/{LOCK}"))
        if self._file is None:
            try:
                os.mkdir(folder)
            except (FileExistsError, FileNotFoundError):
                os.makedirs(folder, exist_ok=True)
            self._file = _open(f"{folder}/{LOCK}")
            self.open_files.add(self._file)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self._file

    def release(self) -> None:
        """Let go of it: no command of the job is left. Twice does nothing more."""
        files = {*self.adopted} if self._file is None else {self._file, *self.adopted}
        if self._file is not None and not self._is_kept:
            _remove(self._folder())
        self._file, self.adopted = None, []
        self.open_files.difference_update(files)
        for file in files:
            os.close(file)

    def _folder(self) -> str:
        # Most jobs run no command: a path that is kept would be the largest part of this.
        return f"{self._runs}/{self._job_id}"


class Leftover:
    """A job of a killed engine of which something still lived when this one began."""

    def __init__(self, job_id: str, work: tuple[str, str] | None, path: Path, file: int) -> None:
        """`work`: the id of the operation and the digest of the key, if they are known."""
        self.job_id = job_id
        self.work = work
        self._path = path
        self._file: int | None = file

    @property
    def has_ended(self) -> bool:
        if self._file is None:
            return True
        if not _try_lock(self._file):
            return False
        _remove(self._path.parent)
        self.close()
        return True

    def __str__(self) -> str:
        return (
            f"the end of job {self.job_id}: its engine was killed, and its commands are still"
            " ending"
        )

    async def end(self) -> None:
        """Wait for it."""
        while not self.has_ended:  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(_LOOK)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Leftovers:
    """The jobs of which something may be left, before their work is begun again: those that an
    engine met at its start, and those that have left something at another place.
    """

    def __init__(self, found: list[Leftover]) -> None:
        self._found = found
        self._fenced: list[FencedJob] = []
        self._asking = asyncio.Semaphore(_ASKED)

    @classmethod
    def look(cls, state: StateDir, store: Database) -> Self:
        """Finds them. Removes the locks that nobody holds any more."""
        found: list[Leftover] = []
        for path in sorted(state.runs.glob(f"*/*/{LOCK}")):
            from pycurrent.engine.journal import Journal  # few engines were killed

            with suppress(OSError):
                file = _open(path)
                if _try_lock(file):
                    if not Journal.is_at(path.parent):
                        _remove(path.parent)
                    os.close(file)
                    continue
                job_id = str(path.parent.relative_to(state.runs))
                record = store.job(job_id)
                work = None if record is None else (record.op, record.key_digest)
                found.append(Leftover(job_id, work, path, file))
        return cls(found)

    def taken_over(self, job_id: str) -> None:
        """A durable job goes on: nobody waits for its end."""
        for leftover in [found for found in self._found if found.job_id == job_id]:
            leftover.close()
            self._found.remove(leftover)

    def __bool__(self) -> bool:
        return bool(self._found or self._fenced)

    def fence(self, job: FencedJob) -> None:
        """Have the work of a job wait until nothing of it is left at its place: see `see_to`."""
        self._fenced.append(job)

    @property
    def fenced(self) -> list[FencedJob]:
        """The jobs that may have left something at other places."""
        return list(self._fenced)

    async def see_to(self, job: FencedJob, processes: Processes, tmp: Path) -> None:
        """Have what a job has left at a place end, and wait for that."""
        left = next((found for found in self._found if found.job_id == job.job_id), None)
        await job.see_to(processes, tmp, self._asking, left)
        self._fenced.remove(job)

    async def end_of(
        self,
        op: str,
        key_digest: str,
        log: Callable[[str], None],
        waiting: Callable[[Told], AbstractContextManager[None]],
    ) -> None:
        """Wait for what is left of earlier runs of the same work; said in the `log`, and as long as
        it lasts by `waiting`.
        """
        found: list[Leftover | FencedJob] = [*self._found, *self._fenced]
        for left in found:
            if left.work == (op, key_digest) and not left.has_ended:
                with waiting(left.__str__):
                    await left.end()
                log("It has ended")

    async def all_ended(self) -> None:
        """Wait for the end of all of them."""
        for leftover in self._found:
            await leftover.end()

    def close(self) -> None:
        """Look no further. Twice is fine."""
        for leftover in self._found:
            leftover.close()


async def remove_leftover_folders(leftovers: Leftovers, folders: list[Path]) -> None:
    """Remove the temporary folders of earlier engines, once nobody is at work in them."""
    await leftovers.all_ended()
    for folder in folders:
        await asyncio.to_thread(remove_tree, folder)


def held_by(files: list[int], path: Path) -> int | None:
    """The one of these open files that is at a path."""
    return next((file for file in files if is_at(file, path)), None)


@asynccontextmanager
async def locked_file(
    path: Path,
    open_files: set[int],
    waiting: Callable[[], None],
    *,
    shared: bool = False,
    adopted: list[int] | None = None,
) -> AsyncIterator[int]:
    """Hold the lock of a file for the block, alone or `shared` with others that want it so; gives
    the open file, to be handed to supervisors.

    It is one of the `open_files` as long as it is. `waiting` is called if somebody else has the
    lock. A file that its holder removes is made again. One of those that were `adopted` holds it
    already. Raises OSError if it can't be made.
    """
    waits = False
    held = held_by(adopted or [], path)
    if held is not None:
        yield held
        return
    while True:
        file = _open(path)
        open_files.add(file)
        try:
            while not _try_lock(file, shared=shared):
                if not waits:
                    waits = True
                    waiting()
                await asyncio.sleep(_LOOK)
            if is_at(file, path):
                yield file
                return
        finally:
            open_files.discard(file)
            os.close(file)


def _open(path: Path | str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(file: int, *, shared: bool = False) -> bool:
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(folder: Path | str) -> None:
    """The folder of a lock that is held here, and its file."""
    with suppress(OSError):
        os.unlink(f"{folder}/{LOCK}")
        os.rmdir(folder)
