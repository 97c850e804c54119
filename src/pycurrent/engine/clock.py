"""Time, as the engine sees it: the system's, or one that a test moves."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """It does not come. Twice, or after it came, is fine."""


class Clock(ABC):
    """What tells the time and wakes up those who wait for one."""

    @abstractmethod
    def now(self) -> datetime:
        """The time now, aware, in UTC."""

    @abstractmethod
    def call_at(self, when: datetime, callback: Callable[[], None]) -> Timer:
        """Call back on the loop's thread at `when`, or soon if that has passed."""

    async def sleep(self, duration: timedelta) -> None:
        """Wait for so long."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        timer = self.call_at(self.now() + duration, wake)
        try:
            await woken
        finally:
            timer.cancel()


class SystemClock(Clock):
    """The time of the machine."""

    # A laptop may sleep meanwhile, and the loop's own clock with it: look at the time again.
    _LONGEST = timedelta(minutes=5)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def call_at(self, when: datetime, callback: Callable[[], None]) -> Timer:
        return _SystemTimer(self, when, callback, self._LONGEST)


class _SystemTimer:
    def __init__(
        self, clock: Clock, when: datetime, callback: Callable[[], None], longest: timedelta
    ) -> None:
        self._clock = clock
        self._when = when
        self._callback = callback
        self._longest = longest
        self._handle: asyncio.Handle | None = None
        self._set()

    def _set(self) -> None:
        remaining = self._when - self._clock.now()
        if remaining <= timedelta(0):
            self._handle = asyncio.get_running_loop().call_soon(self._callback)
        else:
            seconds = min(remaining, self._longest).total_seconds()
            self._handle = asyncio.get_running_loop().call_later(seconds, self._set)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
