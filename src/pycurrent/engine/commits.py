"""Writing down what an engine has to record, as soon as the disk takes it."""

from __future__ import annotations

import logging
from datetime import timedelta

from pycurrent.engine.clock import Clock, Timer
from pycurrent.store import Database, StoreError

RETRY = timedelta(seconds=5)
"""How long after a commit that failed (the disk is full, say) the next is tried."""

_log = logging.getLogger(__name__)


class Commits:
    """The commits to one database, which it owns. What can't be written is kept in memory, and
    tried again; the same failure is told once in a row.
    """

    def __init__(self, store: Database, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._failure: str | None = None
        """Of the last commit."""
        self._retry: Timer | None = None

    def commit(self) -> None:
        """Write what is to be recorded. Does not raise if it can't be written."""
        try:
            self._store.commit()
            self._failure = None
        except StoreError as error:
            if str(error) != self._failure:
                self._failure = str(error)
                _log.error("%s", error)
            if self._retry is None:
                self._retry = self._clock.call_later(RETRY, self._again)

    def close(self) -> None:
        """Close the database; what can't be written now is said, and lost."""
        if self._retry is not None:
            self._retry.cancel()
        try:
            self._store.close()
        except StoreError as error:
            _log.error("%s", error)

    def _again(self) -> None:
        self._retry = None
        self.commit()
