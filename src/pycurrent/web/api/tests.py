"""The tests that jobs have reported: of one job, and over many."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import ConfigDict, Field

from pycurrent.store import TestFilters, TestResult, TestTables
from pycurrent.web.api.models import Instant, Model, UsedByModel
from pycurrent.web.api.models.tests import (
    ResultName,
    TestCaseModel,
    TestCountsModel,
    TestReportModel,
    TestRunModel,
    TestTroubleModel,
)
from pycurrent.web.api.routing import JobId, api_router
from pycurrent.web.context import ServiceOf
from pycurrent.web.problems import may_answer

router = api_router("tests")


class TestsOfJobModel(Model):
    """A page of the tests of a job."""

    __test__ = False

    counts: TestCountsModel | None = Field(description="Of all its tests; null: none reported.")
    tests: list[TestCaseModel]
    next: int | None = Field(description="The value of `skip` for the next page.")


class TestsOfJobQuery(Model):
    """Selects tests of a job, and a page of them."""

    __test__ = False

    model_config = ConfigDict(extra="forbid")

    result: list[ResultName] = Field(
        default=[], max_length=len(TestResult), description="Only those with one of these results."
    )
    flaky: bool = Field(
        default=False, description="Also the ones that passed after they had failed."
    )
    slowest: bool = Field(default=False, description="The slowest first, not in their order.")
    skip: int = Field(default=0, ge=0, le=10**9, description="How many to leave out before.")
    limit: int = Field(default=100, ge=1, le=1000)


class TestFilterModel(UsedByModel, Model):
    """Selects the jobs that pass all of these."""

    __test__ = False

    model_config = ConfigDict(extra="forbid")

    op: str | None = Field(default=None, max_length=1000, description="The operation's id.")
    since: Instant | None = Field(default=None, description="Reported at this time or later.")
    limit: int = Field(default=100, ge=1, le=1000)

    def filters(self) -> TestFilters:
        """The filters that were given."""
        filters: TestFilters = {}
        if self.op is not None:
            filters["op"] = self.op
        if self.since is not None:
            filters["since"] = self.since
        if self.path is not None:
            filters["path"] = self.path
        if self.label:
            filters["labels"] = self.selection().labels
        return filters


class TroubleQuery(TestFilterModel):
    """Selects tests, and the jobs."""

    which: Literal["failed", "flaky", "slow"] = Field(
        default="failed",
        description="The tests that failed in recent jobs, failed and passed for the same, or take"
        " longest.",
    )


class RunsQuery(TestFilterModel):
    """One test, and the jobs."""

    name: str = Field(max_length=2000, description="Its name, or `suite: name`.")
    suite: str | None = Field(default=None, max_length=1000)


class TestsModel(Model):
    """Tests that are in trouble, or slow."""

    __test__ = False

    tests: list[TestTroubleModel]


class ReportsModel(Model):
    """Jobs that have reported tests, the newest first."""

    reports: list[TestReportModel]


class RunsModel(Model):
    """The runs of a test, the newest first."""

    runs: list[TestRunModel]


@router.get("/jobs/{day}/{name}/tests", responses=may_answer(404))
async def of_job(
    service: ServiceOf, job_id: JobId, query: Annotated[TestsOfJobQuery, Query()]
) -> TestsOfJobModel:
    """List the tests that a job has reported, page by page."""
    service.jobs.detail(job_id)  # Raises NoSuchJob.
    results = [TestResult(name) for name in query.result]

    def read(tests: TestTables) -> TestsOfJobModel:
        found = tests.of_job(
            job_id,
            results=results,
            flaky=query.flaky,
            slowest=query.slowest,
            limit=query.limit + 1,
            skip=query.skip,
        )
        counts = tests.counts(job_id)
        return TestsOfJobModel(
            counts=None if counts is None else TestCountsModel.model_validate(counts),
            tests=[TestCaseModel.model_validate(case) for case in found[: query.limit]],
            next=query.skip + query.limit if len(found) > query.limit else None,
        )

    return await service.archive.tests(read)


@router.get("/tests")
async def tests(service: ServiceOf, query: Annotated[TroubleQuery, Query()]) -> TestsModel:
    """List the tests that have failed in the newest 100 jobs with tests, that are flaky, or that
    are slow.
    """
    filters = query.filters()
    found = await service.archive.tests(
        lambda tables: getattr(tables, query.which)(limit=query.limit, **filters)
    )
    return TestsModel(tests=[TestTroubleModel.model_validate(test) for test in found])


@router.get("/tests/reports")
async def reports(service: ServiceOf, query: Annotated[TestFilterModel, Query()]) -> ReportsModel:
    """List the jobs that have reported tests, the newest first, with their counts."""
    filters = query.filters()
    found = await service.archive.tests(lambda tables: tables.reports(limit=query.limit, **filters))
    return ReportsModel(reports=[TestReportModel.model_validate(report) for report in found])


@router.get("/tests/runs")
async def runs(service: ServiceOf, query: Annotated[RunsQuery, Query()]) -> RunsModel:
    """List the runs of a test by jobs, the newest first."""
    filters = query.filters()
    found = await service.archive.tests(
        lambda tables: tables.runs(query.name, suite=query.suite, limit=query.limit, **filters)
    )
    return RunsModel(runs=[TestRunModel.model_validate(run) for run in found])
