"""Why a job was told to end before its work was done, and the time limit that may tell it so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from msgspec import Struct

from pycurrent.engine.clock import Clock, Timer
from pycurrent.term import Failed, FailureKind


class Cancelled:
    """A person asked for its end, or the engine, or its own work. Many jobs may share one."""

    __slots__ = ("last_words", "outcome", "reason")

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.outcome = Failed(f"Cancelled: {reason}", kind=FailureKind.CANCELLED)
        self.last_words = _last_words(self)
        """The lines with which the log ends if nothing had begun."""

    def __str__(self) -> str:
        """As the log tells it, when it happens."""
        return f"Cancelling: {self.reason}"


class TimedOut(Struct, frozen=True):
    """It ran for longer than its `timeout` allows."""

    limit: timedelta

    @property
    def reason(self) -> str:
        return f"timed out after {in_words(self.limit)}"

    @property
    def outcome(self) -> Failed:
        return Failed(f"Timed out after {in_words(self.limit)}", kind=FailureKind.TIMEOUT)

    @property
    def last_words(self) -> tuple[str, str]:
        return _last_words(self)

    def __str__(self) -> str:
        return f"Timed out after {in_words(self.limit)}: cancelling"


Stopped = Cancelled | TimedOut


def _last_words(stopped: Stopped) -> tuple[str, str]:
    return str(stopped), f"Job failed: {stopped.outcome.message}"


def in_words(limit: timedelta) -> str:
    """A limit as it was set: `45 s`, `2.5 s`, `1 h 30 min`."""
    minutes, seconds = divmod(limit.total_seconds(), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (round(seconds, 3), "s")]
    return " ".join(f"{number:g} {unit}" for number, unit in parts if number) or "0 s"


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
