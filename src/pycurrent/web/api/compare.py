"""The log of a job beside that of another one."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import Field

from pycurrent.web.api.models import Model, Text
from pycurrent.web.api.routing import JOB_ID, JobId, api_router
from pycurrent.web.context import ServiceOf
from pycurrent.web.problems import may_answer, problem

router = api_router("compare")


class DiffLineModel(Model):
    """A line of one of the logs, or of both."""

    old: int | None = Field(description="Its number in the log compared with, from 1 on.")
    new: int | None = Field(description="Its number in the log of the job.")
    text: Text


class HunkModel(Model):
    """Lines that follow each other, some of which are in one of the logs only."""

    lines: list[DiffLineModel]


class ComparisonModel(Model):
    """The lines in which two logs differ; times, hashes and durations don't count."""

    job: str
    other: str = Field(description="The job compared with.")
    hunks: list[HunkModel]
    whole: bool = Field(
        validation_alias="is_whole", description="False: only the ends of the logs were compared."
    )
    more: int = Field(description="How many lines are left out here.")


@router.get("/jobs/{day}/{name}/compare", responses=may_answer(404))
async def compare(
    service: ServiceOf,
    job_id: JobId,
    other: Annotated[
        str | None,
        Query(
            alias="with",
            pattern=JOB_ID,
            description="The job to compare with; by default the last good run before this one, of"
            " the same stage.",
        ),
    ] = None,
) -> ComparisonModel:
    """Compare the log of a job with that of another one, line by line."""
    service.jobs.detail(job_id)
    found = await service.compare(job_id, other)
    if found is None:
        raise problem(404, f"job {job_id} has no good run before it to compare with")
    return ComparisonModel.model_validate(found)
