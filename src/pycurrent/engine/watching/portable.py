"""Watching files on any system, by its own way to tell what happens in a folder."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from pycurrent.engine.watching.watcher import FileWatcher, Notice, Paths
from pycurrent.errors import PycurrentError

if TYPE_CHECKING:
    from watchfiles import Change

_log = logging.getLogger(__name__)


class WatchfilesWatcher(FileWatcher):
    """Through `watchfiles`: a thread for each watch."""

    def __init__(self) -> None:
        self._stops: dict[asyncio.Event, None] = {}
        self._closed = False

    @asynccontextmanager
    async def watch(
        self, paths: Paths, refresh: Callable[[], None], *, notice: Notice = Notice.CLOSED
    ) -> AsyncIterator[None]:
        if self._closed:
            raise PycurrentError("the file watcher is closed")
        stop = asyncio.Event()
        self._stops[stop] = None

        def tell() -> None:
            if not stop.is_set():
                refresh()

        task = asyncio.create_task(_follow(paths, tell, stop))
        try:
            # Up to where it waits for changes: it watches from here on.
            await asyncio.sleep(0)
            if task.done():
                task.result()
            task.add_done_callback(_report)
            yield
        finally:
            stop.set()
            del self._stops[stop]
            await asyncio.wait([task])

    def close(self) -> None:
        self._closed = True
        for stop in self._stops:
            stop.set()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("files are watched no longer: %s", error)


async def _follow(paths: Paths, refresh: Callable[[], None], stop: asyncio.Event) -> None:
    """Tell of changes until stopped. It watches when it first waits."""
    from watchfiles import awatch

    while not stop.is_set():
        around = _Surroundings.of(paths())
        with suppress(FileNotFoundError):
            changes = awatch(
                *around.folders,
                watch_filter=around.concerns,
                stop_event=stop,
                recursive=False,
                debounce=50,
                step=10,
                ignore_permission_denied=True,
            )
            async with aclosing(changes):
                async for _ in changes:
                    refresh()
                    if _Surroundings.of(paths()) != around:
                        break
        # Once it watches again: what happened in between has been told to nobody.
        asyncio.get_running_loop().call_soon(refresh)


class _Surroundings(Struct, frozen=True):
    """The folders and entries to watch for these paths, as the file system is now."""

    folders: frozenset[Path]
    """Existing ones, to be watched."""
    names: frozenset[Path]
    """Paths that matter."""
    inside: frozenset[Path]
    """Folders whose entries all matter."""

    @classmethod
    def of(cls, paths: Iterable[Path]) -> _Surroundings:
        names: set[Path] = set()
        ends: set[Path] = set()
        for path in paths:
            for way in (path.absolute(), Path(os.path.realpath(path))):
                names.update((way, *way.parents))
                ends.add(way)
        inside = frozenset(filter(Path.is_dir, ends))
        folders = inside | {name.parent for name in names}
        return cls(frozenset(filter(Path.is_dir, folders)), frozenset(names), inside)

    def concerns(self, change: Change, path: str) -> bool:
        changed = Path(path)
        return changed in self.names or changed.parent in self.inside
