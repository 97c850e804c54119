"""The annotations of jobs: what their reports and logs remark on lines of files."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from pycurrent.web.api.models.annotations import JobAnnotationsModel
from pycurrent.web.api.routing import JobId, api_router
from pycurrent.web.context import ServiceOf
from pycurrent.web.problems import may_answer

router = api_router("jobs")


@router.get("/jobs/{day}/{name}/annotations", responses=may_answer(404))
async def of_job(
    service: ServiceOf, job_id: JobId, limit: Annotated[int, Query(ge=1, le=2000)] = 100
) -> JobAnnotationsModel:
    """List the annotations of a job, the worst ones first, with the number of all."""
    service.jobs.detail(job_id)  # Raises NoSuchJob.
    found = await service.annotations(job_id, limit=limit)
    return JobAnnotationsModel.model_validate(found)
