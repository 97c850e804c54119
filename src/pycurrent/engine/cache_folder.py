"""Cache folders: what tools download or compile is kept for the next jobs.

A folder has one path for good, as tools write paths into what they keep. One job uses it at a time,
in the order in which they come, or several, where all of them say that their tool allows it. The
lock is the kernel's, and is shared with the commands of the job: a job of the next engine waits for
those of one that was killed. Jobs come here with the resource of their pool, and take several
folders in one order, so none waits for another in a circle.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pycurrent.engine.place import PlaceLost
from pycurrent.engine.pool import Pool
from pycurrent.engine.tasks import in_thread, uncancellable
from pycurrent.errors import UsageError, WrongKind
from pycurrent.store.byte_size import byte_size
from pycurrent.store.cache_folders import CacheFolder, CacheFolders
from pycurrent.store.trees import copy_tree
from pycurrent.term import Current, shown

if TYPE_CHECKING:
    from pycurrent.engine.job_work import WorkingJob

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "pip": "PIP_CACHE_DIR",
        "uv": "UV_CACHE_DIR",
        "npm": "npm_config_cache",
        "cargo": "CARGO_HOME",
        "ccache": "CCACHE_DIR",
        "go": "GOCACHE",
    }
)
"""By which environment variable each tool is told its folder."""


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder that is kept between runs, for what a tool downloads or compiles.

    All jobs with the same `name` and `key` share it. The key is a text, or for commands a current
    of one, such as a digest of a lock file. A command finds the folder by the environment variable
    `env`, which for pip, uv, npm, cargo, ccache and go is known from the name.

    One job uses it at a time, and others wait; with `shared` as many as like to, if all of them say
    so: for tools that allow it, as those do. After each use the folders of a name are removed that
    were not used for the longest time, until all of them hold no more than `max_size`: bytes, or a
    text such as "500M" or "2G". A folder that alone holds more is removed.

    It is only context: results must not depend on it. Raises UsageError for what can't be one.
    """

    name: str
    key: str | Current[str] = ""
    _: KW_ONLY
    env: str | None = None
    max_size: int | str = "2G"
    shared: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise UsageError(
                f"Cache takes a name of up to 64 letters, digits, '.', '_' and '-', not"
                f' {self.name!r}: Cache("pip")'
            )
        if not isinstance(self.key, str | Current):
            raise WrongKind(f"cache {self.name!r}: key= takes a text, not {shown(self.key)}")
        if self.env is not None and not (
            isinstance(self.env, str) and _VARIABLE.fullmatch(self.env)
        ):
            raise UsageError(
                f"cache {self.name!r}: env= takes the name of a variable, not {self.env!r}"
            )
        if not isinstance(self.shared, bool):
            raise WrongKind(
                f"cache {self.name!r}: shared= takes True or False, not {shown(self.shared)}"
            )
        _ = self.limit

    @property
    def limit(self) -> int:
        """`max_size` in bytes."""
        size = byte_size(self.max_size)
        if size is None:
            raise UsageError(
                f"cache {self.name!r}: max_size= takes bytes, or a text such as '500M' or '2G', not"
                f" {self.max_size!r}"
            )
        return size

    @property
    def variable(self) -> str:
        """The environment variable that tells a command the folder. Raises UsageError."""
        variable = self.env or _VARIABLES.get(self.name)
        if variable is None:
            raise UsageError(
                f"cache {self.name!r}: it is not known how the command finds the folder: name"
                ' the variable that it reads, env="..."'
            )
        return variable


@dataclass
class _Turn:
    """The queue for a folder."""

    pool: Pool
    holder: str = ""
    """The job that has it now."""

    def told(self) -> str:
        """Tell the jobs in the queue why they are there."""
        return f"the folder of {self.pool.label}: job {self.holder} uses it"


class FolderTurns:
    """The cache folders of one engine, and who has each of them. Belongs to the loop's thread.

    A folder that is not shared has a queue while any job has it or waits for it.
    """

    def __init__(self, folders: CacheFolders) -> None:
        self._folders = folders
        self._turns: dict[Path, _Turn] = {}
        self._holders: set[tuple[str, Path]] = set()

    @asynccontextmanager
    async def hold(self, job: WorkingJob, cache: Cache) -> AsyncIterator[Path]:
        """Hold the folder of a cache for the block, at the place of the job. Raises OSError if it
        can't be made, `PlaceLost`, and UsageError if the job has it, or the key is not a text.
        """
        if not isinstance(cache.key, str):
            raise UsageError(f"cache {cache.name!r}: key= has to be a text here: take its value")
        folder = self._folders.of(cache.name, cache.key)
        if not job.is_trusted:
            held = self._copied(job, cache, folder)
        else:
            held = self._own(job, cache, folder)
        async with held as path:
            yield path

    @asynccontextmanager
    async def _own(self, job: WorkingJob, cache: Cache, folder: CacheFolder) -> AsyncIterator[Path]:
        holder = (job.id, folder.path)
        if holder in self._holders:
            raise UsageError(f"the job has the folder of cache {cache.name!r} already: use that")
        self._holders.add(holder)
        hold = self._held_here if job.place is None else self._held_there
        try:
            async with hold(job, cache, folder) as path:
                yield path
        finally:
            self._holders.discard(holder)

    @asynccontextmanager
    async def _held_here(
        self, job: WorkingJob, cache: Cache, folder: CacheFolder
    ) -> AsyncIterator[Path]:
        key = str(cache.key)
        try:
            async with self._locked(job, cache, folder):
                await in_thread(folder.make, key, self._folders.sharing)
                try:
                    yield folder.path
                finally:
                    await in_thread(folder.note_use, key, self._folders.sharing)
        finally:
            await self._bound(job, cache)

    @asynccontextmanager
    async def _held_there(
        self, job: WorkingJob, cache: Cache, folder: CacheFolder
    ) -> AsyncIterator[Path]:
        """The jobs of this engine take turns; its lock there is held by each command."""
        there, digest = job.commands.there, folder.path.name
        path, where = await there.cache(cache.name, digest)
        async with AsyncExitStack() as held:
            if not cache.shared:
                await held.enter_async_context(self._turn(job, cache, Path(where, digest)))
            held.enter_context(there.using(path, shared=cache.shared))
            try:
                yield path
            finally:
                removed = there.end_cache_use(cache.name, digest, cache.limit)
                try:
                    for gone, size in await uncancellable(removed):
                        self._say_removed(job, cache, gone, size)
                except (OSError, PlaceLost) as error:
                    self._say_kept(job, cache, error)

    @asynccontextmanager
    async def _copied(
        self, job: WorkingJob, cache: Cache, folder: CacheFolder
    ) -> AsyncIterator[Path]:
        """Give untrusted work a copy, which is gone with the block: it reads what is kept, and
        nobody reads what it writes.
        """
        async with job.tempdir("cache-") as scratch:
            own = scratch / cache.name
            if job.place is not None:
                with job.waiting_for(f"a copy of the folder of cache {cache.name} at {job.place}"):
                    await job.commands.there.copy_cache(cache.name, folder.path.name, own)
            else:
                await self._copy(job, cache, folder, own)
            job.note(f"Untrusted work has a copy of the folder of cache {cache.name}")
            yield own

    async def _copy(self, job: WorkingJob, cache: Cache, folder: CacheFolder, own: Path) -> None:
        async with self._locked(job, cache, folder):
            if folder.path.is_dir():
                await in_thread(copy_tree, folder.path, own)
            else:
                own.mkdir()

    @asynccontextmanager
    async def _locked(
        self, job: WorkingJob, cache: Cache, folder: CacheFolder
    ) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            if not cache.shared:
                await held.enter_async_context(self._turn(job, cache, folder.path))
            await in_thread(self._folders.make_room, cache.name)
            waits_for = f"the folder of cache {cache.name}: other commands use it"
            await held.enter_async_context(job.locked(folder.lock, waits_for, shared=cache.shared))
            yield

    @asynccontextmanager
    async def _turn(self, job: WorkingJob, cache: Cache, path: Path) -> AsyncIterator[None]:
        turn = self._turns.get(path)
        if turn is None:
            turn = self._turns[path] = _Turn(Pool(f"cache {cache.name}", 1))
        try:
            async with AsyncExitStack() as held:
                with ExitStack() as waiting:
                    if not turn.pool.free:
                        waiting.enter_context(job.waiting_for(turn.told))
                    await held.enter_async_context(turn.pool.acquire(job))
                turn.holder = job.id
                now = job.host.clock.now()
                held.enter_context(job.host.waits.visiting(turn.pool, job.id, now))
                yield
        finally:
            if not turn.pool.used and not turn.pool.queue_length:
                self._turns.pop(path, None)

    async def _bound(self, job: WorkingJob, cache: Cache) -> None:
        """Remove what is too much, and say so."""

        def removed() -> list[tuple[CacheFolder, int]]:
            return list(self._folders.bound(cache.name, cache.limit))

        try:
            for folder, size in await in_thread(removed):
                self._say_removed(job, cache, str(folder.path), size)
        except OSError as error:
            self._say_kept(job, cache, error)

    def _say_kept(self, job: WorkingJob, cache: Cache, error: Exception) -> None:
        job.note(f"The folders of cache {cache.name} may hold more than they should: {error}")

    def _say_removed(self, job: WorkingJob, cache: Cache, path: str, size: int) -> None:
        job.note(
            f"Removed {path}, {size / 1e6:,.1f} MB: the folders of cache {cache.name} held more"
            f" than {cache.max_size}"
        )
