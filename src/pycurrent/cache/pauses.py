"""Pauses before a run that has failed is followed by the next one.

Either the machine has failed it, as no descriptor, space, memory or process was left: that says
nothing about the work. Then the first pause is a second, and there is no last attempt. Or the work
has failed, and its `Retry` allows for a further attempt, and says how long the first pause is. Each
further pause is twice as long, up to five minutes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from pycurrent.cache.cause import MachineFailed, Retried
from pycurrent.cache.states import Pausing, Unknown
from pycurrent.engine.clock import Clock

MOST_ATTEMPTS = 6
"""How often work that the machine fails is tried while somebody waits for the end of the run: in
half a minute. After that it is still tried again, but nobody waits for it.
"""

BY_MACHINE = timedelta(seconds=1)
"""The first pause after the machine has failed a run."""

_LONGEST = timedelta(minutes=5)

_log = logging.getLogger(__name__)


class Pauses:
    """The pauses of one cache that are not over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: dict[Pausing, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, pausing: Pausing) -> bool:
        return pausing in self._all

    @property
    def are_hopeful(self) -> bool:
        """True if somebody waits for the end of a pause."""
        return any(
            isinstance(pausing.cause, Retried) or pausing.cause.attempt <= MOST_ATTEMPTS
            for pausing in self._all
        )

    def begin(
        self,
        what: str,
        cause: MachineFailed | Retried,
        why: str,
        after: Unknown,
        first: timedelta,
        over: Callable[[], None],
    ) -> Pausing:
        """Begin the pause before a run with this cause: `first` is the pause before a second
        attempt. Calls `over` at its end, unless it is ended before; the state is then `after`.
        `what` has failed, and the message says `why`.
        """
        pause = pause_before(cause.attempt, first)
        timer = self._clock.call_later(pause, over)
        pausing = Pausing(self._clock.now() + pause, timer, cause, why, after)
        self._all[pausing] = None
        _log.warning("%s is %s", what, pausing.note)
        return pausing

    def end(self, pausing: Pausing) -> None:
        """End a pause, which may be over. Once only."""
        pausing.timer.cancel()
        del self._all[pausing]


def pause_before(attempt: int, first: timedelta) -> timedelta:
    """The pause before an attempt, where `first` is the one before the second attempt."""
    doublings = min(attempt - 2, 20)
    # A longer one than the longest is as its author wants it, and doesn't grow.
    return first if first >= _LONGEST else min(first * 2**doublings, _LONGEST)
