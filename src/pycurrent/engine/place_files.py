"""The files of a job at another place: they travel through its relay, as archives.

Contents that the place was sent before do not travel again: it keeps them, and is asked which it
has. See `places/agent_contents.py`.

To ask for the same again does no harm, so a relay that has lost its connection does that.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from pycurrent.engine.place import JobPath, PathThere
from pycurrent.engine.tasks import in_thread, stoppable, uncancellable
from pycurrent.engine.tempdirs import Trash, temporary_folder
from pycurrent.files.archive import Content, contents_of, pack, unpack
from pycurrent.files.patterns import fixed_folder, outermost

_WORTH = 2048
"""Bytes of the smallest file that is asked for by its digest: a smaller one is sent as soon."""
_AT_ONCE = 50_000
"""Digests in one question."""
_MOST_THERE = 2 << 30
"""Bytes of contents that a place keeps at most, of all engines and jobs of a user."""


class Asking(Protocol):
    """The commands of a job at a place."""

    @property
    def tmp(self) -> Path:
        """Where temporary files are made here."""

    async def ask(self, request: dict[str, object]) -> Any:
        """Ask the place for something. Raises OSError, and `PlaceLost`."""


class PlaceFiles:
    """The files of one job at its place."""

    def __init__(self, commands: Asking, job: str, trash: Trash) -> None:
        """`job`: the token by which the place knows the job; `trash` removes large folders here."""
        self._commands = commands
        self._job = job
        self._trash = trash
        self._folders: Counter[str] = Counter()
        self.caches: list[tuple[str, str]] = []
        """The cache folders that it holds, and as whose commands use them."""
        self.kept: timedelta | None = None
        """For how long its folders stay there; None: no longer than the job."""

    async def _ask(self, what: str, files: dict[str, object] | None = None, **args: object) -> Any:
        return await self._commands.ask({"what": what, "args": args, **(files or {})})

    async def leave(self) -> None:
        """Remove all that the job has there, but for the folders that are kept."""
        keep = 0.0 if self.kept is None else self.kept.total_seconds()
        await self._ask("forget", jobs={self._job: [keep, True]})

    @asynccontextmanager
    async def tempdir(
        self, prefix: str, kept: Callable[[BaseException], timedelta | None]
    ) -> AsyncIterator[PathThere]:
        """A temporary folder there. In a job that goes on the same one as before. `kept` tells for
        how long it stays after an exception.
        """
        self._folders[prefix] += 1
        name = f"{prefix}{self._folders[prefix]}"
        folder = await self._ask("folder", job=self._job, name=name)
        time = None
        try:
            yield PathThere(folder)
        except BaseException as error:
            time = kept(error)
            raise
        finally:
            if time is None:
                await uncancellable(self._ask("remove", path=folder))
            else:
                self.kept = time if self.kept is None else max(time, self.kept)

    async def cache(self, name: str, digest: str) -> tuple[PathThere, str]:
        """A cache folder, the same one for all jobs of a user there, and a name of what it is in,
        which several places may share.
        """
        path, where = await self._ask("cache", name=name, digest=digest)
        return PathThere(path), where

    @contextmanager
    def using(self, cache: PathThere, *, shared: bool) -> Iterator[None]:
        """The commands that begin in the block have a cache folder with nobody else, or with all
        who share it.
        """
        use = (str(cache), "shared" if shared else self._job)
        self.caches.append(use)
        try:
            yield
        finally:
            self.caches.remove(use)

    async def end_cache_use(self, name: str, digest: str, most: int) -> list[tuple[str, int]]:
        """Have those of a name hold no more than so many bytes. Gives the paths and sizes of what
        was removed.
        """
        removed = await self._ask("cache_used", name=name, digest=digest, most=most)
        return [(path, size) for path, size in removed]

    async def copy_cache(self, name: str, digest: str, target: Path) -> None:
        """Copy one, once nobody uses it, to a folder there that is new."""
        await self._ask("cache_copied", name=name, digest=digest, target=str(target))

    async def read(self, path: Path) -> bytes:
        """The content of a file."""
        async with self._scratch() as scratch:
            content = scratch / "content"
            await self._ask("read", {"output_file": str(content)}, path=str(path))
            return await in_thread(content.read_bytes)

    async def write(self, path: Path, data: bytes) -> None:
        """Write a file, whole or not at all."""
        async with self._scratch() as scratch:
            content = scratch / "content"
            await in_thread(content.write_bytes, data)
            await self._ask("write", {"input_file": str(content)}, path=str(path))

    async def glob(self, path: Path, pattern: str) -> list[JobPath]:
        """The paths below a folder that match, sorted."""
        found = await self._ask("glob", path=str(path), pattern=pattern)
        return [PathThere(path, name) for name in found]

    @asynccontextmanager
    async def fetched(self, folder: Path, patterns: Sequence[str]) -> AsyncIterator[Path]:
        """A folder here with what the patterns may select in one there, or all of it without any.

        Raises `FilesError` for what can't be in a tree, OSError if there is no such folder.
        """
        names = list(outermost(map(fixed_folder, patterns))) if patterns else [""]
        async with self._scratch() as scratch:
            archive, here = scratch / "tar", scratch / (folder.name or "root")
            here.mkdir()
            files: dict[str, object] = {"output_file": str(archive)}
            await self._ask("pack", files, path=str(folder), names=names)

            def unpacking(stop: Event) -> None:
                with archive.open("rb") as source:
                    unpack(source, here, stop)

            await stoppable(unpacking)
            await in_thread(archive.unlink)
            yield here

    @asynccontextmanager
    async def sent(self, folder: Path) -> AsyncIterator[Path]:
        """A folder here, in which the block puts what is to come into one there."""
        async with self._scratch() as scratch:
            here, archive = scratch / "files", scratch / "tar"
            here.mkdir()
            yield here
            await self._send(here, archive, folder)

    async def send(self, here: Path, folder: Path) -> None:
        """Copy all that is in a folder here into one there."""
        async with self._scratch() as scratch:
            await self._send(here, scratch / "tar", folder)

    async def _send(self, here: Path, archive: Path, folder: Path) -> None:
        """Without the contents that the place has, as it was sent them before."""
        contents = await stoppable(partial(contents_of, here, _WORTH))
        there = await self._kept_there(contents.values(), archive)
        while True:
            known = {
                path: replace(one, is_there=one.digest in there) for path, one in contents.items()
            }

            def packing(stop: Event, known: dict[str, Content] = known) -> None:
                with archive.open("wb") as target:
                    pack(here, target, stop, contents=known)

            await stoppable(packing)
            files: dict[str, object] = {"input_file": str(archive)}
            if not await self._ask("unpack", files, path=str(folder), most=_MOST_THERE):
                return
            # Some have gone meanwhile: all are sent.
            there = frozenset()

    async def _kept_there(self, contents: Iterable[Content], scratch: Path) -> frozenset[str]:
        """The digests of those contents that the place has."""
        digests = sorted({content.digest for content in contents})
        there: set[str] = set()
        for at in range(0, len(digests), _AT_ONCE):
            await in_thread(scratch.write_text, json.dumps(digests[at : at + _AT_ONCE]))
            there.update(await self._ask("has", {"input_file": str(scratch)}))
        return frozenset(there)

    def _scratch(self) -> Any:
        return temporary_folder(self._commands.tmp, "place-", self._trash)
