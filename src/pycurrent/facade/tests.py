"""The tests that jobs have reported, as an engine's author asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict, Unpack

from pycurrent.store import (
    LabelFilter,
    TestCase,
    TestCounts,
    TestFilters,
    TestReport,
    TestResult,
    TestRun,
    TestTables,
    TestTrouble,
)


class TestedBy(TypedDict, total=False):
    """Selects the jobs to which all of these apply."""

    op: str | None
    path: str | None
    """Of a stage that has used the job; it may be a glob."""
    labels: Mapping[str, str]
    """Labels of this stage, which may be globs."""
    since: datetime | None
    """When the report was taken at the earliest. Aware."""


class TestRecords:
    """The recorded tests of one engine. The lists over many jobs take filters: `op`, `path` of a
    stage that has used the job and `labels` of this stage (both may be globs), and `since` (aware),
    when the report was taken at the earliest.
    """

    __test__ = False

    def __init__(self, tables: TestTables) -> None:
        self._tables = tables

    def counts(self, job_id: str) -> TestCounts | None:
        """How the tests of a job ended; None if it has reported none."""
        return self._tables.counts(job_id)

    def of_job(
        self,
        job_id: str,
        *,
        failed: bool = False,
        slowest: bool = False,
        limit: int = 100,
        skip: int = 0,
    ) -> list[TestCase]:
        """The tests of a job, in the order of its reports or the slowest first; or only those that
        failed. At most `limit`, after the first `skip`.
        """
        results = (TestResult.FAILED, TestResult.ERROR) if failed else ()
        return self._tables.of_job(job_id, results=results, slowest=slowest, limit=limit, skip=skip)

    def reports(
        self,
        *,
        limit: int = 100,
        **which: Unpack[TestedBy],
    ) -> list[TestReport]:
        """The jobs that have reported tests, the newest first, with their counts."""
        return self._tables.reports(limit=limit, **filters_of(which))

    def runs(
        self,
        name: str,
        *,
        limit: int = 100,
        **which: Unpack[TestedBy],
    ) -> list[TestRun]:
        """The runs of a test by jobs, the newest first. `name` is its name, or `suite: name`."""
        return self._tables.runs(name, limit=limit, **filters_of(which))

    def failed(
        self,
        *,
        limit: int = 100,
        **which: Unpack[TestedBy],
    ) -> list[TestTrouble]:
        """The tests that failed in the newest 100 jobs with tests, the last one first."""
        return self._tables.failed(limit=limit, **filters_of(which))

    def flaky(
        self,
        *,
        limit: int = 100,
        **which: Unpack[TestedBy],
    ) -> list[TestTrouble]:
        """The tests that failed in these jobs and passed for the same: tried again in the same run,
        or in another job of the same operation, key and value.
        """
        return self._tables.flaky(limit=limit, **filters_of(which))

    def slow(
        self,
        *,
        limit: int = 100,
        **which: Unpack[TestedBy],
    ) -> list[TestTrouble]:
        """The tests that take longest, in the mean over the newest 10 jobs with tests."""
        return self._tables.slow(limit=limit, **filters_of(which))


def filters_of(which: TestedBy) -> TestFilters:
    """The filters for the store."""
    filters: TestFilters = {}
    if (op := which.get("op")) is not None:
        filters["op"] = op
    if (path := which.get("path")) is not None:
        filters["path"] = path
    if labels := which.get("labels"):
        filters["labels"] = tuple([LabelFilter(name, value) for name, value in labels.items()])
    if (since := which.get("since")) is not None:
        filters["since"] = since
    return filters
