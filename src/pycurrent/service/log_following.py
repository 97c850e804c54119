"""Following one log: one watch and one index, however many look on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from pycurrent.engine.follow import watch_log
from pycurrent.service.log_index import LogIndex, LogWindow

WINDOW = 500
"""Lines that are told at once, at most."""
TOLD_EVERY = 0.05
"""Seconds between two times that growth is told, at least."""
_INLINE = 256 * 1024
"""Bytes of growth that are looked through without a thread: it takes about a millisecond."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogEnd:
    """The job has ended, and all of its log has been told."""


class Following:
    """Watches a log while somebody follows it. Belongs to the event loop's thread."""

    def __init__(self, index: LogIndex, ended: Callable[[], bool]) -> None:
        self._index = index
        self._ended = ended
        self._is_over = False
        self._told = 0
        self._news = asyncio.Event()
        # The last window that was read, which all who keep up want next.
        self._last: LogWindow | None = None
        self._task = asyncio.create_task(self._watch(), name=f"log {index.log.path.name}")
        # Also if it was cancelled before it began.
        self._task.add_done_callback(lambda _: self._tell())

    def close(self) -> None:
        """End all who follow. Twice is fine."""
        self._task.cancel()

    async def follow(self, first: int) -> AsyncGenerator[LogWindow | LogEnd, None]:
        """The lines from `first` on, as they are written, up to the end of the job.

        A line that has not ended is told as it is so far, and again when it has changed. Ends
        without a `LogEnd` when the following is closed. Raises OSError.
        """
        told = -1
        while True:
            news, over, size = self._news, self._is_over, self._index.size
            while first < self._index.complete or told < size:
                window = await self._window(first)
                first, told = window.next, window.size
                if window.lines:
                    yield window
            if over:
                yield LogEnd()
                return
            if self._task.done() and not self._is_over:
                return
            await news.wait()

    async def _window(self, first: int) -> LogWindow:
        index, last = self._index, self._last
        if last is not None and (last.first, last.size) == (first, index.size):
            return last
        if index.total - first > WINDOW:
            return await asyncio.to_thread(index.window, first, WINDOW)
        window = self._last = index.window(first, WINDOW)
        return window

    async def _watch(self) -> None:
        try:
            async with watch_log(self._index.log) as changed:
                while not self._is_over:
                    over = self._ended()  # before reading: what was written till then is read
                    await self._extend()
                    if over:
                        self._is_over = True
                        self._tell()
                    else:
                        await asyncio.sleep(TOLD_EVERY)
                        await changed()
        except OSError as error:
            _log.warning("%s can't be followed: %s", self._index.log.path, error.strerror)

    async def _extend(self) -> None:
        index = self._index
        growth = index.log.size - index.size
        if growth > _INLINE:
            await asyncio.to_thread(index.extend)
        elif growth:
            index.extend()
        # Somebody who reads a part of the log may have extended the index before.
        if index.size > self._told:
            self._told = index.size
            self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
