"""How far a run is, and how long it may still take."""

from __future__ import annotations

from datetime import timedelta

from pycurrent.term import Stats
from pycurrent.view.formatting import duration

_SHOWN_FROM = 50
"""Of fewer stages all can be seen."""
_TOLD_FROM = 5
"""So many stages have to become done before it is said how long the rest may take."""


class Pace:
    """The pace at which stages become done, from the first look on: what was known before is not
    a part of it.
    """

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def text(self, stats: Stats, seconds: float) -> str:
        """How much is done, and about how long the rest may take; empty for few stages, and at the
        end. `seconds` is how long it has been at work.
        """
        done = stats.ok + stats.failed + stats.muted
        if self._first is None:
            self._first = seconds, done
        # After a failure something may stay blocked.
        rest = stats.running + stats.ready + (0 if stats.failed else stats.blocked)
        if stats.total < _SHOWN_FROM or not rest:
            return ""
        begin, before = self._first
        share = f"{100 * done // stats.total} % done"
        if done - before < _TOLD_FROM:
            return share
        left = timedelta(seconds=(seconds - begin) * rest / (done - before))
        return f"{share}, about {duration(left)} more"
