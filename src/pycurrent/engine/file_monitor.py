"""Inputs that are read from files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeVar

from pycurrent.engine.arguments import check_functions
from pycurrent.engine.monitor import Monitor
from pycurrent.engine.watching import FileWatcher, Paths, file_watcher, watch_paths

if TYPE_CHECKING:
    from pycurrent.engine.open_engine import OpenEngine

T = TypeVar("T")

_UNNAMED = "files"


def engine_files(engine: OpenEngine) -> FileWatcher:
    """The watcher that all of an engine's inputs share: a service of the engine."""
    watcher = file_watcher()

    async def close() -> None:
        watcher.close()

    engine.on_close(close)
    return watcher


class FileMonitor(Monitor[T]):
    """Watches an input that is read from files.

    `read` gives the value now, and is called again whenever one of `paths()` has changed; they
    need not exist. A file changes when it is made, written, replaced or removed, or its
    permissions change; a folder also when that happens to one of its entries, but not further
    down: give the folders below it, too, if they matter.
    """

    def __init__(
        self,
        *,
        read: Callable[[], T | Awaitable[T]],
        paths: Paths,
        describe: str | Callable[[], str] = _UNNAMED,
    ) -> None:
        check_functions("FileMonitor", read=read, paths=paths)
        super().__init__(
            read=read, watch=lambda refresh: watch_paths(paths, refresh), describe=describe
        )
        self.paths = paths
        self._is_named = describe != _UNNAMED

    @property
    def identity(self) -> str | None:
        """As for each monitor; without a name, what it watches: its paths."""
        if self._is_named:
            return super().identity
        try:
            return ", ".join(sorted(map(str, self.paths()))) or None
        except BaseException:
            return None

    def watching(
        self, engine: OpenEngine, refresh: Callable[[], None]
    ) -> AbstractAsyncContextManager[object]:
        return engine.service(engine_files).watch(self.paths, refresh)
