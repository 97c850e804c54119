"""When jobs waited, and when they were at work."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict, Field

from pycurrent.errors import UsageError
from pycurrent.service import critical_path, expected_end, jobs_of_stages
from pycurrent.web.api.changes import LARGEST
from pycurrent.web.api.models import Model, UsedByModel
from pycurrent.web.api.models.jobs import EntryModel
from pycurrent.web.api.models.model import Seconds
from pycurrent.web.api.routing import api_router
from pycurrent.web.context import ServiceOf
from pycurrent.web.problems import may_answer, problem

router = api_router("timeline")


class TimelineQuery(UsedByModel, Model):
    """Selects the jobs of a change, or those of stages."""

    model_config = ConfigDict(extra="forbid")

    change: int | None = Field(
        default=None, ge=1, le=LARGEST, description="Only jobs that follow from this change."
    )
    limit: int = Field(default=200, ge=1, le=1000, description="How many of the newest at most.")


class TimelineJobModel(Model):
    """A job with its times."""

    job: EntryModel
    waited: Seconds = Field(description="Seconds from its creation until its work began, or now.")
    critical: bool = Field(description="The last one would have ended earlier had it been faster.")


class TimelineModel(Model):
    """Jobs, the one that was created first at the top."""

    jobs: list[TimelineJobModel]
    begin: datetime | None = Field(description="When the first one was created; null for none.")
    end: datetime | None = Field(description="When the last one ended; null while one has not.")
    expected_end: datetime | None = Field(
        description="When those at work may end, by the last good runs of their stages."
    )


@router.get("/timeline", responses=may_answer(404))
async def timeline(service: ServiceOf, query: Annotated[TimelineQuery, Query()]) -> TimelineModel:
    """Tell when the newest jobs of a change or of stages waited, and were at work."""
    selection = query.selection()
    if query.change is None:
        entries = await jobs_of_stages(service.archive, selection, limit=query.limit)
    elif selection:
        raise UsageError("a change has its own jobs: leave out path and label")
    else:
        story = await service.archive.change(query.change, limit=query.limit)
        if story is None:
            raise problem(404, f"no change has the number {query.change}, or not any more")
        entries = story.jobs
    ordered = sorted(entries, key=lambda entry: (entry.created, entry.job_id))
    critical = {entry.job_id for entry in critical_path(ordered)}
    now = service.engine.clock.now()
    ends = [entry.finished for entry in ordered if entry.finished is not None]
    return TimelineModel(
        jobs=[
            TimelineJobModel(
                job=EntryModel.model_validate(entry),
                waited=(entry.started or entry.finished or now) - entry.created,
                critical=entry.job_id in critical,
            )
            for entry in ordered
        ],
        begin=ordered[0].created if ordered else None,
        end=max(ends) if ends and len(ends) == len(ordered) else None,
        expected_end=await service.archive.read(lambda records: expected_end(records, ordered)),
    )
