"""Jobs on the nodes of Ray: a cluster of one node on this machine.

`ray-first` is from the start of a job to the end of its first command, the driver being there;
`ray-command` is a small command more. `ray-busy` is the share of the cluster's time for which jobs
of one second have it, one for each of its CPUs at a time, with all that each begins and ends with.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.figures import SMALL, Benchmark, Better, Figure, Samples
from benchmarks.places import Place, scratch
from tests.places.ray_head import RayHead

from pycurrent.cache import Builder
from pycurrent.engine import Job, Level
from pycurrent.facade import Engine
from pycurrent.plugins import ray
from pycurrent.term import Current, all, component

_TIMES = 8
_CPUS = 4
_SECONDS = 40
"""How many jobs of one second."""


def in_cluster(_: int) -> Samples:
    """The milliseconds of jobs one after another, and the share of the time of many."""
    with scratch(Place.DISK) as folder:
        (folder / "home").mkdir()
        head = RayHead(folder / "home", cpus=_CPUS)
        try:
            head.start()
            alone = asyncio.run(_one_by_one(folder / "alone", head.cluster()))
            busy = asyncio.run(_at_once(folder / "many", head.cluster()))
        finally:
            head.stop()
    return {**alone, "ray-busy": busy}


async def _one_by_one(state: Path, pool: ray.Cluster) -> Samples:
    first: list[float] = []
    more: list[float] = []
    turn = asyncio.Lock()

    class Measured(Builder[int, str]):
        """A job of two commands, when those before have ended."""

        id = "measured"

        async def build(self, job: Job, key: int) -> str:
            async with turn:
                for took in (first, more):
                    began = perf_counter()
                    if took is first:
                        await job.start(level=Level.HARMLESS, pool=pool)
                    await job.exec(["echo", "hello"])
                    took.append(perf_counter() - began)
            return "done"

    await _run(state, Measured(), _TIMES)
    # The first one has waited for the driver.
    return {"ray-first": median(first[1:]) * 1e3, "ray-command": median(more[1:]) * 1e3}


async def _at_once(state: Path, pool: ray.Cluster) -> float:
    begun: list[float] = []

    class Sleeping(Builder[int, str]):
        """A job of one second."""

        id = "sleeping"

        async def build(self, job: Job, key: int) -> str:
            await job.start(level=Level.HARMLESS, pool=pool)
            begun.append(perf_counter())
            await job.exec(["sleep", "1"])
            return "done"

    ended = await _run(state, Sleeping(), _SECONDS)
    return 100 * _SECONDS / (_CPUS * (ended - begun[0]))


async def _run(state: Path, builder: Builder[int, str], times: int) -> float:
    """The time at which all jobs had ended; the engine's own end is none of theirs."""

    def pipeline() -> Current[None]:
        return all([component("job", lambda k=key: builder.get(k)) for key in range(times)])

    async with Engine(pipeline, state_dir=state) as engine:
        await engine.settled()
        return perf_counter()


BENCHMARKS = (
    Benchmark(
        "ray",
        in_cluster,
        (
            Figure("ray-first", "a job in Ray, to its first line", "ms", {SMALL: 200}),
            Figure("ray-command", "  a small command more", "ms"),
            Figure("ray-busy", "jobs of 1 s have the cluster for", "%", {SMALL: 90}, Better.HIGHER),
        ),
        sizes=(SMALL,),
        runs={SMALL: 1},
    ),
)
