"""Pauses before work that the machine has failed is run again.

The machine has failed a run if no descriptor, space, memory or process was left: that says nothing
about the work. The first pause is a second, each further one twice as long, up to five minutes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from pycurrent.cache.cause import MachineFailed
from pycurrent.cache.states import Pausing, Result
from pycurrent.engine.clock import Clock

MOST_ATTEMPTS = 6
"""How often work that the machine fails is tried while somebody waits for the end of the run: in
half a minute. After that it is still tried again, but nobody waits for it.
"""

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
        """True if some work was not failed so often that nobody waits for it any more."""
        return any(pausing.cause.attempt <= MOST_ATTEMPTS for pausing in self._all)

    def begin(
        self, what: str, cause: MachineFailed, latched: Result | None, over: Callable[[], None]
    ) -> Pausing:
        """Begin the pause before a run with this cause. Calls `over` at its end, unless it is
        ended before. `what` is named in the warning.
        """
        pause = _before(cause.attempt)
        timer = self._clock.call_later(pause, over)
        pausing = Pausing(self._clock.now() + pause, timer, cause, latched)
        self._all[pausing] = None
        _log.warning("%s is %s", what, pausing.note)
        return pausing

    def end(self, pausing: Pausing) -> None:
        """End a pause, which may be over. Once only."""
        pausing.timer.cancel()
        del self._all[pausing]


def _before(attempt: int) -> timedelta:
    return min(timedelta(seconds=2 ** min(attempt - 2, 20)), _LONGEST)
