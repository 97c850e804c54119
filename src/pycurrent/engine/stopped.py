"""Why a job was told to end before its work was done, and what its outcome says of that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pycurrent.term import Failed, FailureKind


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A person asked for its end, or the engine, or its own work."""

    reason: str

    @property
    def outcome(self) -> Failed:
        return Failed(f"Cancelled: {self.reason}", kind=FailureKind.CANCELLED)

    def __str__(self) -> str:
        """As the log tells it, when it happens."""
        return f"Cancelling: {self.reason}"


@dataclass(frozen=True, slots=True)
class TimedOut:
    """It ran for longer than its `timeout` allows."""

    limit: timedelta

    @property
    def reason(self) -> str:
        return f"timed out after {in_words(self.limit)}"

    @property
    def outcome(self) -> Failed:
        return Failed(f"Timed out after {in_words(self.limit)}", kind=FailureKind.TIMEOUT)

    def __str__(self) -> str:
        return f"Timed out after {in_words(self.limit)}: cancelling"


Stopped = Cancelled | TimedOut


def in_words(limit: timedelta) -> str:
    """A limit as it was set: `45 s`, `2.5 s`, `1 h 30 min`."""
    minutes, seconds = divmod(limit.total_seconds(), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (round(seconds, 3), "s")]
    return " ".join(f"{number:g} {unit}" for number, unit in parts if number) or "0 s"
