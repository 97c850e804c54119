"""The files that jobs have saved: listed, read, and packed, for the pages and the API."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import closing
from threading import Event
from typing import Protocol, TypeVar

from msgspec import Struct

from pycurrent.engine.tasks import in_thread, stoppable
from pycurrent.files import File, FileStore, Tree
from pycurrent.files.archives import ArchiveForm, archive
from pycurrent.files.listed import Listed
from pycurrent.files.listing import Entry, FileEntry
from pycurrent.files.placing import entries_of
from pycurrent.service.errors import FilesRemoved, NoSuchFile
from pycurrent.service.history import Records
from pycurrent.store import SavedRecord
from pycurrent.store.removed import RemovedPart

T = TypeVar("T")

_ENTRIES = 200_000
"""How many entries of trees are kept in mind."""
_AT_ONCE = 2
"""How many archives are packed and large contents compared at the same time."""
_LARGE = 16 << 20
_FEWEST = 8
"""How many digits of a digest name what has it."""


class Kept(Struct, frozen=True):
    """Something that a job has saved: a tree or a file."""

    number: int
    """Among all that the job has saved, from 1 on."""
    record: SavedRecord
    is_there: bool
    """False if the file, or the listing of the tree, is missing from the store."""
    removed: RemovedPart | None = None
    """That a rule of retention has removed it."""

    @property
    def value(self) -> Tree | File:
        record = self.record
        if record.count is None:
            return File(record.digest, record.size, record.mode or 0o644)
        return Tree(record.digest, record.count, record.size)


class OpenFile:
    """A content that is open to be read. Closed when nobody has it any more."""

    def __init__(self, source: int, entry: FileEntry) -> None:
        self._source = source
        self.entry = entry

    async def read(self, at: int, size: int) -> bytes:
        """Some bytes from a place on; none at the end."""
        return await in_thread(os.pread, self._source, size, at)

    def close(self) -> None:
        """Twice is fine."""
        if self._source >= 0:
            source, self._source = self._source, -1
            os.close(source)

    def __del__(self) -> None:
        self.close()


class _Reading(Protocol):
    """Reads the records in a thread: an `Archive`."""

    async def read(self, query: Callable[[Records], T]) -> T: ...


class KeptFiles:
    """The files of the jobs of one engine. Belongs to the loop's thread.

    All methods raise `NoSuchFile` for what a job has not saved, `FilesRemoved` for what a rule of
    retention has removed, and `FilesLost` for what is missing from the store, or damaged.
    """

    def __init__(self, store: FileStore, archive: _Reading) -> None:
        self._store = store
        self._archive = archive
        self._listed: OrderedDict[str, Listed] = OrderedDict()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def of_job(self, job_id: str) -> list[Kept]:
        """All that a job has saved, by name, as far as that is recorded."""
        store = self._store

        def read(records: Records) -> list[Kept]:
            removed = records.removed_files(job_id)
            return [
                Kept(number, record, _is_there(store, record), removed)
                for number, record in enumerate(records.saved.of_job(job_id), 1)
            ]

        return await self._archive.read(read)

    async def newest(self, *, limit: int) -> list[Kept]:
        """The things that were saved last, the newest first."""
        store = self._store

        def read(records: Records) -> list[Kept]:
            found = records.saved.newest(limit=limit)
            return [
                Kept(number, record, _is_there(store, record), records.removed_files(record.job_id))
                for record in found
                for number in [_number(records, record)]
            ]

        return await self._archive.read(read)

    async def find(self, job_id: str, which: str) -> Kept:
        """One of them by its number, or its digest or the beginning of that."""
        found = await self.of_job(job_id)
        if len(which) < _FEWEST:
            matching = [kept for kept in found if str(kept.number) == which]
        else:
            matching = [kept for kept in found if kept.record.digest.startswith(which)]
        if not matching:
            raise NoSuchFile(f"job {job_id} has saved nothing with the number or digest {which!r}")
        if len({kept.record.digest for kept in matching}) > 1:
            raise NoSuchFile(f"{which!r} is the beginning of several digests: give more of it")
        return matching[0]

    async def listed(self, kept: Kept) -> Listed:
        """The entries of a tree; a file is the only one of its own."""
        if kept.removed is not None:
            raise FilesRemoved(kept.record.job_id, str(kept.removed))
        value = kept.value
        if isinstance(value, File):
            entry = FileEntry(kept.record.name, value.mode, value.size, value.digest)
            return Listed([entry])
        found = self._listed.pop(value.digest, None)
        if found is None:
            found = await in_thread(lambda: Listed(entries_of(self._store, value)))
        self._listed[value.digest] = found
        while sum(len(listed.entries) for listed in self._listed.values()) > _ENTRIES:
            if len(self._listed) == 1:
                break
            self._listed.popitem(last=False)
        return found

    async def entry(self, kept: Kept, path: str) -> FileEntry:
        """The file at a path, through links of the tree."""
        found = (await self.listed(kept)).find(path)
        if found is None:
            record = kept.record
            raise NoSuchFile(f"job {record.job_id} has saved no file {path!r} in {record.name}")
        return found

    def has(self, entry: FileEntry) -> bool:
        """True if there is a file for it of the right size. Blocks for a moment."""
        return self._store.has(entry.digest, entry.size)

    async def open(self, entry: FileEntry) -> OpenFile:
        """Open a file of a tree, which is compared with its digest first."""
        file = File(entry.digest, entry.size, entry.mode)

        def opened(stop: Event) -> OpenFile:
            return OpenFile(self._store.open(file, entry.path, stop.is_set), entry)

        if entry.size <= _LARGE:
            return await stoppable(opened)
        async with self._turns:
            return await stoppable(opened)

    async def packed(self, kept: Kept, form: ArchiveForm) -> AsyncGenerator[bytes, None]:
        """The pieces of an archive of all of it, to be closed. Raises `FilesLost` at once if a file
        is missing, and in the midst if one is damaged.
        """
        entries = (await self.listed(kept)).entries
        await in_thread(_check, self._store, kept, entries)
        return self._pieces(_Packing(self._store, entries, form))

    async def _pieces(self, packing: _Packing) -> AsyncGenerator[bytes, None]:
        with closing(packing.made):
            while True:
                async with self._turns:
                    piece = await stoppable(packing.piece)
                if not piece:
                    return
                yield piece


class _Packing:
    """An archive, piece by piece."""

    def __init__(self, store: FileStore, entries: Sequence[Entry], form: ArchiveForm) -> None:
        self._stop = Event()
        self.made = archive(store, entries, form, self._is_stopped)

    def _is_stopped(self) -> bool:
        return self._stop.is_set()

    def piece(self, stop: Event) -> bytes:
        """The next piece; none at the end. Blocks."""
        self._stop = stop
        return next(self.made, b"")


def _check(store: FileStore, kept: Kept, entries: Sequence[Entry]) -> None:
    for entry in entries:
        if isinstance(entry, FileEntry) and not store.has(entry.digest, entry.size):
            # Says which, as everybody does who finds it missing.
            os.close(store.open(File(entry.digest, entry.size, entry.mode), entry.path))


def _number(records: Records, record: SavedRecord) -> int:
    return records.saved.of_job(record.job_id).index(record) + 1


def _is_there(store: FileStore, record: SavedRecord) -> bool:
    if record.count is None:
        return store.has(record.digest, record.size)
    return store.path_of(record.digest).is_file()
