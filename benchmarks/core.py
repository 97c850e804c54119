"""The incremental core and the terms: without an engine, so that only they are measured.

A step is what the engine's step does with them: what has changed is pushed, the graph is
stabilised, and the account of stages read. As in the engine the garbage collector is paused
within a step; between steps it runs as always.
"""

from __future__ import annotations

import gc
import resource
from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeVar

from benchmarks.figures import LARGE, MIDDLE, SMALL, Benchmark, Figure, Samples, ocurrent

from pycurrent import (
    Active,
    Activity,
    Current,
    Primitive,
    Var,
    all,
    component,
)
from pycurrent.engine.collector import paused_collector
from pycurrent.incr import Node
from pycurrent.term import NoEngine, TermGraph, primitive_of
from pycurrent.term.diagram import dot_of, graph_of

T = TypeVar("T")

STEPS = 5
"""Changes of which the median is taken, for those that cost microseconds."""


class NoServices:
    """The runtime of pipelines that need none."""

    def service(self, kind: Callable[[Any], T]) -> T:
        raise NoEngine


class Kept:
    """A pipeline that is kept up to date, as an engine would."""

    def __init__(self, pipeline: Callable[[], Current[Any]]) -> None:
        self._woken: dict[Node, None] = {}
        self.live = TermGraph(NoServices(), self._wake)
        gc.collect()
        before = perf_counter()
        with paused_collector():
            self.term = pipeline()
            self.root = self.live.expand(self.term)
            self.live.observe(self.root)
            self.live.stabilise()
            self.live.take_changed()
            self.live.take_released()
        self.build_ms = (perf_counter() - before) * 1e3

    def _wake(self, node: Node) -> None:
        self._woken[node] = None

    def step(self, change: Callable[[], object]) -> float:
        """Milliseconds that a change takes, from when it is known to when all is up to date."""
        change()
        before = perf_counter()
        with paused_collector():
            woken, self._woken = self._woken, {}
            for node in woken:
                self.live.push(node)
            self.live.stabilise()
            self.live.take_changed()
            self.live.take_released()
            stats = self.live.stats
        took = (perf_counter() - before) * 1e3
        assert stats is not None
        return took


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def peak_mb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def increment(x: int) -> int:
    return x + 1


def chain(n: int) -> Samples:
    head = Var("head", 0)

    def pipeline() -> Current[int]:
        term = head.get()
        for _ in range(n):
            term = term.map(increment)
        return term

    kept = Kept(pipeline)
    built = peak_mb()
    changes = [kept.step(lambda value=value: head.set(value)) for value in range(1, STEPS + 1)]  # type: ignore[misc]
    assert kept.root.value == n + STEPS
    return {"chain-build": kept.build_ms, "chain-change": median(changes), "chain-memory": built}


def all_of(n: int) -> Samples:
    inputs = [Var(f"input {i}", i) for i in range(n)]

    def pipeline() -> Current[None]:
        return all([var.get().map(increment).map(increment).map(increment) for var in inputs])

    kept = Kept(pipeline)
    samples = {"all-build": kept.build_ms}
    for place, index in (("first", 0), ("middle", n // 2), ("last", n - 1)):
        var = inputs[index]
        took = []
        for _ in range(STEPS):
            took.append(kept.step(lambda: var.set(Active(Activity.RUNNING))))  # noqa: B023
            took.append(kept.step(lambda: var.set(index)))  # noqa: B023
        samples[f"all-{place}"] = median(took)
    cut = inputs[n // 2]
    unseen = Kept(lambda: all([cut.get().map(lambda _: None)]))
    took = [unseen.step(lambda value=value: cut.set(value)) for value in range(-STEPS, 0)]  # type: ignore[misc]
    samples["step-nothing"] = median(took) * 1e3
    return samples


class Mapped:
    """A `list_map` over n items, a map and a primitive each."""

    def __init__(self, n: int) -> None:
        self.names = list(range(n))
        self.items = Var("items", self.names)
        self.inner = {name: Var(f"value {name}", 0) for name in self.names}

    def pipeline(self) -> Current[list[int]]:
        return self.items.get().list_map(self._item)

    def _item(self, item: Current[int]) -> Current[int]:
        return component("value", self._value, item).map(increment)

    def _value(self, name: int) -> Primitive[int]:
        primitive = primitive_of(self.inner[name].get())
        assert primitive is not None
        return primitive


def list_map(n: int) -> Samples:
    mapped = Mapped(n)
    kept = Kept(mapped.pipeline)
    samples = {"list-build": kept.build_ms, "list-memory": peak_mb()}
    for place, index in (("first", 0), ("middle", n // 2), ("last", n - 1)):
        var = mapped.inner[index]
        took = [kept.step(lambda value=value: var.set(value)) for value in range(1, STEPS + 1)]  # type: ignore[misc]  # noqa: B023
        samples[f"list-{place}"] = median(took)
    mapped.inner[n] = Var("new", 0)
    middle = n // 2
    added, removed = [], []
    longer = [*mapped.names[:middle], n, *mapped.names[middle:]]
    for _ in range(STEPS):
        added.append(kept.step(lambda: mapped.items.set(longer)))
        removed.append(kept.step(lambda: mapped.items.set(list(mapped.names))))
    return {**samples, "list-add": median(added), "list-remove": median(removed)}


def list_diagram(n: int) -> Samples:
    return {"list-dot": _dot_ms(Kept(Mapped(n).pipeline))}


def square_diagram(n: int) -> Samples:
    """n/2 things that each wait for all of n/2 others."""
    before = [Var(f"before {i}", i) for i in range(n // 2)]

    def pipeline() -> Current[None]:
        ready = all([var.get() for var in before])
        return all(
            [
                component(f"after {i}", lambda _: Primitive.constant(None), ready)
                for i in range(n // 2)
            ]
        )

    return {"square-dot": _dot_ms(Kept(pipeline))}


def _dot_ms(kept: Kept) -> float:
    gc.collect()
    before = perf_counter()
    text = dot_of(graph_of(kept.term, kept.live))
    took = (perf_counter() - before) * 1e3
    assert text.startswith("digraph")
    return took


def counting(n: int) -> Samples:
    kept = Kept(Mapped(n).pipeline)
    before = perf_counter()
    for _ in range(100):
        stats = kept.live.stats
    took = (perf_counter() - before) * 10
    assert stats.ok >= n
    return {"stats": took}


FAST = {LARGE: 0.2}

BENCHMARKS = (
    Benchmark(
        "chain",
        chain,
        (
            Figure(
                "chain-build",
                "a chain of n maps: built",
                "ms",
                {LARGE: 250},
                peers=(ocurrent(0.45, 12.5, 205),),
            ),
            Figure(
                "chain-change",
                "  one change through it",
                "ms",
                {LARGE: 120},
                peers=(ocurrent(0.17, 5.5, 66),),
            ),
            Figure(
                "chain-memory", "  peak memory of the process", "MB", peers=(ocurrent(11, 25, 140),)
            ),
        ),
        runs={SMALL: 7, MIDDLE: 5, LARGE: 5},
    ),
    Benchmark(
        "all",
        all_of,
        (
            Figure(
                "all-build",
                "all of n inputs, 3 maps each: built",
                "ms",
                peers=(ocurrent(15, 300, 4300),),
            ),
            *(
                Figure(
                    f"all-{place}",
                    f"  the {place} input changes state",
                    "ms",
                    FAST,
                    peers=(ocurrent(0.2, 9.5, 98),) if place == "middle" else (),
                    growth=3,
                )
                for place in ("first", "middle", "last")
            ),
            Figure(
                "step-nothing",
                "a step that changes nothing above it",
                "µs",
                peers=(ocurrent(3, 3, 3),),
                growth=3,
            ),
        ),
    ),
    Benchmark(
        "list",
        list_map,
        (
            Figure(
                "list-build",
                "list_map over n, a map and a primitive each: built",
                "ms",
                peers=(ocurrent(14, 277, 4300),),
            ),
            *(
                Figure(
                    f"list-{place}",
                    f"  the inner value of the {place} item changes",
                    "ms",
                    FAST,
                    peers=(ocurrent(0.4, 11, 88),) if place == "middle" else (),
                    growth=3,
                )
                for place in ("first", "middle", "last")
            ),
            Figure(
                "list-add",
                "  an item is added",
                "ms",
                {LARGE: 40},
                peers=(ocurrent(2.6, 64, 1340),),
            ),
            Figure(
                "list-remove",
                "  an item is removed",
                "ms",
                {LARGE: 40},
                peers=(ocurrent(2.8, 76, 1900),),
            ),
            Figure(
                "list-memory",
                "  peak memory of the process",
                "MB",
                {LARGE: 500},
                peers=(ocurrent(24, 139, 1250),),
            ),
        ),
    ),
    Benchmark(
        "list-diagram",
        list_diagram,
        (
            Figure(
                "list-dot",
                "diagram text of a list_map",
                "ms",
                {MIDDLE: 300},
                peers=(ocurrent(35, 1400),),
            ),
        ),
    ),
    Benchmark(
        "square-diagram",
        square_diagram,
        (
            Figure(
                "square-dot",
                "diagram text of n/2 that wait for all of n/2",
                "ms",
                {MIDDLE: 300},
                peers=(ocurrent(190, 35_000),),
            ),
        ),
    ),
    Benchmark(
        "stats",
        counting,
        (
            Figure(
                "stats",
                "counting the stages of a list_map by state",
                "ms",
                peers=(ocurrent(34, 2600),),
                growth=3,
            ),
        ),
    ),
)
