"""How long a result holds, and the time at which it is too old."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Never

from msgspec import Struct

from pycurrent.cache.cron import Cron
from pycurrent.engine.clock import Clock, Timer
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import shown


@dataclass(frozen=True, slots=True, init=False)
class Schedule:
    """A result is made again once it is older than `valid_for`; None means never. So does an age
    that goes beyond all dates. One that claims to be of the future counts as made now.

    `Schedule.cron` has it made again at times of day.

    Raises `UsageError` for what is not a positive `timedelta`.
    """

    valid_for: timedelta | None = None
    times: Cron | None = None
    """The times of day, of `Schedule.cron`."""

    def __init__(
        self, valid_for: timedelta | None = None, times: Cron | None = None, **other: Never
    ) -> None:
        _check(valid_for, times, other)
        object.__setattr__(self, "valid_for", valid_for)
        object.__setattr__(self, "times", times)

    @classmethod
    def cron(cls, line: str, *, zone: str = "UTC") -> Schedule:
        """A result is made again at each time that a line of a crontab stands for.

        The line has five fields, as in `man 5 crontab`: minute, hour, day of the month, month, and
        day of the week. `Schedule.cron("30 2 * * MON-FRI", zone="Europe/Berlin")` is half past two
        on working days in Berlin. `zone` is a name of the IANA's database.

        When the clocks change, it goes by Debian's cron: a fixed hour and minute come once a day,
        in a gap at the first instant after it, in an hour that comes twice the first time.
        Wildcards and steps go by the time that passes. Times that come while the result is being
        made, or while no engine runs, are made up for once: after the engine has started.

        Raises `UsageError` for a line that can't be read or whose time never comes, and for an
        unknown zone.
        """
        return cls(times=Cron(line, zone))

    def deadline(self, finished: datetime) -> Deadline | None:
        """The time at which a result becomes too old; None: never."""
        if self.times is not None:
            return _dated(self.times.after(finished))
        if self.valid_for is None:
            return None
        try:
            return Deadline(finished + self.valid_for, by_age=True)
        except OverflowError:
            return None


def _check(valid_for: Any, times: Any, other: Mapping[str, Any]) -> None:
    """Raise `UsageError` for what can not be a schedule."""
    if other:
        name, value = next(iter(other.items()))
        write = (
            f"Schedule.cron({value!r})" if isinstance(value, str) else "valid_for=timedelta(...)"
        )
        raise WrongKind(f"Schedule has no {name}=: write {write}")
    if times is not None and not isinstance(times, Cron):
        raise UsageError(f"write Schedule.cron({times!r}), not Schedule(times=...)")
    if valid_for is None:
        return
    if times is not None:
        raise UsageError(
            "a schedule goes by an age or by times of day: write Schedule(valid_for=...) or"
            " Schedule.cron(...), not both"
        )
    if not isinstance(valid_for, timedelta):
        raise UsageError(
            f"a schedule's valid_for is a timedelta, not {valid_for!r}: write, say, "
            "Schedule(valid_for=timedelta(hours=1))"
        )
    if valid_for <= timedelta(0):
        raise UsageError(f"a schedule needs a positive valid_for, not {valid_for}")


def check_schedule(schedule: Any, where: str) -> None:
    """Raise `WrongKind` for what is neither a schedule nor None."""
    if schedule is not None and not isinstance(schedule, Schedule):
        raise WrongKind(
            f"{where}: schedule= takes a Schedule, not {shown(schedule)}: write"
            " Schedule(valid_for=...) or Schedule.cron(...)"
        )


class Deadline(NamedTuple):
    """The time at which a result becomes too old."""

    at: datetime
    by_age: bool
    """True if it comes by the time that passes, too, when the clock of the machine is set back."""


def _dated(at: datetime | None) -> Deadline | None:
    return None if at is None else Deadline(at, by_age=False)


class Expiry(Struct, frozen=True):
    """The timers that tell when a result becomes too old.

    One goes by the date, as a machine may sleep. That of an age goes by the time that passes, too,
    as a clock may be set back; the first one counts. A time of day must never come too early, or
    it would come twice.
    """

    at: datetime
    timers: tuple[Timer, ...]

    @classmethod
    def after(
        cls, now: datetime, deadline: Deadline, clock: Clock, expire: Callable[[], None]
    ) -> Expiry:
        """Have `expire` called at that time, which comes after `now`."""
        at = deadline.at
        timer = clock.call_at(at, expire)
        if not deadline.by_age:
            return cls(at, (timer,))
        return cls(at, (timer, clock.call_later(at - now, expire)))

    def cancel(self) -> None:
        for timer in self.timers:
            timer.cancel()
