"""The contract of a watcher of files, on any system."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
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
