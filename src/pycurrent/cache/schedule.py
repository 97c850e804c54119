"""How long a result holds, and the time at which it is too old."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from pycurrent.engine.clock import Clock, Timer
from pycurrent.errors import UsageError


class Schedule(Struct, frozen=True):
    """A result is made again once it is older than `valid_for`; None means never. So does an age
    that goes beyond all dates. One that claims to be of the future counts as made now.

    Raises `UsageError` for what is not a positive `timedelta`.
    """

    valid_for: timedelta | None = None

    def __post_init__(self) -> None:
        if self.valid_for is None:
            return
        if not isinstance(self.valid_for, timedelta):
            raise UsageError(
                f"a schedule's valid_for is a timedelta, not {self.valid_for!r}: write, say, "
                "Schedule(valid_for=timedelta(hours=1))"
            )
        if self.valid_for <= timedelta(0):
            raise UsageError(f"a schedule needs a positive valid_for, not {self.valid_for}")


def expires(finished: datetime, valid_for: timedelta) -> datetime | None:
    """The time at which a result becomes older than that; None: after all dates, so never."""
    try:
        return finished + valid_for
    except OverflowError:
        return None


class Expiry(Struct, frozen=True):
    """The timers that tell when a result becomes too old.

    One goes by the date, as a machine may sleep; one by the time that passes, as its clock may be
    set back. The first one counts.
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
