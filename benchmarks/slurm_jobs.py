"""Jobs in allocations of Slurm, beside `sbatch` alone: a cluster of one node on this machine.

`slurm-first` is from the start of a job to the first line of its first command; `slurm-command` is
a small command more. `slurm-alone` is the first line of a batch script that does nothing else.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.figures import SMALL, Benchmark, Figure, NotMeasured, Samples
from benchmarks.places import Place, scratch
from tests.debian import MissingPart
from tests.plugins.slurmd import Slurm

from pycurrent.cache import Builder
from pycurrent.engine import Job, Level
from pycurrent.facade import Engine
from pycurrent.plugins import slurm
from pycurrent.term import Current, all, component

_TIMES = 5


def first_line(_: int) -> Samples:
    """The milliseconds of jobs, one after another."""
    with scratch(Place.DISK) as folder, _cluster(folder / "slurm"):
        alone = [_alone(folder / f"out-{number}") for number in range(_TIMES)]
        return {"slurm-alone": median(alone) * 1e3, **asyncio.run(_measured(folder / "state"))}


@contextmanager
def _cluster(folder: Path) -> Iterator[None]:
    try:
        cluster = Slurm(folder)
    except MissingPart as why:
        raise NotMeasured(str(why)) from None
    cluster.start()
    os.environ["SLURM_CONF"] = str(cluster.config)
    try:
        yield
    finally:
        del os.environ["SLURM_CONF"]
        cluster.clean()
        cluster.stop()


def _alone(out: Path) -> float:
    began = perf_counter()
    words = ["sbatch", "--quiet", "--export=NONE", f"--output={out}", "--wrap=echo hello"]
    subprocess.run(words, check=True)
    while not (out.exists() and out.stat().st_size):
        time.sleep(0.005)
    return perf_counter() - began


async def _measured(state: Path) -> Samples:
    first: list[float] = []
    more: list[float] = []

    class Measured(Builder[int, str]):
        """A job of two commands, when those before have ended."""

        id = "measured"

        async def build(self, job: Job, key: int) -> str:
            async with turn:
                began = perf_counter()
                await job.start(level=Level.HARMLESS, pool=pool)
                await job.exec(["echo", "hello"])
                first.append(perf_counter() - began)
                began = perf_counter()
                await job.exec(["echo", "hello"])
                more.append(perf_counter() - began)
            return "done"

    pool, turn = slurm.Partition("ci"), asyncio.Lock()

    def pipeline() -> Current[None]:
        return all([component("m", lambda k=key: Measured().get(k)) for key in range(_TIMES)])

    async with Engine(pipeline, state_dir=state) as engine:
        await engine.settled()
    return {"slurm-first": median(first) * 1e3, "slurm-command": median(more) * 1e3}


BENCHMARKS = (
    Benchmark(
        "slurm",
        first_line,
        (
            Figure("slurm-first", "a job in Slurm, to its first line", "ms", {SMALL: 1500}),
            Figure("slurm-command", "  a small command more", "ms"),
            Figure("slurm-alone", "  a first line by sbatch alone", "ms"),
        ),
        sizes=(SMALL,),
        runs={SMALL: 1},
    ),
)
