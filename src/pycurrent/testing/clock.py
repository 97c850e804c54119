"""A clock that moves only on demand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pycurrent.engine import Clock, Timer
from pycurrent.engine.clock import Agenda

START = datetime(2026, 1, 1, tzinfo=UTC)
"""The date at which tests begin by default."""


class VirtualClock(Clock):
    """A clock for tests: time stands still between calls of `move`.

    It may be made anywhere; move it, set it, and ask it for calls that are due at once only on the
    thread of an event loop. A `start` without a time zone is in UTC, on each machine.
    """

    def __init__(self, start: datetime = START) -> None:
        self._elapsed = timedelta()
        """The time since it was made, on the monotonic clock."""
        self._zero = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
        """The date at which nothing had elapsed."""
        order = itertools.count()
        self._dates: Agenda[datetime] = Agenda(order)
        self._delays: Agenda[timedelta] = Agenda(order)

    def now(self) -> datetime:
        return self._zero + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed.total_seconds()

    def call_at(self, when: datetime, callback: Callable[[], None]) -> Timer:
        timer = self._dates.add(when, callback)
        self._fire()
        return timer

    def call_later(self, delay: timedelta, callback: Callable[[], None]) -> Timer:
        timer = self._delays.add(self._elapsed + delay, callback)
        self._fire()
        return timer

    @property
    def next_timer(self) -> datetime | None:
        """The time of the next call; None if nobody waits for a time."""
        due = self._next()
        return None if due is None else self._zero + due[0]

    def move(self, duration: timedelta) -> None:
        """Jump ahead. Calls that are due on the way are made soon, the earliest first, and all of
        them see the time at the end of the jump, like after a laptop's sleep.

        Raises ValueError for a negative duration. Zero does nothing.
        """
        if duration < timedelta(0):
            raise ValueError(f"time goes forward only, not by {duration}")
        self._elapsed += duration
        self._fire()

    def set(self, date: datetime) -> None:
        """Set the date, forward or back, like an administrator or a time server.

        No time passes: only calls that wait for a date are made, if that has come.
        """
        self._zero += date - self.now()
        self._fire()

    def _next(self) -> tuple[timedelta, int, Agenda[datetime] | Agenda[timedelta]] | None:
        """The next call: its elapsed time, its place in the order, and its index."""
        date, delay = self._dates.next, self._delays.next
        calls: list[tuple[timedelta, int, Agenda[datetime] | Agenda[timedelta]]] = []
        if date is not None:
            calls.append((date[0] - self._zero, date[1], self._dates))
        if delay is not None:
            calls.append((*delay, self._delays))
        return min(calls, key=lambda call: call[:2], default=None)

    def _fire(self) -> None:
        while (due := self._next()) is not None and due[0] <= self._elapsed:
            due[2].fire_next()
