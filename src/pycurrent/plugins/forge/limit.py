"""A forge's limit of requests: until when nothing is asked, and who waits for that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime, timedelta

from pycurrent.engine import Clock, Job

_ASKING: ContextVar[Job | None] = ContextVar("_ASKING", default=None)
"""The job whose requests these are: the task of each has its own."""

_UNTOLD = timedelta(seconds=60)
"""The pause where the forge doesn't say for how long."""
_SHORTEST = timedelta(seconds=1)
_LONGEST = timedelta(hours=1)


class RequestLimit:
    """The limit of requests of one identity: all its requests wait until it is over."""

    def __init__(self, clock: Clock, site: str) -> None:
        self._clock = clock
        self._host = site.partition("://")[2]
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
        until = self._clock.now() + min(max(asked, _SHORTEST), _LONGEST)
        # A short pause that is asked for meanwhile does not end a long one.
        self._until = until if self._until is None else max(self._until, until)

    async def over(self) -> None:
        """Wait until the forge takes requests again. The job that asks says so, and `why` of it."""
        while (until := self.until) is not None:
            job = _ASKING.get()
            what = f"the limit of requests of {self._host}, until {until:%H:%M:%S} UTC"
            with nullcontext() if job is None else job.waiting_for(what):
                await self._clock.sleep(until - self._clock.now())


@contextmanager
def asking(job: Job) -> Iterator[None]:
    """Requests within the block are those of a job."""
    token = _ASKING.set(job)
    try:
        yield
    finally:
        _ASKING.reset(token)
