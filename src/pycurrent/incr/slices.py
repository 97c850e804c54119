"""Doing what takes long in slices, so that others get their turn in between."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import repeat
from time import perf_counter
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Parts: TypeAlias = Generator[None, None, T]
"""Work that may pause wherever it yields. Closing it there undoes it."""

_UNLIMITED = 1 << 60
_FOREVER = repeat(None)
_QUICK = 0.00025
_SLOW = 0.001


class Budget:
    """The time that one slice may take.

    A look at the clock takes as long as a small node. So it is looked at after each node only while
    these are slow, and after up to `most` of them while they are quick.
    """

    __slots__ = ("_clock", "_looked", "_most", "_until", "seconds", "window")

    def __init__(
        self, seconds: float, clock: Callable[[], float] = perf_counter, *, most: int = 128
    ) -> None:
        self.seconds = seconds
        self.window = 1
        """The number of nodes that may be computed before the next look at the clock."""
        self._clock = clock
        self._most = most
        self._until = self._looked = 0.0

    def begin(self) -> None:
        """Begin a slice."""
        self._looked = self._clock()
        self._until = self._looked + self.seconds

    def is_used_up(self) -> bool:
        """Look at the clock: True if the slice should end."""
        now = self._clock()
        took, self._looked = now - self._looked, now
        if took > _SLOW:
            self.window = 1
        elif took < _QUICK:
            self.window = min(2 * self.window, self._most)
        return now >= self._until


class Pace:
    """Says in the midst of work when a slice of it should end. Without a budget it never should."""

    __slots__ = ("budget", "left", "ticks")

    def __init__(self) -> None:
        self.budget: Budget | None = None
        self.left = _UNLIMITED
        """How many nodes may be made before the next look at the budget."""
        self.ticks: Iterator[None] = _FOREVER
        """As many as nodes may be computed before that."""

    def begin_slice(self, budget: Budget | None) -> None:
        self.budget = budget
        if budget is None:
            self.left = _UNLIMITED
            self.ticks = _FOREVER
        else:
            budget.begin()
            self.grant(budget.window)

    def grant(self, window: int) -> None:
        """Have that many nodes made or computed before the next look at the budget."""
        self.left = window
        self.ticks = repeat(None, window)

    def spend(self, nodes: int = 1) -> bool:
        """Note that nodes were made; True if it is time for a pause, to look at the budget."""
        self.left -= nodes
        return self.left <= 0

    def is_used_up(self) -> bool:
        """Look at the budget: True if the slice should end."""
        budget = self.budget
        if budget is None:
            return False
        used_up = budget.is_used_up()
        self.grant(0 if used_up else budget.window)
        return used_up

    def slices(self, parts: Parts[T], budget: Budget) -> Parts[T]:
        """Do the work, and pause only where the budget is used up."""
        self.begin_slice(budget)
        while True:
            try:
                next(parts)
            except StopIteration as end:
                result: T = end.value
                return result
            if self.is_used_up():
                yield
                self.begin_slice(budget)


def in_one_go(parts: Parts[T]) -> T:
    """Do all of the work now."""
    while True:
        try:
            next(parts)
        except StopIteration as end:
            result: T = end.value
            return result
