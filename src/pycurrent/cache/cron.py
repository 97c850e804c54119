"""Times of day, as lines of a crontab tell them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from pycurrent.errors import UsageError, WrongKind

_FIELDS = 5
_FORM = 'five fields, as "30 2 * * MON-FRI": minute, hour, day of the month, month, day of the week'
_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Cron:
    """The times that a line of a crontab stands for, in a time zone.

    Raises `UsageError` for a line that can't be read or whose time never comes, and for an unknown
    zone. Two of the same line and zone are equal.
    """

    __slots__ = ("_known", "_times", "line", "zone")

    def __init__(self, line: str, zone: str = "UTC") -> None:
        if not isinstance(line, str):
            raise WrongKind(f"Schedule.cron takes a text, not {line!r}: it has {_FORM}")
        if not isinstance(zone, str):
            raise WrongKind(f"Schedule.cron: zone= takes a name, not {zone!r}: 'Europe/Berlin'")
        self.line = line
        self.zone = zone
        self._times = _times(line, _zone(zone))
        first = datetime.now(UTC)
        self._known = (first, self._first(first))
        """A date, and the first time after it: that of all dates in between."""
        if self._known[1] is None:
            raise UsageError(f"Schedule.cron({line!r}): that time never comes")

    def __repr__(self) -> str:
        return f"Schedule.cron({self.line!r}, zone={self.zone!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cron):
            return NotImplemented
        return (self.line, self.zone) == (other.line, other.zone)

    def __hash__(self) -> int:
        return hash((self.line, self.zone))

    def after(self, moment: datetime) -> datetime | None:
        """The first time after a moment, in UTC; None after the end of all dates."""
        since, first = self._known
        # At the start there may be very many results from between the same two times.
        if first is None or not since <= moment < first:
            found = self._first(moment)
            self._known = (min(since, moment) if found == first else moment, found)
        return self._known[1]

    def _first(self, moment: datetime) -> datetime | None:
        try:
            # In an hour that comes twice, a line of a fixed time tells of its first one only.
            return next(time for time in self._times(moment) if time > moment)
        except (StopIteration, OverflowError):
            return None


def _times(line: str, zone: tzinfo) -> Callable[[datetime], Iterator[datetime]]:
    """The function that gives the times from a moment on, in UTC."""
    from cronsim import CronSim, CronSimError

    text = _NAMED.get(line.strip().lower(), line)
    if len(text.split()) != _FIELDS:
        raise UsageError(f"Schedule.cron({line!r}): write {_FORM}")

    def times(moment: datetime) -> Iterator[datetime]:
        # It begins a second after what it is given; so no time of this second is left out.
        start = (moment - timedelta(seconds=1)).astimezone(zone)
        return (time.astimezone(UTC) for time in CronSim(text, start))

    try:
        times(datetime.now(UTC))
    except CronSimError as error:
        raise UsageError(f"Schedule.cron({line!r}): {error}: write {_FORM}") from None
    return times


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # for which no database is needed
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise UsageError(
            f"Schedule.cron: the time zone {name!r} is not known here: write, say,"
            f" 'Europe/Berlin'; a system without time zones gets them with the package tzdata"
        ) from None
