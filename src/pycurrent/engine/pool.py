"""Resources that jobs wait for."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from enum import Enum
from itertools import count
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from pycurrent.engine.line import WaitingLine
from pycurrent.engine.tasks import failure_by, this_task, uncancellable
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import shown

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
J = TypeVar("J")
"""The job that a custom pool is asked for by: a `Job`, which this module need not know."""


class Urgency(Enum):
    """The urgency of a job: of jobs of one priority a pool serves the urgent ones first."""

    HIGH = "high"
    """Somebody waits for the first result."""
    LOW = "low"
    """It refreshes a result that is still reported."""


class Tickets:
    """The tickets that a job has drawn in the queues of pools before its work begins: the first
    one drawn is served first. A job that takes the place of another one gets its tickets.
    """

    __slots__ = ("_others", "_pool", "_ticket")

    def __init__(self) -> None:
        # Most jobs have one pool, for which a dictionary would be three times as large.
        self._pool: Pool | None = None
        self._ticket = 0
        self._others: dict[Pool, int] | None = None

    def drawn(self, pool: Pool) -> int | None:
        """The ticket for a pool, if there is one."""
        if self._pool is pool:
            return self._ticket
        return None if self._others is None else self._others.get(pool)

    def draw(self, pool: Pool) -> int:
        """The ticket for a pool: a new one, if there is none yet."""
        ticket = self.drawn(pool)
        if ticket is None:
            ticket = pool.draw()
            if self._pool is None:
                self._pool, self._ticket = pool, ticket
            else:
                self._others = {**(self._others or {}), pool: ticket}
        return ticket


class Waiter(Protocol):
    """A job, as far as a pool needs to know it. Two are the same if they are one object."""

    @property
    def description(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def urgency(self) -> Urgency: ...
    @property
    def tickets(self) -> Tickets: ...
    @property
    def has_begun(self) -> bool:
        """True once its work has begun: its tickets are not passed on any more."""


class QueuePlace(ABC):
    """The place of one job in the queue of a pool."""

    __slots__ = ("line", "ticket")

    ticket: int
    """Set by `Pool.queue`."""

    def __init__(self) -> None:
        self.line: WaitingLine[QueuePlace] | None = None
        """The line that it stands in; None before, and once it has left."""

    @property
    @abstractmethod
    def job(self) -> Waiter: ...

    @abstractmethod
    def granted(self) -> bool:
        """Called when the job is served. False if it has no use for the resource any more."""


class _Turn(QueuePlace):
    """The place of a job whose task waits."""

    __slots__ = ("_job", "came")

    def __init__(self, job: Waiter) -> None:
        super().__init__()
        self._job = job
        self.came: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def job(self) -> Waiter:
        return self._job

    def granted(self) -> bool:
        if self.came.done():  # A job that was just cancelled takes itself out in a moment.
            return False
        self.came.set_result(None)
        return True


class Pool:
    """A number of equal resources: so many jobs of the pool can run at once.

    Jobs are served by their priority, the highest first; of one priority those come first that
    somebody waits for, then those that refresh a result; and among these the ones that came first.
    A cancelled job leaves the queue; a job that is replaced before it has begun leaves its place to
    the new one. A pool belongs to its maker, and may serve several engines of one event loop.
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
        # By the ranks of the jobs, the first one served first. No line is empty.
        self._lines: dict[_Rank, WaitingLine[QueuePlace]] = {}
        self._ranks: list[_Rank] = []

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
        return [place.job for rank in self._ranks for place in self._lines[rank]]

    @property
    def queue_length(self) -> int:
        """The number of jobs in the queue, in no more time than there are priorities."""
        return sum(len(line) for line in self._lines.values())

    def place(self, job: Waiter) -> int | None:
        """How many jobs are served up to this one; None if it does not wait.

        However long the queue is, this is quick for a job that waits to begin.
        """
        own = _rank(job.priority, job.urgency)
        ticket = job.tickets.drawn(self)
        if ticket is not None and own in self._lines:
            index = self._lines[own].index(ticket, lambda place: place.job is job)
            if index is not None:
                return 1 + index + self._before(own)
        return next((n for n, other in enumerate(self.waiting, 1) if other is job), None)

    def places(self, jobs: Collection[Waiter]) -> dict[Waiter, int]:
        """The places of several jobs, without those that do not wait.

        It goes through the queue once, up to the last of them, whatever they wait for.
        """
        wanted, found = set(jobs), dict[Waiter, int]()
        queue = (place.job for rank in self._ranks for place in self._lines[rank])
        for number, job in enumerate(queue, 1):
            if job in wanted:
                found[job] = number
                if len(found) == len(wanted):
                    break
        return found

    def _before(self, rank: _Rank) -> int:
        """How many jobs of earlier ranks wait."""
        ahead = self._ranks[: bisect_left(self._ranks, rank)]
        return sum(len(self._lines[rank]) for rank in ahead)

    @property
    def free(self) -> bool:
        return self.used < self.capacity

    def draw(self) -> int:
        """A ticket for the end of the queue."""
        return next(self._tickets)

    @asynccontextmanager
    async def acquire(self, job: Waiter, priority: int | None = None) -> AsyncIterator[None]:
        """Hold one of the resources for the block; wait at the job's priority, or another one."""
        if not self.take():
            await self._granted(job, job.priority if priority is None else priority)
        try:
            yield
        finally:
            self.give_back()

    async def _granted(self, job: Waiter, priority: int) -> None:
        """Wait until a resource is handed to the job."""
        turn = _Turn(job)
        self.queue(turn, priority)
        try:
            await turn.came
        except asyncio.CancelledError:
            if turn.came.cancelled():
                self.leave(turn)
            else:  # It had just come.
                self.give_back()
            raise

    # Without a task that waits

    def take(self) -> bool:
        """Take one of the resources, if one is free."""
        if self.free:
            self.used += 1
            return True
        return False

    def queue(self, place: QueuePlace, priority: int) -> None:
        """Queue a job, which is told by its place when a resource is handed to it."""
        job = place.job
        place.ticket = self.draw() if job.has_begun else job.tickets.draw(self)
        rank = _rank(priority, job.urgency)
        line = self._lines.get(rank)
        if line is None:
            line = self._lines[rank] = WaitingLine(_ticket)
            insort(self._ranks, rank)
        place.line = line
        line.add(place)

    def leave(self, place: QueuePlace) -> None:
        """Leave the queue without a resource. Once it has left, this does nothing."""
        line, place.line = place.line, None
        if line is not None:
            line.remove(place)
            if not line:
                self._forget_empty_lines()

    def give_back(self) -> None:
        """Give a resource back: the next job in the queue gets it, so that nobody comes between."""
        while self._ranks:
            line = self._lines[self._ranks[0]]
            place = line.pop_first()
            place.line = None
            if not line:
                self._forget_empty_lines()
            if place.granted():
                return
        self.used -= 1

    def _forget_empty_lines(self) -> None:
        for rank in [rank for rank in self._ranks if not self._lines[rank]]:
            self._ranks.remove(rank)
            del self._lines[rank]


_Rank: TypeAlias = tuple[int, bool]
"""In the order in which they are served."""


def _rank(priority: int, urgency: Urgency) -> _Rank:
    return -priority, urgency is Urgency.LOW


def _ticket(place: QueuePlace) -> int:
    return place.ticket


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
    """The resource of its pool that one job holds until it ends."""

    __slots__ = ("_held", "_pool")

    def __init__(self) -> None:
        self._held: AsyncExitStack | None = None
        self._pool: Pool | None = None

    @property
    def are_held(self) -> bool:
        return self._held is not None or self._pool is not None

    def hold(self, pool: Pool) -> None:
        """The job has a resource of this pool."""
        self._pool = pool

    async def take(self, pool: CustomPool[Any], job: Waiter) -> Any:
        """Wait for a resource of the pool, and return it. Called once."""
        self._held = AsyncExitStack()
        return await self._held.enter_async_context(pool.acquire(job))

    def drop(self) -> None:
        """Give back the resource of a pool that counts them."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.give_back()

    async def give_back(self, pool: AnyPool | None, log: Callable[[str], None]) -> None:
        """Give back all of them, even if cancelled. An error is logged, as it is not the work's."""
        self.drop()
        if self._held is None:
            return
        owner = this_task()
        try:
            await uncancellable(self._held.aclose())
        except BaseException as error:
            where = "a pool" if pool is None else f"pool {pool.label}"
            why = failure_by(error, "that", owner).message
            log(f"A resource of {where} can't be given back: {why}")
