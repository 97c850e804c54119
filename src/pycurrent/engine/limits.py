"""The limits within which a job may start, and run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from pycurrent.engine.arguments import check_start
from pycurrent.engine.job import Job
from pycurrent.engine.level import Level

if TYPE_CHECKING:
    from pycurrent.engine.pool import AnyPool

Timeout: TypeAlias = timedelta | float | None


class Limits(Struct, frozen=True):
    """The arguments of `Job.start`: the `level` says how risky the work is, the `pool` lends it a
    resource, `timeout` is how long it may take (in seconds, if a number), and `priority` its place
    in the queue of the pool.

    Raises UsageError for what a job can't be started with.
    """

    level: Level
    # `help()` looks a type up in this module, and few runs need the pools.
    if TYPE_CHECKING:
        pool: AnyPool | None = None
    else:
        pool: Any = None
    timeout: Timeout = None
    priority: int = 0

    def __post_init__(self) -> None:
        check_start(self.level, self.pool, self.timeout, self.priority, "")

    async def start(self, job: Job) -> None:
        """Wait until the job may begin: see `Job.start`."""
        await job.start(
            level=self.level, pool=self.pool, timeout=self.timeout, priority=self.priority
        )
