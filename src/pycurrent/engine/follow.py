"""Reads logs: whole, in part, and as they grow.

All who read a log do so by its `LogSource`, also in another process than the one that writes.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pycurrent.engine.watching import FileWatcher, Notice, file_watcher
from pycurrent.store import HeldLog, HeldText

_BLOCK = 64 * 1024
_RECHECK = 0.25


class LogSource:
    """The log of one job, for those who read it: its file, or what is held of it without one.

    May be kept, while the log grows and becomes a file. To be used from the threads from which
    `held` may be; all of its methods raise FileNotFoundError if the log is missing, or was removed,
    and another OSError if it can't be read.
    """

    __slots__ = ("_held", "path")

    def __init__(self, path: Path, held: HeldLog | None = None) -> None:
        """`path` is where the file is, if there is one."""
        self.path = path
        self._held = held or HeldText(None)

    def __repr__(self) -> str:
        return f"<log {self.path}>"

    def open(self) -> BinaryIO:
        """Open the log, to be read from its beginning; the caller closes it.

        If it is a file, it shows later lines too; else they take another `open`.
        """
        # In this order: what is held no more is in the file.
        text = self._held.held()
        try:
            file = self.path.open("rb")
        except OSError:
            if text is None:
                raise
            return BytesIO(text)
        if text and os.fstat(file.fileno()).st_size < len(text):
            # It is just being made; or the engine was killed then.
            file.close()
            return BytesIO(text)
        return file

    @property
    def size(self) -> int:
        """In bytes, so far."""
        text = self._held.held()
        try:
            size = self.path.stat().st_size
        except OSError:
            if text is None:
                raise
            return len(text)
        return max(size, len(text or b""))

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        """Have `told()` called when what is held has changed: see `HeldLog.listen`."""
        return self._held.listen(told)

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
    file = log.open()
    try:
        while True:
            last_time = ended()  # before reading: what was written until then is read below
            if isinstance(file, BytesIO):
                with suppress(FileNotFoundError):
                    file = log.open()
            file.seek(offset)
            while block := file.read(_BLOCK):
                offset += len(block)
                yield block
            if last_time:
                return
            await changed()
    finally:
        file.close()


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
    loop = asyncio.get_running_loop()

    async def changed() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(recheck):
                await told.wait()
        told.clear()

    def tell() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody reads any more
            loop.call_soon_threadsafe(told.set)

    watcher = make()
    forget = log.listen(tell)
    try:
        async with watcher.watch(lambda: [log.path], told.set, notice=Notice.WRITTEN):
            yield changed
    finally:
        forget()
        watcher.close()
