"""Time, as the engine sees it: the system's, or one that a test moves.

There are two times. *Dates* can be set: by hand, or when the machine asks a time server. They are
for records, and for what is to happen at a date. *Lengths* (timeouts, pauses, how long something
took) are measured on a monotonic clock, which nobody sets; it stands still while a laptop sleeps.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic, time
from typing import Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

WhenT = TypeVar("WhenT", datetime, timedelta)


def instant(date: datetime) -> str:
    """A date, for people."""
    return f"{date:%Y-%m-%d %H:%M:%S} UTC"


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """It does not come. Twice, or after it came, is fine."""


class Clock(ABC):
    """Tells the time, and wakes up those who wait for one."""

    @abstractmethod
    def now(self) -> datetime:
        """The date now, aware, in UTC. It can jump, in both directions."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds since some moment: for differences only. They never jump, nor go back."""

    def date_offset(self) -> float:
        """Seconds from the monotonic time to the date, which change when the date is set."""
        return self.now().timestamp() - self.monotonic()

    @abstractmethod
    def call_at(self, when: datetime, callback: Callable[[], None]) -> Timer:
        """Call back on the loop's thread at a date, or soon if that has passed.

        If the date is set meanwhile, what falls due by that is called within a minute.
        """

    @abstractmethod
    def call_later(self, delay: timedelta, callback: Callable[[], None]) -> Timer:
        """Call back on the loop's thread after a delay, or soon if that is not positive."""

    def spread(self, duration: timedelta) -> timedelta:
        """A length at random, up to a tenth shorter: for what many do every so often, but not all
        at once. On a clock of tests it is the same length.
        """
        return duration

    async def sleep(self, duration: timedelta) -> None:
        """Wait for so long."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        timer = self.call_later(duration, wake)
        try:
            await woken
        finally:
            timer.cancel()


class Moment:
    """A moment that has passed, the one at which this is made.

    Its date follows the clock when that is set. So the time between two such dates is what really
    passed, and so is the time from one until now.
    """

    __slots__ = ("_clock", "_date", "_offset", "at")

    def __init__(self, clock: Clock, date: datetime | None = None) -> None:
        """With a `date` it is another moment: one that somebody else has noted."""
        self._clock = clock
        self._offset = clock.date_offset()
        now = clock.now()
        self._date = now if date is None else date
        self.at = clock.monotonic() - (now - self._date).total_seconds()
        """On the monotonic clock: what moments are sorted by."""

    @property
    def age(self) -> timedelta:
        """How long ago it was."""
        return timedelta(seconds=self._clock.monotonic() - self.at)

    @property
    def date(self) -> datetime:
        """As the clock counts now. It does not change as long as nobody sets the clock."""
        offset = self._clock.date_offset()
        if offset is not self._offset:
            gone = offset - self._offset
            # Less is inexact timing, or a time server that nudges the clock.
            if abs(gone) > _SET:
                self._date += timedelta(seconds=gone)
                self._offset = offset
        return self._date


_SET = 1.0
_EXACT = 0.01


class Agenda(Generic[WhenT]):
    """Calls that are to come, the earliest first. Cancelled ones don't pile up."""

    __slots__ = ("_cancelled", "_entries", "_order")

    def __init__(self, order: itertools.count[int] | None = None) -> None:
        """Agendas with the same `order` can tell whose call was asked for first."""
        self._order = itertools.count() if order is None else order
        self._entries: list[tuple[WhenT, int, AgendaEntry]] = []
        self._cancelled = 0

    def add(self, when: WhenT, callback: Callable[[], None]) -> AgendaEntry:
        entry = AgendaEntry(callback, self._lost)
        heapq.heappush(self._entries, (when, next(self._order), entry))
        return entry

    @property
    def next(self) -> tuple[WhenT, int] | None:
        """When the next call is due, and its place in the order in which they were asked for."""
        while self._entries and self._entries[0][2].cancelled:
            heapq.heappop(self._entries)
            self._cancelled -= 1
        return self._entries[0][:2] if self._entries else None

    def fire_next(self) -> None:
        """Have the next one, which `next` has told of, called soon on the running loop."""
        heapq.heappop(self._entries)[2].fire()

    def _lost(self) -> None:
        self._cancelled += 1
        if self._cancelled > max(100, len(self._entries) // 2):
            self._entries = [entry for entry in self._entries if not entry[2].cancelled]
            heapq.heapify(self._entries)
            self._cancelled = 0


class AgendaEntry:
    """A call on an agenda: a `Timer`."""

    __slots__ = ("_callback", "_handle", "_lost", "cancelled")

    def __init__(self, callback: Callable[[], None], lost: Callable[[], None]) -> None:
        self._callback = callback
        self._lost = lost
        self._handle: asyncio.Handle | None = None
        self.cancelled = False

    def fire(self) -> None:
        """Call back soon, on the loop that is running."""
        self._handle = asyncio.get_running_loop().call_soon(self._callback)

    def cancel(self) -> None:
        """It does not come. Twice, or after it came, is fine."""
        if self._handle is not None:
            self._handle.cancel()
        elif not self.cancelled:
            self.cancelled = True
            self._lost()


class SystemClock(Clock):
    """The time of the machine."""

    _LONGEST = timedelta(minutes=1)
    """How often dates are looked at: the clock may have been set, a laptop may have slept."""

    def __init__(self) -> None:
        self._dates: WeakKeyDictionary[asyncio.AbstractEventLoop, _Dates] = WeakKeyDictionary()
        self._offset = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return monotonic()

    def date_offset(self) -> float:
        # One object for all moments, as long as nobody sets the date.
        offset, last = time() - monotonic(), self._offset
        if -_EXACT <= offset - last <= _EXACT:
            return last
        self._offset = offset
        return offset

    def call_at(self, when: datetime, callback: Callable[[], None]) -> Timer:
        loop = asyncio.get_running_loop()
        dates = self._dates.get(loop)
        if dates is None:
            dates = self._dates[loop] = _Dates(self, self._LONGEST)
        return dates.add(when, callback)

    def call_later(self, delay: timedelta, callback: Callable[[], None]) -> Timer:
        loop = asyncio.get_running_loop()
        return loop.call_later(max(0.0, delay.total_seconds()), callback)

    def spread(self, duration: timedelta) -> timedelta:
        from random import uniform  # few engines do anything every so often

        return duration * uniform(0.9, 1.0)  # noqa: S311


class _Dates:
    """The dates that are waited for on one loop, with one timer of it for all of them."""

    def __init__(self, clock: Clock, longest: timedelta) -> None:
        self._clock = clock
        self._longest = longest
        self._agenda: Agenda[datetime] = Agenda()
        self._look: asyncio.TimerHandle | None = None
        self._until: datetime | None = None
        """The date for which the next look is set."""

    def add(self, when: datetime, callback: Callable[[], None]) -> Timer:
        entry = self._agenda.add(when, callback)
        if self._until is None or when < self._until:
            self._look_again()
        return entry

    def _look_again(self) -> None:
        """Call what is due, and set the timer for what is next."""
        if self._look is not None:
            self._look.cancel()
        self._look = self._until = None
        now = self._clock.now()
        while (due := self._agenda.next) is not None and due[0] <= now:
            self._agenda.fire_next()
        if due is not None:
            wait = min(due[0] - now, self._longest)
            self._until = due[0]
            loop = asyncio.get_running_loop()
            self._look = loop.call_later(wait.total_seconds(), self._look_again)
