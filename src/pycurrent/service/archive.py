"""The records of an engine that runs, read without stopping it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pycurrent.explain.feed import ChangeStory, FeedEntry
from pycurrent.explain.health import StageHealth
from pycurrent.explain.history import HistoryEntry, HistoryPage
from pycurrent.service.errors import NoSuchJob
from pycurrent.service.history import Records
from pycurrent.store import (
    ChangeFilters,
    CoverageTables,
    FailureFilters,
    FailureGroup,
    HistoryFilter,
    TestTables,
    UseRecord,
)

if TYPE_CHECKING:
    from pycurrent.explain.annotations import JobAnnotations
    from pycurrent.explain.explanation import JobExplanation
    from pycurrent.explain.markers import Markers

T = TypeVar("T")


class Archive:
    """Reads the history in threads: a text that is looked for may be in any of a million jobs.

    Sees what the engine has committed, which it does with each step. All methods raise
    `StoreError` if the database can't be read.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    async def page(
        self,
        wanted: HistoryFilter,
        *,
        limit: int,
        before: str | None = None,
        seconds: float | None = None,
    ) -> HistoryPage:
        """A page of the history: see `Records.page`."""
        return await self.read(
            lambda records: records.page(wanted, limit=limit, before=before, seconds=seconds)
        )

    async def same_work(self, entry: HistoryEntry, *, limit: int) -> tuple[HistoryEntry, ...]:
        """The jobs of the same operation and key that have ended, the last first."""
        wanted = HistoryFilter(op=entry.op, key=entry.key)
        return (await self.page(wanted, limit=limit)).entries

    async def uses_of_unended(self) -> list[UseRecord]:
        """The uses of the jobs that have not ended by stages, the newest first."""
        return await self.read(lambda records: records.uses_of_unended())

    async def operations(self) -> list[str]:
        """The ids of the operations that have results, sorted."""
        return await self.read(lambda records: records.operations())

    async def changes(self, filters: ChangeFilters, *, limit: int) -> list[FeedEntry]:
        """The changes from outside: see `Records.changes`."""
        return await self.read(lambda records: records.changes(filters, limit=limit))

    async def change(self, number: int, *, limit: int) -> ChangeStory | None:
        """A change and its jobs: see `Records.change`."""
        return await self.read(lambda records: records.change(number, limit=limit))

    async def failures(self, filters: FailureFilters, *, limit: int) -> list[FailureGroup]:
        """The failures by their causes: see `Records.failures`."""
        return await self.read(lambda records: records.failures(filters, limit=limit))

    async def standing_failures(self, filters: FailureFilters, *, limit: int) -> list[str]:
        """The failed jobs that are the last ones of their keys, the newest first."""
        return await self.read(lambda records: records.standing_failures(filters, limit=limit))

    async def tests(self, query: Callable[[TestTables], T]) -> T:
        """The result of `query`, which reads the tests that jobs have reported."""
        return await self.read(lambda records: query(records.tests))

    async def coverage(self, query: Callable[[CoverageTables], T]) -> T:
        """The result of `query`, which reads the coverage that jobs have reported."""
        return await self.read(lambda records: query(records.coverage))

    async def annotations(
        self, job_id: str, markers: Markers | None, *, limit: int
    ) -> JobAnnotations:
        """The annotations of a job, the worst ones first: at most `limit`. The ones that it has
        printed are in the `markers` of its log.
        """
        return await self.read(lambda records: records.annotations(job_id, markers, limit=limit))

    async def explain(self, job_id: str) -> JobExplanation:
        """All that explains a job. Raises `NoSuchJob`."""
        found = await self.read(lambda records: records.explain(job_id))
        if found is None:
            raise NoSuchJob(job_id)
        return found

    async def healths(self, stages: Mapping[str, str | None]) -> dict[str, StageHealth]:
        """The health of stages by their paths, as far as it is recorded. Each comes with a job that
        is to be tried again, or None.
        """

        def read(records: Records) -> Iterator[tuple[str, StageHealth]]:
            for path, retried in stages.items():
                health = records.health(path, retried=retried)
                if health is not None:
                    yield path, health

        return await self.read(lambda records: dict(read(records)))

    async def stage_jobs(self, path: str, *, limit: int) -> list[tuple[UseRecord, HistoryEntry]]:
        """The last uses of jobs by a stage: see `Records.stage_jobs`."""
        return await self.read(lambda records: records.stage_jobs(path, limit=limit))

    async def read(self, query: Callable[[Records], T]) -> T:
        """The result of `query`, called in a thread."""
        state_dir = self._state_dir

        def read() -> T:
            with Records.open(state_dir) as records:
                return query(records)

        return await asyncio.to_thread(read)
