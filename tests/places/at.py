"""Jobs at a place, for the cases that are tried at each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from pycurrent.engine import AnyPool, Job, Level
from pycurrent.explain.history import HistoryEntry
from pycurrent.term import Failed, Ok

from ..engine.doing import one


async def started(job: Job, pool: AnyPool | None) -> None:
    await job.start(level=Level.HARMLESS, pool=pool)


class At:
    """A place, and a folder of the test."""

    def __init__(self, pool: AnyPool | None, folder: Path) -> None:
        self.pool = pool
        self.folder = folder

    async def ended(self, work: Callable[[Job], Awaitable[str | None]]) -> tuple[object, str]:
        """The outcome and the log of a job at this place, which ends by itself."""

        async def placed(job: Job) -> str | None:
            await started(job, self.pool)
            return await work(job)

        async with one(self.folder / "state", placed) as h:
            await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
            return h.output, h.log("do a")

    async def recorded(self, work: Callable[[Job], Awaitable[str | None]]) -> HistoryEntry:
        """The record of such a job."""

        async def placed(job: Job) -> str | None:
            await started(job, self.pool)
            return await work(job)

        async with one(self.folder / "state", placed) as h:
            await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
            (entry,) = h.engine.history()
            return entry


def printed(log: str) -> list[str]:
    """What commands have printed: the lines without a time."""
    return [line for line in log.splitlines() if line[:2] != "20"]
