"""The coverage that jobs have reported: of one job by file, and over many."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict, Field

from pycurrent.store import CoverageTables
from pycurrent.web.api.models import Model
from pycurrent.web.api.models.coverage import CoverageReportModel, FileCoverageModel
from pycurrent.web.api.routing import JobId, api_router
from pycurrent.web.api.tests import TestFilterModel
from pycurrent.web.context import ServiceOf
from pycurrent.web.problems import may_answer

router = api_router("coverage")


class CoverageOfJobModel(Model):
    """The coverage of a job, and a page of its files."""

    report: CoverageReportModel | None = Field(description="null: it has reported none.")
    files: list[FileCoverageModel] = Field(description="The ones that lack most lines come first.")
    next: int | None = Field(description="The value of `skip` for the next page.")


class CoverageOfJobQuery(Model):
    """Selects a page of the files."""

    model_config = ConfigDict(extra="forbid")

    skip: int = Field(default=0, ge=0, le=10**9, description="How many to leave out before.")
    limit: int = Field(default=100, ge=1, le=1000)


class CoverageReportsModel(Model):
    """Jobs that have reported coverage, the newest first."""

    reports: list[CoverageReportModel]


@router.get("/jobs/{day}/{name}/coverage", responses=may_answer(404))
async def of_job(
    service: ServiceOf, job_id: JobId, query: Annotated[CoverageOfJobQuery, Query()]
) -> CoverageOfJobModel:
    """Show the coverage of a job, in all and by file."""
    service.jobs.detail(job_id)  # Raises NoSuchJob.

    def read(tables: CoverageTables) -> CoverageOfJobModel:
        report, files = tables.of_job(job_id), tables.files_of_job(job_id)
        end = query.skip + query.limit
        return CoverageOfJobModel(
            report=None if report is None else CoverageReportModel.model_validate(report),
            files=[FileCoverageModel.model_validate(file) for file in files[query.skip : end]],
            next=end if len(files) > end else None,
        )

    return await service.archive.coverage(read)


@router.get("/coverage")
async def reports(
    service: ServiceOf, query: Annotated[TestFilterModel, Query()]
) -> CoverageReportsModel:
    """List the jobs that have reported coverage, the newest first, each with that before."""
    filters = query.filters()
    found = await service.archive.coverage(
        lambda tables: tables.reports(limit=query.limit, **filters)
    )
    return CoverageReportsModel(
        reports=[CoverageReportModel.model_validate(report) for report in found]
    )
