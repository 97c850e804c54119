"""The figures that are measured, their targets, and the numbers of other tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

SMALL, MIDDLE, LARGE = SIZES = (1_000, 10_000, 100_000)

Samples = dict[str, float]
"""One sample of each figure of a benchmark, by the figure's name."""


class Better(Enum):
    """The direction in which a figure is better."""

    LOWER = "lower"
    HIGHER = "higher"


@dataclass(frozen=True)
class Peer:
    """The numbers of another tool for the same work; the middle, if its source gives a range."""

    name: str
    values: Mapping[int, float]
    source: str


def ocurrent(*values: float | None) -> Peer:
    """OCurrent at 1,000, 10,000 and 100,000."""
    known = {size: value for size, value in zip(SIZES, values, strict=False) if value is not None}
    return Peer("OCurrent", known, "OCurrent 0.7.4, OCaml 4.13, native code; November 2026")


def python_peer(name: str, values: Mapping[int, float]) -> Peer:
    """A Python tool that was measured before, not in this run."""
    return Peer(name, values, "whole commands on a machine like this one; November 2026")


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    name: str
    what: str
    unit: str
    target: Mapping[int, float] = field(default_factory=dict)
    better: Better = Better.LOWER
    peers: tuple[Peer, ...] = ()
    growth: float | None = None
    """The most that the value at the largest size may be of that at the smallest."""
    ahead_of: str | None = None
    """The figure of the same run, by its name, that this one is to be ahead of."""


@dataclass(frozen=True)
class Benchmark:
    """Measures one sample of each of its figures at a time, in a process of its own."""

    name: str
    measure: Callable[[int], Samples]
    figures: tuple[Figure, ...]
    sizes: tuple[int, ...] = SIZES
    runs: Mapping[int, int] = field(default_factory=dict)
    """How many samples are taken, where it is not `RUNS`."""


RUNS = {SMALL: 7, MIDDLE: 3, LARGE: 1}


class NotMeasured(Exception):
    """A benchmark can't be run here; the message says why."""
