"""Pools that lend places."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

from pycurrent.engine.custom_pool import CustomPool
from pycurrent.engine.place import Place, PlaceLost
from pycurrent.engine.place_asking import ask
from pycurrent.engine.pool import Lender, Pool

if TYPE_CHECKING:
    from pycurrent.engine.driven_job import DrivenJob
    from pycurrent.engine.process import Processes

_FRESH = 30.0
"""Seconds for which a place counts as there that was there."""
_PAUSE, _LONGEST_PAUSE = 5.0, 60.0
"""Seconds until a place that was not there is asked again: at first, and at most."""


class _Seat:
    """A place with its room."""

    def __init__(self, place: Place, capacity: int) -> None:
        self.place = place
        self.capacity = capacity
        self.used = 0
        self.down: str | None = None
        """Why it is not there."""
        self.pause = _PAUSE
        self.asked_again = 0.0
        """When it is to be asked again, or counts as there no longer."""

    def is_there(self) -> None:
        self.down, self.pause = None, _PAUSE
        self.asked_again = time.monotonic() + _FRESH

    def is_down(self, why: str) -> None:
        self.down = why
        self.asked_again = time.monotonic() + self.pause
        self.pause = min(2 * self.pause, _LONGEST_PAUSE)


class PlacePool(CustomPool[Place]):
    """A pool whose resources are places, each of which is lent to so many jobs at once.

    Jobs are served as those of a `Pool` are. Each gets the place that has the most room. A place
    that can't be reached leaves the pool until it can be.
    """

    lends_places: ClassVar[bool] = True

    def __init__(self, label: str, places: Sequence[Place], capacity: int) -> None:
        super().__init__(label, self._acquire, self._restore)
        self._seats = [_Seat(place, capacity) for place in places]
        self.queue = Pool(label, capacity * len(places))
        """The queue of jobs that wait for any place."""
        self._waiters: set[asyncio.Future[None]] = set()
        self._freed = 0
        """How often a place has been given back: one may be while others are asked."""

    @property
    def counting(self) -> Pool:
        return self.queue

    @property
    def places(self) -> list[Place]:
        """The places, those that are not there included."""
        return [seat.place for seat in self._seats]

    @property
    def entry(self) -> Pool:
        return self.queue

    def told(self, resource: object) -> object:
        assert isinstance(resource, Place)
        return resource.name

    @asynccontextmanager
    async def _acquire(self, job: DrivenJob, lender: Lender | None = None) -> AsyncIterator[Place]:
        async with self.queue.acquire(job, lender=lender):
            seat = await self._seat_for(job)
            try:
                yield seat.place
            finally:
                self._free(seat)

    @asynccontextmanager
    async def _restore(self, job: DrivenJob, told: str) -> AsyncIterator[Place]:
        """The place that the job has had, be there room or not. Raises `PlaceLost`: then it is run
        afresh at another one, once what it has left there has ended.
        """
        seat = next((seat for seat in self._seats if seat.place.name == told), None)
        if seat is None:
            known = ", ".join(place.name for place in self.places)
            raise PlaceLost(
                f"the job was at work at {told}, which pool {self.label} does not have any more: it"
                f" has {known}"
            )
        lender = self.queue.take_over(job)
        seat.used += 1
        try:
            yield seat.place
        finally:
            self._free(seat)
            lender.give_back()

    def _free(self, seat: _Seat) -> None:
        seat.used -= 1
        self._freed += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _seat_for(self, job: DrivenJob) -> _Seat:
        with ExitStack() as waiting:
            waits = False
            while True:
                freed = self._freed
                seat = await self._try_seats(job)
                if seat is not None:
                    return seat
                if not waits:
                    waits = True
                    waiting.enter_context(job.waiting_for(self._why))
                if freed == self._freed:
                    await self._changed()

    async def _try_seats(self, job: DrivenJob) -> _Seat | None:
        """The seat with the most room that is there, which is taken."""
        for seat in sorted(self._seats, key=lambda seat: seat.used / seat.capacity):
            if seat.used >= seat.capacity:
                continue
            seat.used += 1
            try:
                is_there = await self._is_there(seat, job)
            except BaseException:
                self._free(seat)
                raise
            if is_there:
                return seat
            seat.used -= 1
        return None

    async def _is_there(self, seat: _Seat, job: DrivenJob) -> bool:
        if time.monotonic() < seat.asked_again:
            return seat.down is None
        request = {"what": "hello", "args": {}, "patience": 0.0, "silence": _FRESH}
        host = job.host
        end = await ask(host.processes(), host.tmp, seat.place.relay(), request)
        if "answer" in end:
            seat.is_there()
            await self.keep_open(seat.place, host.processes())
            return True
        why = str(next(iter(end.values())))
        if seat.down != why:
            job.note(f"{seat.place} can't be used: {why}")
        seat.is_down(why)
        return False

    async def keep_open(self, place: Place, processes: Processes) -> None:
        """Called now and then while a place is there and in use: what makes its use quicker may be
        begun.
        """

    def _why(self) -> str:
        """The places that a job waits for, in words for people."""
        down = [f"{seat.place}: {seat.down}" for seat in self._seats if seat.down is not None]
        return f"a place of pool {self.label}" + (f" ({'; '.join(down)})" if down else "")

    async def _changed(self) -> None:
        """Wait until a place is free, or may be there again."""
        now = time.monotonic()
        looks = [seat.asked_again - now for seat in self._seats if seat.down is not None]
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(max(0.1, min(looks)) if looks else None):
                await waiter
        except TimeoutError:
            """One of them is asked again."""
        finally:
            self._waiters.discard(waiter)
