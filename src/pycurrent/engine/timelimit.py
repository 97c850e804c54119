"""How long a job may be at work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from pycurrent.engine.clock import Clock, Timer


class TimeLimit:
    """Calls back once so much time has passed, from now on, without the pauses."""

    def __init__(self, clock: Clock, limit: timedelta, over: Callable[[], None]) -> None:
        self._clock = clock
        self._over = over
        self._left = limit
        self._since = clock.monotonic()
        self._timer: Timer | None = clock.call_later(limit, over)

    def pause(self) -> None:
        """The time does not count from now on. Twice, or after the end, does nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._left -= timedelta(seconds=self._clock.monotonic() - self._since)

    def go_on(self) -> None:
        """It counts again, after a `pause`."""
        if self._timer is None:
            self._since = self._clock.monotonic()
            self._timer = self._clock.call_later(self._left, self._over)

    def end(self) -> None:
        """Never call back. The last thing to be called."""
        if self._timer is not None:
            self._timer.cancel()
