"""Asking why: of a stage that is known, that waits in a queue, and that many others block."""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.figures import SIZES, Benchmark, Figure, Samples
from benchmarks.places import Place, scratch
from benchmarks.queued import until

from pycurrent import Current, Engine, Job, Level, Pool, Primitive, all, builder, component
from pycurrent.term import State

_ASKED = 20


class Questions:
    """A pipeline of as many stages: a part is known, a part waits, and the last needs them all."""

    def __init__(self, stages: int) -> None:
        self._known = self._queued = stages // 2
        self._pool = Pool("few", 8)
        self._go_on = asyncio.Event()

    def pipeline(self) -> Current[Any]:
        @builder("known", level=Level.HARMLESS)
        async def known(job: Job, number: int) -> int:
            return number

        @builder("queued", level=Level.HARMLESS, pool=self._pool)
        async def queued(job: Job, number: int) -> int:
            await self._go_on.wait()
            return number

        @component("after all of {them}")
        def last(them: None) -> Primitive[None]:
            return Primitive.constant(None)

        before = [known(number) for number in range(self._known)]
        before += [queued(number) for number in range(self._queued)]
        return last(all(before))

    async def measure(self, folder: Path) -> Samples:
        async with Engine(self.pipeline, state_dir=folder) as engine:
            queued = self._queued - self._pool.capacity
            await until(
                lambda: engine.stats.ok == self._known and self._pool.queue_length == queued
            )
            return {
                "why-known": ask(engine, State.OK),
                "why-queued": ask(engine, State.READY),
                "why-blocked": ask(engine, State.BLOCKED),
            }


def ask(engine: Engine, state: State) -> float:
    """The milliseconds that a question takes about a stage in a state."""
    live = engine.opened.live
    stages = [stage for stage in live.stages() if stage.state is state]
    paths = [str(live.ref(stage)) for stage in stages[:: max(1, len(stages) // _ASKED)]]
    took = []
    for path in paths:
        before = perf_counter()
        engine.why(path)
        took.append(perf_counter() - before)
    return median(took) * 1e3


def measure(stages: int) -> Samples:
    with scratch(Place.MEMORY) as folder:
        return asyncio.run(Questions(stages).measure(folder / "state"))


_TARGET = dict.fromkeys(SIZES, 5.0)

BENCHMARKS = (
    Benchmark(
        "why",
        measure,
        (
            Figure("why-known", "why a stage ran whose result is known", "ms", _TARGET),
            Figure("why-queued", "why a stage waits, with its place in a queue", "ms", _TARGET),
            Figure("why-blocked", "why a stage is blocked by all the others", "ms", _TARGET),
        ),
    ),
)
