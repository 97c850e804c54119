"""A forge's limit of requests: until when nothing is asked."""

from __future__ import annotations

from datetime import datetime, timedelta

from pycurrent.engine import Clock

_UNTOLD = timedelta(seconds=60)
"""The pause where the forge doesn't say for how long."""
_SHORTEST = timedelta(seconds=1)
_LONGEST = timedelta(hours=1)


class RequestLimit:
    """The limit of requests of one identity: all its requests wait until it is over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: datetime | None = None

    @property
    def until(self) -> datetime | None:
        """When the pause that the forge asks for ends; None if there is none."""
        if self._until is not None and self._until <= self._clock.now():
            self._until = None
        return self._until

    def pause(self, retry_after: str | None) -> None:
        """Begin a pause, as the header `Retry-After` says, in seconds."""
        try:
            asked = timedelta(seconds=float(retry_after or ""))
        except (ValueError, OverflowError):
            asked = _UNTOLD
        self._until = self._clock.now() + min(max(asked, _SHORTEST), _LONGEST)

    async def over(self) -> None:
        """Wait until the forge takes requests again."""
        while (until := self.until) is not None:
            await self._clock.sleep(until - self._clock.now())
