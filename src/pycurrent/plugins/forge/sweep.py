"""Sweeps: all inputs of a forge are read again now and then, whether it tells of a change or not.

They are read together, each time, so that a forge where reads can share a request has few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from pycurrent.engine import Clock, Timer

SWEEP = timedelta(minutes=10)
"""The time between two sweeps; up to a tenth shorter, so that engines don't all ask at once."""


class Sweeps:
    """The sweeps of one forge, while anything of it is needed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._swept: dict[object, Callable[[], None]] = {}
        self._timer: Timer | None = None

    @contextmanager
    def having(self, refresh: Callable[[], None]) -> Iterator[None]:
        """Have each sweep within the block refresh this, too."""
        key = object()
        self._swept[key] = refresh
        if self._timer is None:
            self._wait()
        try:
            yield
        finally:
            del self._swept[key]
            if not self._swept and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _wait(self) -> None:
        self._timer = self._clock.call_later(self._clock.spread(SWEEP), self._sweep)

    def _sweep(self) -> None:
        self._wait()
        for refresh in list(self._swept.values()):
            refresh()
