"""Many jobs that wait for a cluster: one that can't be reached, so that none of them begins.

They are those of a `@builder` that has the cluster as its pool, or those whose function names it in
`job.start`, and so has begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from benchmarks.figures import LARGE, SMALL, Benchmark, Figure, Samples
from benchmarks.lag import Lag
from benchmarks.many import resident
from benchmarks.places import Place, scratch
from benchmarks.queued import until

from pycurrent import Current, Engine, Job, Level, all, builder
from pycurrent.plugins import ray

_ASKED = 100
"""More jobs than a cluster is asked for at once."""

Work = Callable[[int], Current[int]]


def _declared(cluster: ray.Cluster) -> Work:
    @builder("declared", level=Level.HARMLESS, pool=cluster)
    async def declared(job: Job, number: int) -> int:
        return number

    return declared


def _named(cluster: ray.Cluster) -> Work:
    @builder("named")
    async def named(job: Job, number: int) -> int:
        await job.start(level=Level.HARMLESS, pool=cluster)
        return number

    return named


def _queued(name: str, work: Callable[[ray.Cluster], Work], jobs: int) -> Samples:
    """The megabytes that they take, and for how many milliseconds the loop stood still."""
    return asyncio.run(_filled(name, work, jobs))


async def _filled(name: str, work: Callable[[ray.Cluster], Work], jobs: int) -> Samples:
    cluster = ray.Cluster("127.0.0.1:1")
    job = work(cluster)
    idle = resident()
    terms = all([job(number) for number in range(jobs)])
    async with Lag.watched() as lag:
        with scratch(Place.MEMORY) as folder:
            lag.taken()
            async with Engine(lambda: terms, state_dir=folder):
                await until(lambda: cluster.entry.queue_length >= jobs - _ASKED)
                return {name: resident() - idle, f"{name}-lag": lag.taken()}


def _benchmark(name: str, work: Callable[[ray.Cluster], Work], what: str) -> Benchmark:
    return Benchmark(
        name,
        partial(_queued, name, work),
        (
            Figure(name, what, "MB", {LARGE: 1000}),
            Figure(f"{name}-lag", "  the loop stands still for, at most", "ms"),
        ),
        sizes=(SMALL, LARGE),
        runs={SMALL: 1, LARGE: 1},
    )


BENCHMARKS = (
    _benchmark("cluster-declared", _declared, "n jobs of a decorator with a cluster wait for it"),
    _benchmark("cluster-named", _named, "n jobs that have named it in job.start wait for it"),
)
