"""Temporary files and folders, which are gone at the end of their block.

The removal of a checkout with 10,000 files takes longer than many a job that used it. So a large
folder is only renamed at the end of its block, which takes some microseconds, and a thread removes
it behind the job. An engine that ends soon, or is killed, leaves such folders below its own
temporary folder, which the next engine removes, behind its start.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pycurrent.engine.tasks import in_thread
from pycurrent.store.trees import remove_tree

if TYPE_CHECKING:
    from pycurrent.engine.place import JobPath

GONE = "gone-"
"""How the name of a folder begins that is being removed."""

_FEW = 16
"""So many files without a folder are removed at once. They may be secrets: see the plugins."""

_MOST_WAITING = 32
"""If so many folders wait to be removed, the next jobs remove theirs themselves, and so wait."""

_MOMENT = 1.0
"""Seconds for which the end of an engine waits for folders to be removed."""


class Trash:
    """Removes folders behind the jobs that used them, one after the other, in a thread.

    Belongs to the thread of the loop.
    """

    def __init__(self) -> None:
        self._waiting: deque[Path] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def take(self, path: Path) -> bool:
        """Have a folder removed, which is gone from its place when this returns. False if that is
        better done at once.
        """
        if self._is_closed or len(self._waiting) >= _MOST_WAITING or _is_small(path):
            return False
        gone = path.with_name(f"{GONE}{path.name}")
        try:
            path.rename(gone)
        except OSError:
            return False
        with self._lock:
            self._waiting.append(gone)
            if self._thread is None:
                # It must not keep the process from its end.
                self._thread = threading.Thread(
                    target=self._remove_all, name="pycurrent trash", daemon=True
                )
                self._thread.start()
        return True

    def _remove_all(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                path = self._waiting.popleft()
            remove_tree(path)

    async def emptied(self) -> None:
        """Wait until all that it has taken is removed."""
        while (thread := self._thread) is not None:
            await in_thread(thread.join)

    async def aclose(self) -> None:
        """Wait a moment for what is left; the rest is for the next engine. Twice is fine."""
        self._is_closed = True
        thread = self._thread
        if thread is not None:
            await in_thread(thread.join, _MOMENT)
        with self._lock:
            self._waiting.clear()


def temporary_file(folder: Path) -> IO[bytes]:
    """A new file in a folder, without a name there, gone once it is closed."""
    from tempfile import TemporaryFile  # an engine that runs no command does not need it

    return TemporaryFile(dir=folder)


@asynccontextmanager
async def temporary_folder(
    parent: Path, prefix: str, trash: Trash, place: Path | None = None
) -> AsyncIterator[JobPath]:
    """A new folder, gone with all that is in it at the end of the block, cancelled or not. With a
    `place` it is there, with what a killed engine has left in it.
    """
    from pycurrent.engine.place import JobPath  # an engine that runs no job does not need it

    if place is None:
        from tempfile import mkdtemp  # an engine that runs no job does not need it

        path = JobPath(mkdtemp(prefix=prefix, dir=parent))
    else:
        path = JobPath(place)
        path.mkdir(mode=0o700, exist_ok=True)
    try:
        yield path
    finally:
        if not trash.take(path):
            await in_thread(remove_tree, path)


def _is_small(path: Path) -> bool:
    """True if there are only a few files in a folder. Looks at no more than that."""
    try:
        with os.scandir(path) as entries:
            first = list(islice(entries, _FEW + 1))
    except OSError:
        return True
    return len(first) <= _FEW and not any(e.is_dir(follow_symlinks=False) for e in first)
