"""Slows down who guesses passwords."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

from pycurrent.engine import Clock
from pycurrent.web.auth.errors import TooManyAttempts

FREE = 5
"""Failures that cost nothing."""

LONGEST = timedelta(minutes=5)
"""The wait after which no failure makes it longer."""

FORGOTTEN = timedelta(minutes=30)
"""How long after the last failure it is as if there had been none."""

_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int
    last: float

    @property
    def wait(self) -> timedelta:
        """After the last one: a second, and twice as long each time."""
        if self.count < FREE:
            return timedelta(0)
        return min(timedelta(seconds=2 ** min(self.count - FREE, 20)), LONGEST)


class Throttle:
    """Counts failures by who tries, and by whom they try to be.

    An attempt counts as a failure from its start: many at once gain nothing. Kept in memory, and
    only for the last ten thousand; an attacker with more addresses is slowed down by the name.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def attempt(self, *keys: str) -> None:
        """Somebody tries. Raises `TooManyAttempts` if they have to wait; that counts nothing."""
        now = self._clock.monotonic()
        waits = [self._wait(key, now) for key in keys]
        if (wait := max(waits)) > timedelta(0):
            raise TooManyAttempts(wait)
        for key in keys:
            known = self._known(key, now)
            count = 1 if known is None else known.count + 1
            self._failures[key] = _Failures(count, now)
            self._failures.move_to_end(key)
        while len(self._failures) > _KEPT:
            self._failures.popitem(last=False)

    def succeeded(self, *keys: str) -> None:
        """They were who they said they are."""
        for key in keys:
            self._failures.pop(key, None)

    def _wait(self, key: str, now: float) -> timedelta:
        known = self._known(key, now)
        return timedelta(0) if known is None else known.wait - timedelta(seconds=now - known.last)

    def _known(self, key: str, now: float) -> _Failures | None:
        known = self._failures.get(key)
        return None if known is None or now - known.last > FORGOTTEN.total_seconds() else known
