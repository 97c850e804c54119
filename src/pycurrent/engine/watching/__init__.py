"""Tells of files that change, without polling.

It watches paths rather than files: a path that does not exist yet, that is replaced by a rename
(as git and editors do), deleted and made again, reached through symbolic links, or that lies below
a folder which is moved away, is watched all the same. On Linux the kernel reports changes
(`inotify`), without a thread or a delay. Elsewhere `watchfiles` asks the system in a
thread of its own (`portable`), and tells after some ten milliseconds. File systems of other
machines (NFS) don't report changes that are made over there. A run that ends by itself only looks
(`looking`).

A user of Linux may have no more than 128 inotify instances at a time, so code that watches much
shares one `FileWatcher`. The one of an engine is the service `engine_files`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from pycurrent.engine.watching.watcher import FileWatcher, Notice, Paths

__all__ = ["FileWatcher", "Notice", "Paths", "file_watcher", "watch_paths"]


def file_watcher() -> FileWatcher:
    """The watcher for this system. It holds no resource before it is used."""
    # Only the one that is used is imported.
    if sys.platform != "linux":
        from pycurrent.engine.watching.portable import WatchfilesWatcher

        return WatchfilesWatcher()
    from pycurrent.engine.watching.inotify import InotifyWatcher

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
