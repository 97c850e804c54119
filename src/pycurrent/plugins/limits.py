"""On what terms an operation may be run: what the functions of plugins take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pycurrent.engine import AnyPool, Job, Level
from pycurrent.engine.arguments import check_start

Timeout = timedelta | float | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How risky it is, how many may run at once, and for how long: in seconds, if a number."""

    level: Level
    pool: AnyPool | None = None
    timeout: Timeout = None

    def __post_init__(self) -> None:
        check_start(self.level, self.pool, self.timeout, "")

    async def start(self, job: Job) -> None:
        """Wait until the job may begin: see `Job.start`."""
        await job.start(level=self.level, pool=self.pool, timeout=self.timeout)
