"""Resources that jobs wait for."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from enum import Enum
from itertools import count
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from pycurrent.engine.tasks import failure_by, this_task, uncancellable
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import shown

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
J = TypeVar("J")
"""The job that a custom pool is asked for by: a `Job`, which this module need not know."""


class Priority(Enum):
    """The order in which a pool serves jobs."""

    HIGH = "high"
    """Somebody waits for the first result."""
    LOW = "low"
    """It refreshes a result that is still reported."""


class Tickets:
    """The tickets that a job has drawn in the queues of pools before its work begins: the first
    one drawn is served first. A job that takes the place of another one gets its tickets.
    """

    __slots__ = ("_drawn",)

    def __init__(self) -> None:
        self._drawn: dict[Pool, int] = {}

    def drawn(self, pool: Pool) -> int | None:
        """The ticket for a pool, if there is one."""
        return self._drawn.get(pool)

    def draw(self, pool: Pool) -> int:
        """The ticket for a pool: a new one, if there is none yet."""
        if pool not in self._drawn:
            self._drawn[pool] = pool.draw()
        return self._drawn[pool]


class Waiter(Protocol):
    """A job, as far as a pool needs to know it. Two are the same if they are one object."""

    @property
    def description(self) -> str: ...
    @property
    def priority(self) -> Priority: ...
    @property
    def tickets(self) -> Tickets: ...
    @property
    def has_begun(self) -> bool:
        """True once its work has begun: its tickets are not passed on any more."""


class _Waiting(NamedTuple):
    """A job in a queue. `turn` is set once a resource is its own."""

    ticket: int
    job: Waiter
    turn: asyncio.Future[None]


def _ticket(waiting: _Waiting) -> int:
    return waiting.ticket


class Pool:
    """A number of equal resources: so many jobs of the pool can run at once.

    Jobs of high priority come first, and those of one priority in the order in which they
    came. A cancelled job leaves the queue; a job that is replaced before it has begun leaves its
    place to the new one. A pool belongs to its maker, and may serve several engines of one event
    loop.
    """

    def __init__(self, label: str, capacity: int) -> None:
        if not isinstance(label, str):
            raise WrongKind(f'Pool takes a label first, not {shown(label)}: Pool("builds", 2)')
        if isinstance(capacity, bool) or not isinstance(capacity, int):
            raise WrongKind(
                f"pool {label!r}: capacity= takes a whole number, not {shown(capacity)}"
            )
        if capacity < 1:
            raise UsageError(f"pool {label!r} must have a capacity of 1 or more, not {capacity}")
        self.label = label
        self.capacity = capacity
        self.used = 0
        self._tickets = count()
        # Each in the order of the tickets.
        self._queues: dict[Priority, list[_Waiting]] = {priority: [] for priority in Priority}

    def __repr__(self) -> str:
        return f"Pool({self.label!r}, {self.capacity})"

    @staticmethod
    def of(label: str, acquire: Callable[[J], AbstractAsyncContextManager[R]]) -> CustomPool[R]:
        """A pool whose resources are got by `acquire(job)`: an async context manager, which gives
        the resource for the block, and gets it back at its end.
        """
        return CustomPool(label, acquire)

    @property
    def waiting(self) -> list[Waiter]:
        """The jobs in the queue, the next one first."""
        return [waiting.job for waiting in self._in_order()]

    def place(self, job: Waiter) -> int | None:
        """How many jobs are served up to this one; None if it does not wait.

        Jobs that were just cancelled count until they have left the queue. However long the queue
        is, this is quick for a job that has not begun.
        """
        ahead = 0
        for priority, queue in self._queues.items():
            if priority is job.priority:
                index = self._index(queue, job)
                return None if index is None else ahead + index + 1
            ahead += len(queue)
        return None

    def _index(self, queue: list[_Waiting], job: Waiter) -> int | None:
        """The index of a job in its queue; None if it does not wait."""
        ticket = None if job.has_begun else job.tickets.drawn(self)
        first = 0 if ticket is None else bisect_left(queue, ticket, key=_ticket)
        for index in range(first, len(queue)):
            waiting = queue[index]
            if waiting.job is job:
                return None if waiting.turn.done() else index
            if ticket is not None and waiting.ticket != ticket:
                return None
        return None

    def _in_order(self) -> Iterator[_Waiting]:
        for queue in self._queues.values():
            yield from (waiting for waiting in queue if not waiting.turn.done())

    @property
    def free(self) -> bool:
        return self.used < self.capacity

    def draw(self) -> int:
        """A ticket for the end of the queue."""
        return next(self._tickets)

    @asynccontextmanager
    async def acquire(self, job: Waiter) -> AsyncIterator[None]:
        """Hold one of the resources for the block."""
        if self.free:
            self.used += 1
        else:
            await self._queue(job)
        try:
            yield
        finally:
            self._release()

    async def _queue(self, job: Waiter) -> None:
        """Wait until a resource is handed to the job."""
        queue = self._queues[job.priority]
        ticket = self.draw() if job.has_begun else job.tickets.draw(self)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        insort(queue, _Waiting(ticket, job, turn), key=_ticket)
        try:
            # The job that gives a resource back hands it on, so that nobody gets in between.
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()
            else:
                place = bisect_left(queue, ticket, key=_ticket)
                while queue[place].turn is not turn:  # one that has the same ticket from this
                    place += 1
                del queue[place]
            raise

    def _release(self) -> None:
        for queue in self._queues.values():
            for place, waiting in enumerate(queue):
                # A job that was just cancelled takes itself out in a moment.
                if not waiting.turn.done():
                    del queue[place]
                    waiting.turn.set_result(None)
                    return
        self.used -= 1


class CustomPool(Generic[R_co]):
    """A pool whose resources come from elsewhere."""

    def __init__(
        self, label: str, acquire: Callable[[Any], AbstractAsyncContextManager[R_co]]
    ) -> None:
        if not isinstance(label, str) or not callable(acquire):
            raise WrongKind(
                f"Pool.of takes a label and a function of the job, not {shown(label)} and"
                f" {shown(acquire)}"
            )
        self.label = label
        self.acquire = acquire

    def __repr__(self) -> str:
        return f"Pool.of({self.label!r}, ...)"

    @property
    def free(self) -> bool:
        """It is not known before it has been asked for."""
        return False


AnyPool = Pool | CustomPool[Any]


class Resources:
    """The resources of pools that one job holds until it ends."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: AsyncExitStack | None = None

    async def take(self, pool: AnyPool, job: Waiter) -> Any:
        """Wait for a resource of the pool, and return it."""
        if self._held is None:
            self._held = AsyncExitStack()
        return await self._held.enter_async_context(pool.acquire(job))

    async def give_back(self, pool: AnyPool | None, log: Callable[[str], None]) -> None:
        """Give back all of them, even if cancelled. An error is logged, as it is not the work's."""
        if self._held is None:
            return
        owner = this_task()
        try:
            await uncancellable(self._held.aclose())
        except BaseException as error:
            where = "a pool" if pool is None else f"pool {pool.label}"
            why = failure_by(error, "that", owner).message
            log(f"A resource of {where} can't be given back: {why}")
