"""The things that the logs of one engine's jobs share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pycurrent.engine.encoding import encode
from pycurrent.engine.log_writer import LogWriter
from pycurrent.store import StateDir

_GUARDS = 16
_SECOND = timedelta(seconds=1)


class JobLogs:
    """Their place, the time, and what writes them."""

    def __init__(self, state: StateDir, now: Callable[[], datetime]) -> None:
        self.state = state
        self._now = now
        # A second, its end, and how it is written; in one, as threads ask.
        never = datetime.min.replace(tzinfo=UTC)
        self._last = (never, never, "")
        # Lines, when they were written, and how.
        self._last_lines: tuple[tuple[str, ...], str, bytes] = ((), "", b"")
        # A lock is as large as a short log: some are shared by all.
        self._guards = tuple(threading.Lock() for _ in range(_GUARDS))
        self.writer = LogWriter()

    def guard(self, job_id: str) -> threading.Lock:
        """Held while the text of the log of a job grows, or becomes a file. Never two at once."""
        return self._guards[hash(job_id) % _GUARDS]

    def stamp(self) -> str:
        """The time, as lines begin with it. To write a second takes longer than to know that it is
        still the same.
        """
        now, (second, end, text) = self._now(), self._last
        if not second <= now < end:
            text = now.strftime("%Y-%m-%d %H:%M.%S")
            second = now.replace(microsecond=0)
            self._last = second, second + _SECOND, text
        return text

    def stamped(self, lines: tuple[str, ...], stamp: str) -> bytes:
        """Lines of a log, each with the time. Thousands of jobs that end at once have the same."""
        last, when, text = self._last_lines
        if stamp != when or lines != last:
            text = encode("".join([f"{stamp}: {line}\n" for line in lines]))
            self._last_lines = lines, stamp, text
        return text
