"""Outputs of commands on their way to logs: how fast they get there, and how long the loop waits.

Of many commands at once, which all print, and of one that prints as fast as it can.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.engine import until_ok
from benchmarks.figures import Benchmark, Better, Figure, NotMeasured, Samples
from benchmarks.lag import Lag
from benchmarks.places import Place, scratch

from pycurrent import Builder, Current, Engine, Job, Level, all, component

MANY = 50
LITTLE, MUCH = 1, 20
"""MB that each of many prints."""
FLOOD = 500
"""MB that one prints."""
SECRET = "a secret that nobody prints"


class Prints(Builder[int, None]):
    """Prints so many MB in lines of 100 bytes."""

    id = "prints"

    def __init__(self, megabytes: int, *, secret: bool = False) -> None:
        self._megabytes = megabytes
        self._secret = secret

    async def build(self, job: Job, key: int) -> None:
        await job.start(level=Level.HARMLESS)
        if self._secret:
            job.secret(SECRET)
        line = "x" * 99
        shell = f"yes {line} | head -c {self._megabytes}000000"
        await job.exec(["sh", "-c", shell])


def outputs(n: int) -> Samples:
    """Each of them in memory, so that no disk decides."""
    if sys.platform != "linux":
        raise NotMeasured("its commands are those of Linux")
    samples: Samples = {}
    for name, jobs, megabytes, secret in (
        ("little", MANY, LITTLE, False),
        ("much", MANY, MUCH, False),
        ("flood", 1, FLOOD, False),
        ("secret", 1, FLOOD, True),
    ):
        prints = Prints(megabytes, secret=secret)
        with scratch(Place.MEMORY) as folder:
            seconds, lag = asyncio.run(_copied(_pipeline(prints, jobs), folder))
        samples[f"outputs-{name}"] = jobs * megabytes / seconds
        samples[f"outputs-{name}-lag"] = lag
    return samples


def _pipeline(prints: Prints, jobs: int) -> Callable[[], Current[None]]:
    def pipeline() -> Current[None]:
        return all([component(f"prints {index}", prints.get, index) for index in range(jobs)])

    return pipeline


async def _copied(pipeline: Callable[[], Current[None]], folder: Path) -> tuple[float, float]:
    """Seconds until all is done, and milliseconds for which the loop stood still at most."""
    engine = Engine(pipeline, state_dir=folder)
    before = perf_counter()
    async with engine:
        async with Lag.watched() as lag:
            await until_ok(engine)
        return perf_counter() - before, lag.worst


def _figures(name: str, what: str, least: float | None = None) -> tuple[Figure, Figure]:
    target = {} if least is None else {1: least}
    return (
        Figure(f"outputs-{name}", what, "MB/s", target, Better.HIGHER),
        Figure(f"outputs-{name}-lag", "    the loop waits at most", "ms", {1: 50}),
    )


BENCHMARKS = (
    Benchmark(
        "outputs",
        outputs,
        (
            *_figures("little", f"{MANY} commands that print {LITTLE} MB each"),
            *_figures("much", f"{MANY} commands that print {MUCH} MB each"),
            *_figures("flood", f"one command that prints {FLOOD} MB", 1_000),
            *_figures("secret", "    and its job has a secret", 390),
        ),
        sizes=(1,),
        runs={1: 3},
    ),
)
