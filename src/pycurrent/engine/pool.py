"""Resources that jobs wait for."""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from itertools import count
from typing import Any, Protocol, TypeAlias, TypeVar

from pycurrent.engine.custom_pool import CustomPool
from pycurrent.engine.line import WaitingLine
from pycurrent.engine.shares import Part, SharedLine, Shares, ShareView
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

    __slots__ = ("_drawn", "_pool")

    def __init__(self, drawn: Tickets | None = None) -> None:
        """None yet, or those that were drawn for another job."""
        # Most jobs have one pool, for which a dictionary would be three times as large: it comes
        # with the second.
        self._pool: Pool | None = None if drawn is None else drawn._pool
        self._drawn: int | dict[Pool, int] = 0 if drawn is None else drawn._drawn

    def copy(self) -> Tickets:
        """The same tickets, for another job: they may outlive the one that has drawn them."""
        return Tickets(self)

    def drawn(self, pool: Pool) -> int | None:
        """The ticket for a pool, if there is one."""
        drawn = self._drawn
        if isinstance(drawn, int):
            return drawn if self._pool is pool else None
        return drawn.get(pool)

    def draw(self, pool: Pool) -> int:
        """The ticket for a pool: a new one, if there is none yet."""
        ticket = self.drawn(pool)
        if ticket is None:
            ticket = pool.draw()
            if self._pool is None:
                self._pool, self._drawn = pool, ticket
            elif isinstance(self._drawn, int):
                self._drawn = {self._pool: self._drawn, pool: ticket}
            else:
                self._drawn[pool] = ticket
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

    def label(self, name: str, /) -> str | None:
        """A label of the stage that wanted it first; None if it has none of this name."""


class Lender(Protocol):
    """Has lent a resource to a job."""

    def give_back(self) -> None:
        """Take the resource back. Once for each."""


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
    def granted(self, lender: Lender) -> bool:
        """Called when the job is served. False if it has no use for the resource any more."""


class _Turn(QueuePlace):
    """The place of a job whose task waits."""

    __slots__ = ("_job", "came")

    def __init__(self, job: Waiter) -> None:
        super().__init__()
        self._job = job
        self.came: asyncio.Future[Lender] = asyncio.get_running_loop().create_future()

    @property
    def job(self) -> Waiter:
        return self._job

    def granted(self, lender: Lender) -> bool:
        if self.came.done():  # A job that was just cancelled takes itself out in a moment.
            return False
        self.came.set_result(lender)
        return True


class Pool:
    """A number of equal resources, the `capacity`: so many jobs of the pool can run at once.

    Jobs are served by their priority, the highest first; of one priority those come first that
    somebody waits for, then those that refresh a result; and among these the ones that came first.
    A cancelled job leaves the queue; a job that is replaced before it has begun leaves its place to
    the new one. A pool belongs to its maker, and may serve several engines of one event loop.

    With `share_by`, the name of a label, those that are equal up to here are served in turn by the
    value of that label, so that however many wait for one repository, another one is served soon:
    first those whose value holds the fewest resources, then those whose value was served longest
    ago, then the ones that came first. The others get what one value does not use. Jobs without
    the label share as those of one value. With `quota` as well, no value ever holds more resources
    than that. A job counts by the label of the stage that wanted it first, as that is when the job
    comes to the pool.
    """

    def __init__(
        self, label: str, capacity: int, *, share_by: str | None = None, quota: int | None = None
    ) -> None:
        if not isinstance(label, str):
            raise WrongKind(f'Pool takes a label first, not {shown(label)}: Pool("builds", 2)')
        _check_number(label, "capacity", capacity)
        if share_by is not None and not isinstance(share_by, str):
            raise WrongKind(
                f"pool {label!r}: share_by= takes the name of a label, not {shown(share_by)}:"
                ' share_by="repo"'
            )
        if quota is not None:
            _check_number(label, "quota", quota)
            if share_by is None:
                raise UsageError(
                    f"pool {label!r}: quota= limits the values of a label: add share_by="
                )
        self.label = label
        self.capacity = capacity
        self.share_by = share_by
        self.quota = quota
        self.used = 0
        self._tickets = count()
        # By the ranks of the jobs, the first one served first. No line is empty.
        self._lines: dict[_Rank, _Line] = {}
        self._ranks: list[_Rank] = []
        self._shares = None if share_by is None else Shares(_ticket, quota, self.give_back)

    def __repr__(self) -> str:
        shared = "" if self.share_by is None else f", share_by={self.share_by!r}"
        limited = "" if self.quota is None else f", quota={self.quota}"
        return f"Pool({self.label!r}, {self.capacity}{shared}{limited})"

    @staticmethod
    def of(
        label: str,
        acquire: Callable[[J], AbstractAsyncContextManager[R]],
        *,
        restore: Callable[[J, R], AbstractAsyncContextManager[R]] | None = None,
    ) -> CustomPool[R]:
        """A pool whose resources are got by `acquire(job)`: an async context manager, which gives
        the resource for the block, and gets it back at its end.

        A durable job can have one of them only with `restore(job, resource)`: where the job goes on
        after its engine was killed, that gives again what it had. The resources are noted as JSON
        then: texts, numbers, lists, dicts with texts as keys.
        """
        return CustomPool(label, acquire, restore)

    @property
    def counting(self) -> Pool:
        """The pool that counts its resources and has the queue: itself."""
        return self

    @property
    def entry(self) -> Pool:
        """The pool through which its jobs pass: itself."""
        return self

    @property
    def waiting(self) -> list[Waiter]:
        """The jobs in the queue, the next one first.

        With `share_by` those of one priority stand in the order in which they are served while
        nothing is given back, whether or not their values hold their quota.
        """
        return list(self.in_queue())

    def in_queue(self) -> Iterator[Waiter]:
        """The jobs in the queue, as `waiting` has them, without a list of all."""
        return (place.job for rank in self._ranks for place in self._lines[rank])

    @property
    def queue_length(self) -> int:
        """The number of jobs in the queue, in no more time than there are priorities and shares."""
        return sum(len(line) for line in self._lines.values())

    def place(self, job: Waiter) -> int | None:
        """How many jobs are served up to this one; None if it does not wait.

        However long the queue is, this is quick for a job that waits to begin.
        """
        own = _rank(job.priority, job.urgency)
        ticket = job.tickets.drawn(self)
        if ticket is not None and own in self._lines:
            index = self._index(self._lines[own], job, ticket)
            if index is not None:
                return 1 + index + self._before(own)
        return next((n for n, other in enumerate(self.waiting, 1) if other is job), None)

    def places(self, jobs: Collection[Waiter]) -> dict[Waiter, int]:
        """The places of several jobs, without those that do not wait.

        It goes through the queue once, up to the last of them, whatever they wait for. Jobs that
        have just been served don't have it go on to the end, unless the pool is shared.
        """
        wanted, found = set(jobs), dict[Waiter, int]()
        last = max(map(self._last_ticket, wanted), default=0)
        before = 0
        for line in map(self._lines.__getitem__, self._ranks):
            is_by_ticket = not isinstance(line, SharedLine)
            for number, place in enumerate(line, before + 1):
                if place.job in wanted:
                    found[place.job] = number
                    if len(found) == len(wanted):
                        return found
                elif is_by_ticket and place.ticket > last:
                    break
            before += len(line)
        return found

    def _last_ticket(self, job: Waiter) -> float:
        """The latest ticket with which a job may stand in the queue."""
        return math.inf if job.has_begun else job.tickets.drawn(self) or 0

    def _index(self, line: _Line, job: Waiter, ticket: int) -> int | None:
        """The place of a job in a line, from 0, if it is found at once."""
        if isinstance(line, SharedLine):
            return line.index(self._value(job), ticket, lambda place: place.job is job)
        return line.index(ticket, lambda place: place.job is job)

    def _value(self, job: Waiter) -> str | None:
        """The value of the label by which the job shares."""
        assert self.share_by is not None
        return job.label(self.share_by)

    def share_of(self, job: Waiter) -> ShareView | None:
        """The share that a job belongs to, in a pool that is shared."""
        if self._shares is None or self.share_by is None:
            return None
        value = self._value(job)
        share = self._shares.get(value)
        return ShareView(self.share_by, value, 0 if share is None else share.held, self.quota)

    def _before(self, rank: _Rank) -> int:
        """How many jobs of earlier ranks wait."""
        ahead = self._ranks[: bisect_left(self._ranks, rank)]
        return sum(len(self._lines[rank]) for rank in ahead)

    @property
    def free(self) -> bool:
        """True if it has a resource left."""
        return self.used < self.capacity

    def has_room(self, job: Waiter) -> bool:
        """True if the job need not wait for a resource."""
        return self.free and (self._shares is None or self._shares.has_room(self._value(job)))

    def draw(self) -> int:
        """A ticket for the end of the queue."""
        return next(self._tickets)

    @asynccontextmanager
    async def acquire(
        self, job: Waiter, priority: int | None = None, lender: Lender | None = None
    ) -> AsyncIterator[None]:
        """Hold one of the resources for the block; wait at the job's priority, or another one. The
        job may have one already, from this `lender`.
        """
        if lender is None:
            lender = self.take(job)
        if lender is None:
            lender = await self._granted(job, job.priority if priority is None else priority)
        try:
            yield
        finally:
            lender.give_back()

    async def _granted(self, job: Waiter, priority: int) -> Lender:
        """Wait until a resource is handed to the job."""
        turn = _Turn(job)
        self.queue(turn, priority)
        try:
            return await turn.came
        except asyncio.CancelledError:
            if turn.came.cancelled():
                self.leave(turn)
            else:  # It had just come.
                turn.came.result().give_back()
            raise

    # Without a task that waits

    def take(self, job: Waiter) -> Lender | None:
        """Take one of the resources, if the job may have one at once; gives its lender."""
        return self.take_over(job) if self.has_room(job) else None

    def take_over(self, job: Waiter) -> Lender:
        """Take one of the resources even if none is left: the job has held it since an earlier
        engine. Gives its lender.
        """
        lender: Lender = self
        if self._shares is not None:
            share = self._shares.of(self._value(job))
            share.lend()
            lender = share
        self.used += 1
        return lender

    def queue(self, place: QueuePlace, priority: int) -> None:
        """Queue a job, which is told by its place when a resource is handed to it."""
        job = place.job
        place.ticket = self.draw() if job.has_begun else job.tickets.draw(self)
        rank = _rank(priority, job.urgency)
        line = self._lines.get(rank)
        if line is None:
            line = self._lines[rank] = self._new_line()
            insort(self._ranks, rank)
        if isinstance(line, SharedLine):
            assert self._shares is not None
            place.line = line.add(place, self._shares.of(self._value(job)))
        else:
            place.line = line
            line.add(place)

    def _new_line(self) -> _Line:
        return WaitingLine(_ticket) if self._shares is None else SharedLine(self._shares)

    def leave(self, place: QueuePlace) -> None:
        """Leave the queue without a resource. Once it has left, this does nothing."""
        line, place.line = place.line, None
        if line is not None:
            line.remove(place)
            if not line:
                self._forget_empty(line)

    def give_back(self) -> None:
        """Give a resource back: the next job in the queue gets it, so that nobody comes between.

        Call it on the lender that the job has got: that is another one if the pool is shared.
        """
        if self.used > self.capacity:
            self.used -= 1
            return
        while (place := self._next()) is not None:
            line, place.line = place.line, None
            if isinstance(line, Part):
                is_granted = place.granted(line.share)
                if is_granted:
                    line.share.lend()
            else:
                is_granted = place.granted(self)
            assert line is not None
            if not line:
                self._forget_empty(line)
            if is_granted:
                return
        self.used -= 1

    def _next(self) -> QueuePlace | None:
        """Take the next one that may have a resource out of its line."""
        for rank in self._ranks:
            place = self._lines[rank].pop_first()
            if place is not None:
                return place
        return None

    def _forget_empty(self, line: WaitingLine[QueuePlace]) -> None:
        """Forget what is empty, after the last one has left a line."""
        for rank in [rank for rank in self._ranks if not self._lines[rank]]:
            self._ranks.remove(rank)
            del self._lines[rank]
        if isinstance(line, Part):
            assert self._shares is not None
            self._shares.forget_unused(line.share)


_Line: TypeAlias = WaitingLine[QueuePlace] | SharedLine[QueuePlace]

_Rank: TypeAlias = tuple[int, bool]
"""In the order in which they are served."""


def _rank(priority: int, urgency: Urgency) -> _Rank:
    return -priority, urgency is Urgency.LOW


def _ticket(place: QueuePlace) -> int:
    return place.ticket


def _check_number(label: str, name: str, number: Any) -> None:
    if isinstance(number, bool) or not isinstance(number, int):
        raise WrongKind(f"pool {label!r}: {name}= takes a whole number, not {shown(number)}")
    if number < 1:
        raise UsageError(f"pool {label!r} must have a {name} of 1 or more, not {number}")


AnyPool = Pool | CustomPool[Any]
