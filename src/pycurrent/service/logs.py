"""The logs of jobs: parts of them, searches, and as they grow."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pycurrent.engine.follow import LogSource
from pycurrent.service.errors import NoSuchJob
from pycurrent.service.log_following import Following, LogEnd
from pycurrent.service.log_index import LogIndex, LogWindow
from pycurrent.service.log_search import LogMatches, LogQuery, search_log
from pycurrent.store import BadJobId

if TYPE_CHECKING:
    from pycurrent.explain.markers import Markers

_T = TypeVar("_T")

_INDEXES = 64
"""How many logs are remembered."""
LARGEST_PART = 4 << 20
"""In bytes."""


@dataclass(frozen=True, slots=True)
class LogPart:
    """Some bytes of a log, as they are."""

    data: bytes
    offset: int
    size: int
    """Of the whole log, so far."""


@dataclass(slots=True)
class _Shared:
    """The parts that all followers of one log share, and the number of followers."""

    following: Following
    users: int = 0


class Logs:
    """The logs of an engine's jobs, ended ones too. Belongs to the event loop's thread.

    All methods raise `NoSuchJob` if the log does not exist: also for an id that leads out of the
    folder of the logs too.
    """

    def __init__(
        self, source: Callable[[str], LogSource], is_running: Callable[[str], bool]
    ) -> None:
        """`source(job_id)` gives a log that need not exist, or raises `BadJobId`;
        `is_running(job_id)` tells whether one of the engine's jobs has not ended.
        """
        self._source = source
        self._is_running = is_running
        self._indexes: OrderedDict[str, LogIndex] = OrderedDict()
        self._shared: dict[str, _Shared] = {}
        self._closed = False

    def source(self, job_id: str) -> LogSource:
        """The log, to be read."""
        try:
            log = self._source(job_id)
            log.open().close()
        except (BadJobId, OSError, ValueError) as error:
            raise NoSuchJob(job_id) from error
        return log

    def size(self, job_id: str) -> int:
        """In bytes, so far."""
        return self.source(job_id).size

    async def part(self, job_id: str, offset: int, limit: int) -> LogPart:
        """At most `limit` bytes from `offset` on, and no more than `LARGEST_PART`."""
        return await asyncio.to_thread(_read, self.source(job_id), offset, min(limit, LARGEST_PART))

    async def window(self, job_id: str, first: int | None, count: int) -> LogWindow:
        """At most `count` lines from `first` on; None for the last ones that there are."""
        index = self._index(job_id)

        def read() -> LogWindow:
            index.extend()
            return index.window(index.total - count if first is None else first, count)

        return await _of_log(job_id, read)

    async def markers(self, job_id: str) -> Markers:
        """The markers in a log, as far as it is written."""
        index = self._index(job_id)

        def read() -> Markers:
            index.extend()
            return index.markers

        return await _of_log(job_id, read)

    async def search(self, job_id: str, query: LogQuery) -> LogMatches:
        """Where something is in a log. Raises `BadPattern`, too."""
        index = self._index(job_id)

        def search() -> LogMatches:
            index.extend()
            return search_log(index, query)

        return await _of_log(job_id, search)

    async def follow(self, job_id: str, first: int) -> AsyncGenerator[LogWindow | LogEnd, None]:
        """The lines from `first` on, until the job has ended: see `Following.follow`.

        Ends early, without a `LogEnd`, when the service is closed.
        """
        index = self._index(job_id)
        if self._closed:
            return
        shared = self._shared.get(job_id)
        if shared is None:
            following = Following(index, lambda: not self._is_running(job_id))
            shared = self._shared[job_id] = _Shared(following)
        shared.users += 1
        try:
            async with aclosing(shared.following.follow(first)) as windows:
                async for window in windows:
                    yield window
        finally:
            shared.users -= 1
            if not shared.users:
                shared.following.close()
                if self._shared.get(job_id) is shared:
                    del self._shared[job_id]

    def close(self) -> None:
        """End all who follow. Twice is fine."""
        self._closed = True
        for shared in self._shared.values():
            shared.following.close()

    def _index(self, job_id: str) -> LogIndex:
        log = self.source(job_id)
        index = self._indexes.pop(job_id, None) or LogIndex(log)
        self._indexes[job_id] = index
        if len(self._indexes) > _INDEXES:
            self._indexes.popitem(last=False)
        return index


def _read(log: LogSource, offset: int, limit: int) -> LogPart:
    size = log.size
    return LogPart(log.read(offset, limit), offset, size)


async def _of_log(job_id: str, read: Callable[[], _T]) -> _T:
    """The result of `read()`, called in a thread."""
    try:
        return await asyncio.to_thread(read)
    except FileNotFoundError as error:
        raise NoSuchJob(job_id) from error
