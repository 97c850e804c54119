"""Watching files by looking at them, for a run that is over within moments.

Setting up a watch of the kernel takes longer than most runs in which there is nothing to do, and
ending it takes longer still. So a run that ends as soon as nothing more can happen has its files
looked at: when it would end, and every second until then.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from stat import S_ISDIR

from pycurrent.engine.watching.watcher import FileWatcher, Notice, Paths
from pycurrent.errors import PycurrentError

EVERY = 1.0
"""Seconds between two looks; more where a look takes more than a hundredth of that."""
_TICK = 20_000_000
"""Nanoseconds within which file systems may give two changes the same time."""

_Traits = tuple[int, ...]


class LookingWatcher(FileWatcher):
    """Looks at what is watched when it is asked to, and `every` so many seconds."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._watched: dict[_Watched, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    @asynccontextmanager
    async def watch(
        self, paths: Paths, refresh: Callable[[], None], *, notice: Notice = Notice.CLOSED
    ) -> AsyncIterator[None]:
        if self._is_closed:
            raise PycurrentError("the file watcher is closed")
        watched = _Watched(paths, refresh)
        self._watched[watched] = None
        if self._timer is None:
            self._look_after(self._every)
        try:
            yield
        finally:
            self._watched.pop(watched, None)

    def look(self) -> bool:
        """Look whether something has changed, and tell; True if so."""
        changed = [watched for watched in self._watched if watched.has_changed()]
        for watched in changed:
            watched.refresh()
        return bool(changed)

    def _look_after(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        if self._watched:
            began = time.monotonic()
            self.look()
            self._look_after(max(self._every, 100 * (time.monotonic() - began)))

    def close(self) -> None:
        self._is_closed = True
        self._watched.clear()
        if self._timer is not None:
            self._timer.cancel()


class _Watched:
    """The paths of one watch, and what they were at the last look."""

    def __init__(self, paths: Paths, refresh: Callable[[], None]) -> None:
        self.refresh = refresh
        self._paths = paths
        self._seen: object = _look_at(paths)

    def has_changed(self) -> bool:
        before = self._seen
        try:
            self._seen = _look_at(self._paths)
        except Exception as error:  # of the author's function: who reads the paths gets it as well
            self._seen = repr(error)
        return self._seen != before


def _look_at(paths: Paths) -> object:
    """Return an object that equals another one only if nothing has changed in between."""
    newest = 0
    found: list[object] = []
    for path in paths():
        traits = _traits_of(path)
        found.append((path, traits))
        newest = max(newest, *(changed for *_, changed in traits.values()), 0)
    # A file that was changed just now may change once more without looking any different.
    return object() if abs(time.time_ns() - newest) < _TICK else found


def _traits_of(path: Path) -> dict[str, _Traits]:
    """The traits of a path, of what it links to, and of the entries of a folder; where nothing is,
    the nearest folder's.
    """
    while True:
        try:
            link, there = path.lstat(), path.stat()
            break
        except OSError:
            if path == path.parent:
                return {}
            path = path.parent
    found = {str(path): _traits(link), "": _traits(there)}
    if S_ISDIR(there.st_mode):
        # If it can't be read, or something goes meanwhile, its own traits change with that.
        with suppress(OSError), os.scandir(path) as entries:
            found.update({e.name: _traits(e.stat(follow_symlinks=False)) for e in entries})
    return found


def _traits(of: os.stat_result) -> _Traits:
    return of.st_dev, of.st_ino, of.st_mode, of.st_size, of.st_mtime_ns, of.st_ctime_ns
