"""A forge's limit of requests: until when nothing is asked, and who waits for that.

A forge may ask for a pause, and it may tell what is left of a quota. Then we wait before it has to
refuse; and sweeps wait earlier than statuses and comments, for which people wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pycurrent.engine import Clock

_UNTOLD = timedelta(seconds=60)
"""The pause where the forge doesn't say for how long."""
_SHORTEST = timedelta(seconds=1)
_LONGEST = timedelta(hours=1)

_MARGIN = 250
"""One request in so many is left alone: others may be on their way."""
_SPARED = 20
"""One request in so many is not for sweeps."""


class Asker(Protocol):
    """The one for whom requests are made: a job, or an input."""

    def waiting_for(self, what: str, /) -> AbstractContextManager[None]:
        """Say that it waits for this during the block."""


_ASKING: ContextVar[Asker | None] = ContextVar("_ASKING", default=None)
"""The job, or the input, whose requests these are: the task of each has its own."""


@dataclass(frozen=True, slots=True)
class _Quota:
    """The requests that are left, of how many, and when there are all of them again."""

    left: int
    of: int
    until: datetime


class RequestLimit:
    """The limit of requests of one identity: all its requests wait until it is over."""

    def __init__(self, clock: Clock, site: str) -> None:
        self._clock = clock
        self._host = site.partition("://")[2]
        self._until: datetime | None = None
        self._quota: _Quota | None = None

    @property
    def until(self) -> datetime | None:
        """When the pause ends; None if there is none."""
        return self.until_for(is_sparing=False)

    def until_for(self, *, is_sparing: bool) -> datetime | None:
        """The same for requests that leave some of the quota to others, or that don't."""
        now, found = self._clock.now(), list[datetime]()
        if self._until is not None:
            found.append(self._until)
        if (quota := self._quota) is not None:
            kept = quota.of // (_SPARED if is_sparing else _MARGIN)
            if quota.left <= kept:
                found.append(quota.until)
        return max((until for until in found if until > now), default=None)

    def pause(self, retry_after: str | None) -> None:
        """Begin a pause, as the header `Retry-After` says, in seconds."""
        try:
            asked = timedelta(seconds=float(retry_after or ""))
        except (ValueError, OverflowError):
            asked = _UNTOLD
        until = self._clock.now() + min(max(asked, _SHORTEST), _LONGEST)
        # A short pause that is asked for meanwhile does not end a long one.
        self._until = until if self._until is None else max(self._until, until)

    def count(self, left: int, of: int, until: datetime) -> None:
        """Take what an answer says of the quota. Answers may overtake each other."""
        known, until = self._quota, min(until, self._clock.now() + _LONGEST)
        if known is not None and abs(known.until - until) < _SHORTEST:
            left = min(left, known.left)
        self._quota = _Quota(left, of, until)

    async def over(self, *, is_sparing: bool = False) -> None:
        """Wait until the forge takes requests again. The asker says so, and `why` of a job."""
        while (until := self.until_for(is_sparing=is_sparing)) is not None:
            asker = _ASKING.get()
            what = f"the limit of requests of {self._host}, until {until:%H:%M:%S} UTC"
            with nullcontext() if asker is None else asker.waiting_for(what):
                await self._clock.sleep(until - self._clock.now())


@contextmanager
def asking(asker: Asker | None) -> Iterator[None]:
    """Requests within the block are those of a job, or of an input."""
    token = _ASKING.set(asker)
    try:
        yield
    finally:
        _ASKING.reset(token)


def asker() -> Asker | None:
    """The one whose requests are made here."""
    return _ASKING.get()


class Together:
    """Several that share a request."""

    def __init__(self, askers: Sequence[Asker | None]) -> None:
        self._askers = [one for one in askers if one is not None]

    @contextmanager
    def waiting_for(self, what: str, /) -> Iterator[None]:
        """Each says that it waits for this during the block."""
        with ExitStack() as waiting:
            for one in self._askers:
                waiting.enter_context(one.waiting_for(what))
            yield
