"""The time at which a result is too old."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pycurrent.cache.states import Result
from pycurrent.engine.clock import Clock, Timer


def expires(result: Result, valid_for: timedelta) -> datetime | None:
    """When a result becomes older than that; None: after all dates, so never."""
    try:
        return result.finished + valid_for
    except OverflowError:
        return None


@dataclass(frozen=True, slots=True)
class Expiry:
    """When a result becomes too old, and what calls then.

    By the date, as a machine may sleep, and by the time that passes, as its clock may be set back:
    what comes first counts.
    """

    at: datetime
    timers: tuple[Timer, Timer]

    @classmethod
    def after(cls, now: datetime, at: datetime, clock: Clock, expire: Callable[[], None]) -> Expiry:
        """Have `expire` called at that date, which comes after `now`."""
        return cls(at, (clock.call_at(at, expire), clock.call_later(at - now, expire)))

    def cancel(self) -> None:
        for timer in self.timers:
            timer.cancel()
