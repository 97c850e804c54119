"""The open files that this process may have, of which each command takes some."""

from __future__ import annotations

import os
import resource
from contextlib import suppress

_OF_COMMAND = 10
"""Of the engine's, while a job has a command at work: for its log, pipe, lock and supervisor."""
_SPARED = 256
"""Left to all else where there are many: visitors of the pages, watches, Python's own imports."""
_UNLIMITED = 1 << 20


class Descriptors:
    """Raises the soft limit to the hard one, until `close`.

    The soft limit is low by tradition, for programs that use `select`: commands get back the one
    that was there.
    """

    def __init__(self) -> None:
        self.soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        """The limit for commands."""
        self._raised: int | None = None
        self._allowed = 0
        if self.soft != hard:
            # Some systems have a limit that is lower still.
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
                self._raised = hard

    def close(self) -> None:
        """Lower the limit again, if nobody has changed it since. Twice is fine."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if self._raised is not None and soft == self._raised:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.soft, hard))
            self._raised = None

    def allow(self, at_work: int) -> bool:
        """True if one more job can have a command, besides the number of jobs that have some.

        Counting open files takes longer the more there are, so it is done less often then.
        """
        if self._allowed == 0:
            limit = _limit()
            # Jobs at work count twice, as some of them may only be about to open their files.
            left = limit - min(_SPARED, limit // 4) - _opened() - at_work * _OF_COMMAND
            room = left // _OF_COMMAND
            if room <= 0:
                return False
            self._allowed = max(1, room // 2)
        self._allowed -= 1
        return True

    def __str__(self) -> str:
        return f"{_opened()} of {_limit()} files are open"


def _limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft


def _opened() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return len(os.listdir(folder))  # noqa: PTH208 - a hundred thousand of them, maybe
    return 0
