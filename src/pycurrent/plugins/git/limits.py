"""On what terms an operation may be run, and what its component is called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pycurrent.engine import AnyPool, Job, Level

Timeout = timedelta | float | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How risky it is, how many may run at once, and for how long: in seconds, if a number."""

    level: Level
    pool: AnyPool | None = None
    timeout: Timeout = None

    async def start(self, job: Job) -> None:
        await job.start(level=self.level, pool=self.pool, timeout=self.timeout)


def label_or(label: str | None, default: str) -> str:
    """The user's label, word for word, or a format with the parameters of the component."""
    return default if label is None else label.replace("{", "{{").replace("}", "}}")
