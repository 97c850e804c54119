"""Many queued jobs that are drained, with a few people who look on, and without.

The engine and its site run in this process, those who look on in another one: each has the page of
the jobs and that of the pipeline open, as a browser would, see `benchmarks.viewers`.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from benchmarks.figures import Benchmark, Better, Figure, Samples
from benchmarks.places import Place, scratch
from benchmarks.site import Site, begin_viewers, serving, tell_the_end

from pycurrent import Builder, Current, Job, Level, Pool, Var, component

VIEWERS = 5
ROUNDS = 2
"""How often the jobs are run, without and with viewers in turn."""
RUNNING = 50
TICK = 0.001
"""Seconds between two looks at how late the loop is."""


class Queued(Builder[str, str]):
    """Waits in a queue, or for leave to go on, and then has nothing to do."""

    id = "queued"

    def __init__(self) -> None:
        self.pool = Pool("queue", RUNNING)
        self.leave = asyncio.Event()

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS, pool=self.pool)
        await self.leave.wait()
        return key


@dataclass(frozen=True)
class Drain:
    """All jobs, run once."""

    rate: float
    """Jobs a second."""
    latest: float
    """The worst delay of the event loop, in milliseconds."""
    missed: int
    """The number of events that the viewers have missed."""


class Drains:
    """Queues so many jobs, and drains them, again and again."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._queued = Queued()
        self._wanted: Var[tuple[str, ...]] = Var("wanted", ())

    def pipeline(self) -> Current[Any]:
        return self._wanted.get().list_iter(self._stage)

    def _stage(self, key: Current[str]) -> Current[str]:
        return component("queued", self._queued.get, key)

    async def run(self, site: Site, number: int, *, watched: bool) -> Drain:
        queued, engine = self._queued, site.engine
        queued.leave.clear()
        self._wanted.set(tuple(f"{number} {index}" for index in range(self._jobs)))
        while len(queued.pool.waiting) < self._jobs - RUNNING:  # noqa: ASYNC110 - seldom
            await asyncio.sleep(0.05)
        viewers = await begin(site) if watched else None
        gc.collect()
        async with late() as lags:
            began = perf_counter()
            queued.leave.set()
            while engine.stats.ok <= self._jobs:  # noqa: ASYNC110 - what is measured goes on
                await asyncio.sleep(0.01)
            seconds = perf_counter() - began
        missed = 0 if viewers is None else await end(viewers, site)
        return Drain(self._jobs / seconds, max(lags) * 1e3, missed)


@asynccontextmanager
async def late() -> AsyncIterator[list[float]]:
    """Measure how late the loop comes back to what is due, in seconds."""
    lags = [0.0]

    async def probe() -> None:
        while True:
            due = perf_counter() + TICK
            await asyncio.sleep(TICK)
            lags.append(perf_counter() - due)

    probing = asyncio.create_task(probe())
    try:
        yield lags
    finally:
        probing.cancel()


async def begin(site: Site) -> asyncio.subprocess.Process:
    """The process of those who look on; they have read all that there is to see."""
    return await begin_viewers(site, "--pages", str(VIEWERS))


async def end(viewers: asyncio.subprocess.Process, site: Site) -> int:
    """How much they have missed of what there is to see at the end."""
    # The last events are told within a moment.
    await asyncio.sleep(1)
    tell_the_end(site)
    assert viewers.stdout is not None
    seen: dict[str, int] = json.loads(await viewers.stdout.read())
    await viewers.wait()
    return seen["resets"] + seen["jobs_left"] + seen["stages_not_ok"]


def drained(jobs: int) -> Samples:
    return asyncio.run(_drained(jobs))


async def _drained(jobs: int) -> Samples:
    drains = Drains(jobs)
    alone: list[Drain] = []
    watched: list[Drain] = []
    with scratch(Place.MEMORY) as folder:
        async with serving(drains.pipeline, folder) as site:
            for number in range(ROUNDS):
                alone.append(await drains.run(site, 2 * number, watched=False))
                watched.append(await drains.run(site, 2 * number + 1, watched=True))
    without, with_viewers = (max(each.rate for each in some) for some in (alone, watched))
    return {
        "drain-part": with_viewers / without * 100,
        "drain-watched": with_viewers,
        "drain-alone": without,
        "drain-missed": sum(each.missed for each in watched),
        "drain-late": min(each.latest for each in watched),
        "drain-late-alone": min(each.latest for each in alone),
    }


BENCHMARKS = (
    Benchmark(
        "drained",
        drained,
        (
            Figure(
                "drain-part",
                "n queued jobs, 5 look on: speed of without",
                "%",
                {1_000: 80, 10_000: 80, 100_000: 80},
                better=Better.HIGHER,
            ),
            Figure("drain-watched", "  jobs a second", "/s", better=Better.HIGHER),
            Figure("drain-alone", "  without viewers", "/s", better=Better.HIGHER),
            Figure("drain-missed", "  missed by them", "", {1_000: 0, 10_000: 0, 100_000: 0}),
            Figure("drain-late", "  the loop is late, at worst", "ms", {10_000: 50, 100_000: 50}),
            Figure("drain-late-alone", "  without viewers", "ms"),
        ),
        sizes=(1_000, 10_000, 100_000),
        runs={1_000: 1, 10_000: 1, 100_000: 1},
    ),
)
