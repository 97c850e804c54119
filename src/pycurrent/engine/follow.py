"""Reads logs: whole, in part, and as they grow.

All who read a log do so by its `LogSource`, also in another process than the one that writes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pycurrent.engine.watching import FileWatcher, Notice, file_watcher

_BLOCK = 64 * 1024
_RECHECK = 0.25


class LogSource:
    """The log of one job, for those who read it, from any thread. May be kept.

    All of its methods raise FileNotFoundError if there is no log, or not any more, and another
    OSError if it can't be read.
    """

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"<log {self.path}>"

    def open(self) -> BinaryIO:
        """Open the log, to be read from its beginning; the caller closes it."""
        return self.path.open("rb")

    @property
    def size(self) -> int:
        """In bytes, so far."""
        return self.path.stat().st_size

    def read(self, offset: int = 0, limit: int = -1) -> bytes:
        """At most `limit` bytes from `offset` on; all that there are if it is negative."""
        with self.open() as file:
            file.seek(offset)
            return file.read(limit)

    def text(self) -> str:
        """All of it so far. Bytes that are not UTF-8 are shown as U+FFFD."""
        return self.read().decode(errors="replace")


async def follow(
    log: LogSource,
    *,
    offset: int = 0,
    ended: Callable[[], bool],
    changed: Callable[[], Awaitable[None]],
) -> AsyncIterator[bytes]:
    """The bytes of a log from `offset` on, as they are written, until its job has ended.

    `ended` is asked whenever everything has been read. Once it says so, what was written before
    that is still given, and then the iterator ends. `changed` returns when the log or the answer
    of `ended` may have changed since its last return (or, the first time, since before the call
    of `follow`): at once, if that was in the meantime. It may return for nothing; `watch_log`
    gives one. Raises OSError if the log can't be read; it may be deleted meanwhile.
    """
    with log.open() as file:
        while True:
            last_time = ended()  # before reading: what was written until then is read below
            file.seek(offset)
            while block := file.read(_BLOCK):
                offset += len(block)
                yield block
            if last_time:
                return
            await changed()


@asynccontextmanager
async def watch_log(
    log: LogSource, *, recheck: float = _RECHECK, make: Callable[[], FileWatcher] = file_watcher
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Gives the `changed` of `follow`: it tells of changes of a log, by what this system has.

    At the latest after `recheck` seconds there is said to be one: some file systems don't tell
    of changes, and none tells of the end of a job. Raises OSError if the system refuses to
    watch.
    """
    told = asyncio.Event()

    async def changed() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(recheck):
                await told.wait()
        told.clear()

    watcher = make()
    try:
        async with watcher.watch(lambda: [log.path], told.set, notice=Notice.WRITTEN):
            yield changed
    finally:
        watcher.close()
