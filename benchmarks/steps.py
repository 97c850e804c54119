"""Steps of very many stages: how long they hold the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

from benchmarks.figures import LARGE, MIDDLE, SMALL, Benchmark, Figure, Samples
from benchmarks.places import Place, scratch

from pycurrent import Current, Engine, Primitive, Var, all, component, constant


class Turns:
    """The longest time between two turns of the loop."""

    def __init__(self) -> None:
        self._worst = 0.0
        self._last = perf_counter()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[Turns]:
        watching = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(0)
            now = perf_counter()
            self._worst = max(self._worst, now - self._last)
            self._last = now

    def begin(self) -> None:
        self._worst, self._last = 0.0, perf_counter()

    def take(self) -> float:
        """Milliseconds, since `begin` or the last `take`."""
        worst = max(self._worst, perf_counter() - self._last)
        self.begin()
        return worst * 1e3


@component("stage {number}")
def stage(number: int, value: int) -> Primitive[int]:
    return Primitive.constant(number + value)


def lag(stages: int) -> Samples:
    return asyncio.run(_lag(stages))


async def _lag(stages: int) -> Samples:
    value, shown, turns = Var("value", 0), Var("shown", True), Turns()

    def pipeline() -> Current[Any]:
        given = value.get()
        whole = all([stage(number, given) for number in range(stages)])
        turns.begin()  # the author's own function does not count
        return shown.get().bind(lambda shows: whole if shows else constant(None))

    samples: Samples = {}
    with scratch(Place.MEMORY) as folder:
        async with turns.watched(), Engine(pipeline, state_dir=folder) as engine:
            samples["lag-first"] = turns.take()
            for name, change in _changes(value, shown).items():
                turns.begin()
                change()
                await engine.settled()
                samples[f"lag-{name}"] = turns.take()
            await engine.aclose()
            samples["lag-close"] = turns.take()
    return samples


def _changes(value: Var[int], shown: Var[bool]) -> dict[str, Callable[[], None]]:
    return {
        "change": lambda: value.set(1),
        "drop": lambda: shown.set(False),
        "again": lambda: shown.set(True),
    }


_MOST = {SMALL: 50.0, MIDDLE: 50.0, LARGE: 50.0}

BENCHMARKS = (
    Benchmark(
        "lag",
        lag,
        (
            Figure("lag-first", "n stages: their first step holds the loop", "ms", _MOST),
            Figure("lag-change", "  the one input of all of them changes", "ms", _MOST),
            Figure("lag-drop", "  all are dropped", "ms", _MOST),
            Figure("lag-again", "  all are made again", "ms", _MOST),
            Figure("lag-close", "  the engine is closed", "ms", _MOST),
        ),
    ),
)
