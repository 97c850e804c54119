"""A clock that only moves when it is told to."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pycurrent.engine import Clock

START = datetime(2026, 1, 1, tzinfo=UTC)
"""When tests begin, unless they say otherwise."""


class VirtualClock(Clock):
    """A clock for tests: time stands still between calls of `move`.

    Made anywhere; moved, and asked for calls that are due at once, on an event loop's thread.
    A `start` without a time zone is in UTC, on each machine.
    """

    def __init__(self, start: datetime = START) -> None:
        self._now = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
        self._order = itertools.count()
        self._timers: list[tuple[datetime, int, VirtualTimer]] = []

    def now(self) -> datetime:
        return self._now

    def call_at(self, when: datetime, callback: Callable[[], None]) -> VirtualTimer:
        timer = VirtualTimer(callback)
        if when <= self._now:
            timer.fire()
        else:
            heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    @property
    def next_timer(self) -> datetime | None:
        """When the next call is due; None if nobody waits for a time."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def move(self, duration: timedelta) -> None:
        """Jump ahead, in one go. What falls due on the way is called soon, the earliest first,
        and all of it sees the time at the end of the jump, as after a laptop's sleep.

        Raises ValueError for a negative duration. Zero does nothing.
        """
        if duration < timedelta(0):
            raise ValueError(f"time goes forward only, not by {duration}")
        self._now += duration
        while (due := self.next_timer) is not None and due <= self._now:
            heapq.heappop(self._timers)[2].fire()


class VirtualTimer:
    """A call that is to come on a virtual clock."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._handle: asyncio.Handle | None = None
        self.cancelled = False

    def fire(self) -> None:
        """Call back soon, on the loop that is running."""
        self._handle = asyncio.get_running_loop().call_soon(self._callback)

    def cancel(self) -> None:
        """It does not come. Twice, or after it came, is fine."""
        self.cancelled = True
        if self._handle is not None:
            self._handle.cancel()
