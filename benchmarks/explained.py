"""Asking why: of a stage that is known, that waits in a queue, and that many others block. And the
cost of the records and labels that answer it.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from benchmarks.engine import TRIVIAL, trivial, until_ok
from benchmarks.figures import MIDDLE, SIZES, SMALL, Benchmark, Figure, Samples
from benchmarks.places import Place, scratch
from benchmarks.queued import until

from pycurrent import (
    Current,
    Engine,
    Job,
    Level,
    Pool,
    Primitive,
    Var,
    all,
    builder,
    component,
    constant,
    labels,
)
from pycurrent.term import State

_ASKED = 20
_ALIKE = 10
"""How many stages have the same labels."""
_ROUNDS = 3
_MEASURED = (SMALL, MIDDLE)
_MORE = dict.fromkeys(_MEASURED, 5.0)

Pipeline = Callable[[], Current[Any]]


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


def labelled(n: int) -> Pipeline:
    """A pipeline of n builds, each with two labels."""

    def pipeline() -> Current[None]:
        stages: list[Current[Any]] = []
        for first in range(0, n, _ALIKE):
            with labels(repo=f"repository {first}", branch="main"):
                stages += [
                    component(f"trivial {i}", TRIVIAL.get, constant(i))
                    for i in range(first, min(first + _ALIKE, n))
                ]
        return all(stages)

    return pipeline


def measure_labels(n: int) -> Samples:
    """The same builds, and the same restart, without labels and with them, in turn."""
    took: dict[str, list[float]] = {}
    for _ in range(_ROUNDS):
        for name, pipeline in (("plain", trivial(n)), ("labels", labelled(n))):
            with scratch(Place.MEMORY) as folder:
                for what in ("builds", "restart"):
                    each = asyncio.run(processor_time(pipeline, folder)) / n * 1e6
                    took.setdefault(f"{name}-{what}", []).append(each)
    samples = {name: min(times) for name, times in took.items()}
    for what in ("builds", "restart"):
        plain = samples[f"plain-{what}"]
        samples[f"labels-{what}-more"] = (samples[f"labels-{what}"] / plain - 1) * 100
    samples["labels-memory"] = memory_share(n)
    samples["change-rows"] = rows_of_a_change(n)
    return samples


async def processor_time(pipeline: Pipeline, folder: Path) -> float:
    """The seconds of the processor from the start of an engine to its end, with all records."""
    gc.collect()
    before = process_time()
    async with Engine(pipeline, state_dir=folder) as engine:
        await until_ok(engine)
    return process_time() - before


def memory_share(n: int) -> float:
    """The part of the memory of known stages that paths and labels take, in percent."""
    used = []
    for pipeline, with_paths in ((trivial(n), False), (labelled(n), True)):
        with scratch(Place.MEMORY) as folder:
            asyncio.run(processor_time(pipeline, folder))
            used.append(asyncio.run(memory_of(pipeline, folder, with_paths=with_paths)))
    bare, whole = used
    return (whole - bare) / whole * 100


async def memory_of(pipeline: Pipeline, folder: Path, *, with_paths: bool) -> int:
    """The bytes that an engine has for a pipeline whose results are known."""
    gc.collect()
    tracemalloc.start()
    try:
        async with Engine(pipeline, state_dir=folder) as engine:
            await until_ok(engine)
            live = engine.opened.live
            if with_paths:
                for _ in live.take_in_paths():
                    await asyncio.sleep(0)
            else:
                live.forget_paths()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def rows_of_a_change(n: int) -> float:
    """The rows that are recorded for the change of an input that starts n jobs."""
    head = Var("head", 0)
    made: set[tuple[int, int]] = set()

    @builder("make", level=Level.HARMLESS)
    async def make(job: Job, number: int, i: int) -> None:
        made.add((number, i))

    def pipeline() -> Current[None]:
        number = head.get()
        return all([make(number, i) for i in range(n)])

    async def count(folder: Path) -> int:
        async with Engine(pipeline, state_dir=folder) as engine:
            await until_ok(engine)
            store = engine.opened.store
            before = len(store.changes())
            head.set(1)
            await until(lambda: len(made) == 2 * n)
            newest, *others = store.changes()
            assert len(store.jobs_of_change(newest.id, limit=2 * n)) == n
            return 1 + len(others) - before

    with scratch(Place.MEMORY) as folder:
        return asyncio.run(count(folder))


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
    Benchmark(
        "labels",
        measure_labels,
        (
            Figure("plain-builds", "a fresh build without labels", "µs of CPU"),
            Figure("labels-builds", "  with two labels", "µs of CPU"),
            Figure("labels-builds-more", "  so much more", "%", _MORE),
            Figure("plain-restart", "a known stage at a restart, without labels", "µs of CPU"),
            Figure("labels-restart", "  with two labels", "µs of CPU"),
            Figure("labels-restart-more", "  so much more", "%", _MORE),
            Figure(
                "labels-memory",
                "memory of a known stage that its path and labels take",
                "%",
                dict.fromkeys(_MEASURED, 10.0),
            ),
            Figure(
                "change-rows",
                "rows of a change that starts n jobs",
                "rows",
                dict.fromkeys(_MEASURED, 1.0),
            ),
        ),
        sizes=_MEASURED,
        runs=dict.fromkeys(_MEASURED, 1),
    ),
)
