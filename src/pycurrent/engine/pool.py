"""Resources that jobs wait for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from typing import TYPE_CHECKING

from pycurrent.errors import UsageError

if TYPE_CHECKING:
    from pycurrent.engine.job import Job


class Priority(Enum):
    """Whom a pool serves first."""

    HIGH = "high"
    """Somebody waits for the first result."""
    LOW = "low"
    """It refreshes a result that is still reported."""


Acquire = Callable[["Job"], AbstractAsyncContextManager[object]]
"""Gets a resource for a job, and gives it back at the end of the block."""


class Pool:
    """A number of equal resources: so many jobs of the pool can run at once.

    Jobs of high priority come first, and those of one priority in the order in which they
    came. One that is cancelled leaves the queue. A pool belongs to whoever made it, and may
    serve several engines of one event loop.
    """

    def __init__(self, label: str, capacity: int) -> None:
        if capacity < 1:
            raise UsageError(f"pool {label!r} must have a capacity of 1 or more, not {capacity}")
        self.label = label
        self.capacity = capacity
        self.used = 0
        self._queues: dict[Priority, deque[tuple[Job, asyncio.Future[None]]]] = {
            priority: deque() for priority in Priority
        }

    def __repr__(self) -> str:
        return f"Pool({self.label!r}, {self.capacity})"

    @staticmethod
    def of(label: str, acquire: Acquire) -> CustomPool:
        """A pool whose resources are got by `acquire(job)`: an async context manager."""
        return CustomPool(label, acquire)

    @property
    def waiting(self) -> list[Job]:
        """The jobs in the queue, the next one first."""
        return [job for queue in self._queues.values() for job, turn in queue if not turn.done()]

    def place(self, job: Job) -> int | None:
        """How many jobs are served up to this one; None if it does not wait."""
        waiting = (
            queued for queue in self._queues.values() for queued, turn in queue if not turn.done()
        )
        return next((place for place, queued in enumerate(waiting, 1) if queued is job), None)

    @property
    def free(self) -> bool:
        return self.used < self.capacity

    @asynccontextmanager
    async def acquire(self, job: Job) -> AsyncIterator[None]:
        """Hold one of the resources for the block."""
        if self.free:
            self.used += 1
        else:
            await self._queue(job)
        try:
            yield
        finally:
            self._release()

    async def _queue(self, job: Job) -> None:
        queue = self._queues[job.priority]
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (job, turn)
        queue.append(entry)
        try:
            # Whoever gives a resource back hands it on, so that nobody gets in between.
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()
            elif entry in queue:
                queue.remove(entry)
            raise

    def _release(self) -> None:
        for queue in self._queues.values():
            while queue:
                _, turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self.used -= 1


class CustomPool:
    """A pool whose resources come from elsewhere."""

    def __init__(self, label: str, acquire: Acquire) -> None:
        self.label = label
        self.acquire = acquire

    def __repr__(self) -> str:
        return f"Pool.of({self.label!r}, ...)"

    @property
    def free(self) -> bool:
        """It is not known before it has been asked for."""
        return False


AnyPool = Pool | CustomPool
