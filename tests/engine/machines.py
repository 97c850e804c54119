"""A pool whose jobs pass through another one, before a resource is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pycurrent.engine import DrivenJob, Job, Pool
from pycurrent.engine.custom_pool import CustomPool
from pycurrent.engine.pool import Lender


def name_of(job: Job) -> str:
    """The last letter of its description."""
    return job.description[-1]


class Machines(CustomPool[str]):
    """A cloud that is asked for one machine at a time."""

    def __init__(self, label: str = "machines") -> None:
        super().__init__(label, self._acquire)
        self.turn = Pool(label, 1)
        self.comes = asyncio.Event()
        self.asked: list[str] = []
        self.held: list[str] = []

    @property
    def entry(self) -> Pool:
        return self.turn

    @asynccontextmanager
    async def _acquire(self, job: DrivenJob, lender: Lender | None = None) -> AsyncIterator[str]:
        async with self.turn.acquire(job, lender=lender):
            self.asked.append(name_of(job))
            await self.comes.wait()
            self.held.append(name_of(job))
            try:
                yield "m1"
            finally:
                self.held.remove(name_of(job))
