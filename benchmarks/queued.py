"""Many jobs that wait for a pool of 50: queued, dropped, cancelled by a stop, drained, known again.

The loop's lag is watched in all of it: what a viewer, a timer or another engine of the process
would wait for. Not counted is the building of the terms, which is one call of the author's code.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.engine import until_ok
from benchmarks.figures import LARGE, SMALL, Benchmark, Figure, Samples
from benchmarks.lag import Lag
from benchmarks.many import resident
from benchmarks.places import Place, scratch

from pycurrent import Current, Engine, Job, Level, Pool, Var, all, builder, constant

ROOM = 50


class Queue:
    """A pipeline whose jobs wait for a pool, and its figures."""

    def __init__(self, jobs: int, lag: Lag) -> None:
        self._jobs = jobs
        self._lag = lag
        self._open = asyncio.Event()
        self._pool = Pool("builders", ROOM)
        self._wanted = Var("wanted", False)
        self.samples: Samples = {}

        @builder("queued", level=Level.HARMLESS, pool=self._pool, auto_cancel=True)
        async def queued(job: Job, number: int) -> int:
            await self._open.wait()
            return number

        terms = all([queued(number) for number in range(jobs)])
        self._pipeline: Current[Any] = self._wanted.get().bind(
            lambda wanted: terms if wanted else constant(None), name="all of them"
        )

    async def measure(self, folder: Path) -> None:
        async with self._engine(folder) as engine:
            idle = resident()
            async with self._phase("queued"):
                await self._fill()
            self.samples["queue-memory"] = (resident() - idle) * 1e3 / self._jobs
            async with self._phase("dropped"):
                self._wanted.set(False)
                await until(lambda: not engine.jobs and not self._pool.used)
            await self._fill()
            self._lag.taken()
            before = perf_counter()
        self._took("closed", before)
        async with self._engine(folder) as engine:
            await self._fill()
            async with self._phase("drained"):
                self._open.set()
                await self._done(engine)
        self._lag.taken()
        before = perf_counter()
        async with self._engine(folder) as engine:
            await self._done(engine)
            self._took("again", before)
        self.samples["queue-worst"] = max(self.samples[f"queue-{name}-lag"] for name in PHASES)

    def _engine(self, folder: Path) -> Engine:
        return Engine(lambda: self._pipeline, state_dir=folder)

    async def _fill(self) -> None:
        """Want all jobs, and wait until they are in the queue."""
        self._wanted.set(True)
        await until(lambda: self._pool.used + self._pool.queue_length == self._jobs)

    async def _done(self, engine: Engine) -> None:
        await until(lambda: engine.stats.ok >= self._jobs)
        await until_ok(engine)

    @asynccontextmanager
    async def _phase(self, name: str) -> AsyncIterator[None]:
        self._lag.taken()
        before = perf_counter()
        yield
        self._took(name, before)

    def _took(self, name: str, before: float) -> None:
        self.samples[f"queue-{name}"] = perf_counter() - before
        self.samples[f"queue-{name}-lag"] = self._lag.taken()


async def until(reached: Callable[[], bool]) -> None:
    """Look again and again, seldom enough to cost nothing."""
    while not reached():  # noqa: ASYNC110 - nothing tells of a pool's queue
        await asyncio.sleep(0.02)


def queued(jobs: int) -> Samples:
    return asyncio.run(_queued(jobs))


async def _queued(jobs: int) -> Samples:
    async with Lag.watched() as lag:
        queue = Queue(jobs, lag)
        with scratch(Place.MEMORY) as folder:
            await queue.measure(folder)
    return queue.samples


PHASES = ("queued", "dropped", "closed", "drained", "again")
"""Seconds of each; with `-lag`, milliseconds for which the loop stood still at most."""

BENCHMARKS = (
    Benchmark(
        "queue",
        queued,
        (
            Figure("queue-queued", "n jobs are queued for a pool of 50", "s", {LARGE: 6}),
            Figure("queue-memory", "  memory of each, its stage included", "kB", {LARGE: 2}),
            Figure("queue-drained", "  they run, one after the other", "s", {LARGE: 10}),
            Figure("queue-dropped", "  they are not wanted any more", "s", {LARGE: 1}),
            Figure("queue-closed", "  the engine is stopped", "s", {LARGE: 1}),
            Figure("queue-again", "  it is started again, all are known", "s", {LARGE: 3}),
            Figure(
                "queue-worst",
                "  the loop stands still for, at most",
                "ms",
                {LARGE: 50},
            ),
            Figure("queue-queued-lag", "    while they are queued", "ms"),
            Figure("queue-drained-lag", "    while they run", "ms"),
            Figure("queue-dropped-lag", "    while they are dropped", "ms"),
            Figure("queue-closed-lag", "    while the engine is stopped", "ms"),
            Figure("queue-again-lag", "    while it is started again", "ms"),
        ),
        runs={SMALL: 3},
    ),
)
