"""Reads logs: as they grow, and their ends.

All of it works on the file alone, so it serves another process than the one that writes.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from pycurrent.engine.watching import FileWatcher, Notice, file_watcher

_BLOCK = 64 * 1024
_RECHECK = 0.25


async def follow(
    path: Path,
    *,
    offset: int = 0,
    ended: Callable[[], bool],
    changed: Callable[[], Awaitable[None]],
) -> AsyncIterator[bytes]:
    """The bytes of a log from `offset` on, as they are written, until its job has ended.

    `ended` is asked whenever everything has been read. Once it says so, what was written before
    that is still given, and then the iterator ends. `changed` returns when the file or the answer
    of `ended` may have changed since its last return (or, the first time, since before the call
    of `follow`): at once, if that was in the meantime. It may return for nothing; `watch_file`
    gives one. Raises OSError if the file can't be read; the file may be deleted meanwhile.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while True:
            last_time = ended()  # before reading: what was written until then is read below
            while block := os.pread(file, _BLOCK, offset):
                offset += len(block)
                yield block
            if last_time:
                return
            await changed()
    finally:
        os.close(file)


@asynccontextmanager
async def watch_file(
    path: Path, *, recheck: float = _RECHECK, make: Callable[[], FileWatcher] = file_watcher
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Gives the `changed` of `follow`: it tells of changes of a file, by what this system has.

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
        async with watcher.watch(lambda: [path], told.set, notice=Notice.WRITTEN):
            yield changed
    finally:
        watcher.close()


def tail(path: Path, lines: int, *, limit: int = 1 << 20) -> bytes:
    """The last lines of a file, but no more than its last `limit` bytes.

    A last line without a newline counts as a line. Raises OSError if the file can't be read.
    """
    if lines <= 0:
        return b""
    with path.open("rb") as file:
        start = end = file.seek(0, os.SEEK_END)
        blocks: list[bytes] = []
        newlines = 0
        # One newline more than lines: that before the first one. The last byte doesn't count.
        while start > max(0, end - limit) and newlines <= lines:
            size = min(_BLOCK, start, limit - (end - start))
            start -= size
            file.seek(start)
            blocks.append(file.read(size))
            newlines += blocks[-1].count(b"\n")
    return _last_lines(b"".join(reversed(blocks)), lines)


def _last_lines(text: bytes, lines: int) -> bytes:
    position = len(text) - 1 if text.endswith(b"\n") else len(text)
    for _ in range(lines):
        position = text.rfind(b"\n", 0, position)
        if position < 0:
            return text
    return text[position + 1 :]
