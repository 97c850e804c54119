"""The resources that a job has from its pool, until it ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from pycurrent.engine.custom_pool import CustomPool
from pycurrent.engine.pool import AnyPool, Lender, Waiter
from pycurrent.engine.tasks import failure_by, this_task, uncancellable


class Resources:
    """The resource of its pool that one job holds until it ends."""

    __slots__ = ("_held", "_lender")

    def __init__(self) -> None:
        self._held: AsyncExitStack | None = None
        self._lender: Lender | None = None

    @property
    def are_held(self) -> bool:
        return self._held is not None or self._lender is not None

    def hold(self, lender: Lender) -> None:
        """The job has a resource that this one has lent."""
        self._lender = lender

    async def take(self, pool: CustomPool[Any], job: Waiter) -> Any:
        """Wait for a resource of the pool, and return it. A resource of the pool's entry that the
        job holds goes to the pool.
        """
        lender, self._lender = self._lender, None
        return await self._hold_by(
            pool.acquire(job) if lender is None else pool.acquire(job, lender)
        )

    async def take_again(self, pool: CustomPool[Any], job: Waiter, told: object) -> Any:
        """Hold again the resource that the job has had under an earlier engine, and return it."""
        assert pool.restore is not None
        return await self._hold_by(pool.restore(job, told))

    async def _hold_by(self, context: AbstractAsyncContextManager[Any]) -> Any:
        # Nothing is held before it has come: the job still waits for it.
        held = AsyncExitStack()
        resource = await held.enter_async_context(context)
        self._held = held
        return resource

    def drop(self) -> None:
        """Give back the resource of a pool that counts them."""
        lender, self._lender = self._lender, None
        if lender is not None:
            lender.give_back()

    async def give_back(self, pool: AnyPool | None, log: Callable[[str], None]) -> None:
        """Give back all of them, even if cancelled. An error is logged, as it is not the work's."""
        self.drop()
        held, self._held = self._held, None
        if held is None:
            return
        owner = this_task()
        try:
            await uncancellable(held.aclose())
        except BaseException as error:
            where = "a pool" if pool is None else f"pool {pool.label}"
            why = failure_by(error, "that", owner).message
            log(f"A resource of {where} can't be given back: {why}")
