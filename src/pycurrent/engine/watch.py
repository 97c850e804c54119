"""Tells of files that change, without polling.

What is watched are paths rather than files: one that does not exist yet, that is replaced by a
rename (so do git and editors write), deleted and made anew, reached through symbolic links, or
that lies below a folder which is moved away, is watched all the same. On Linux the kernel tells
(`watch_inotify`): there is no thread and no delay. Elsewhere `watchfiles` asks the system in a
thread of its own (`watch_portable`), and tells after some ten milliseconds. File systems of other
machines (NFS) tell of no changes that are made over there.

A user of Linux may have no more than 128 inotify instances at a time, so whoever watches much
shares one `FileWatcher`. That of an engine is the service `engine_files`.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from pathlib import Path

Paths = Callable[[], Iterable[Path]]
"""The paths to watch. Asked at the start and after each change, as they may depend on what the
files say. Cheap, and without an error if files are missing."""


class Notice(Enum):
    """When a file that is being written counts as changed."""

    CLOSED = "closed"
    """When its writer closes it, so that a reader doesn't get half of it."""
    WRITTEN = "written"
    """With each write."""


class FileWatcher(ABC):
    """Watches paths for those who ask. Belongs to one event loop and its thread."""

    @abstractmethod
    def watch(
        self, paths: Paths, refresh: Callable[[], None], *, notice: Notice = Notice.CLOSED
    ) -> AbstractAsyncContextManager[None]:
        """Call `refresh` during the block whenever one of the paths may have changed.

        A file changes when it is made, written, replaced or removed, or its permissions change;
        a folder also when that happens to an entry of it, but no further down. Changes that
        come together may be told once, and `refresh` may be called for nothing. Raises OSError
        if the system refuses to watch.
        """

    @abstractmethod
    def close(self) -> None:
        """End all watches: they tell nothing any more. Twice is fine."""


def file_watcher() -> FileWatcher:
    """The watcher for this system. It holds no resource before it is used."""
    # Only the one that is used is loaded.
    if sys.platform != "linux":
        from pycurrent.engine.watch_portable import WatchfilesWatcher

        return WatchfilesWatcher()
    from pycurrent.engine.watch_inotify import InotifyWatcher

    return InotifyWatcher()


@asynccontextmanager
async def watch_paths(
    paths: Iterable[Path] | Paths,
    refresh: Callable[[], None],
    *,
    notice: Notice = Notice.CLOSED,
) -> AsyncIterator[None]:
    """Watch a few paths for the block, as `FileWatcher.watch` does, with a watcher of its own."""
    fixed = () if callable(paths) else tuple(paths)
    watcher = file_watcher()
    try:
        async with watcher.watch(
            paths if callable(paths) else lambda: fixed, refresh, notice=notice
        ):
            yield
    finally:
        watcher.close()
