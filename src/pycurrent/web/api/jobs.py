"""Jobs: those that have not ended, one of them, and what can be done."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Query, Request, Response
from pydantic import ConfigDict, Field

from pycurrent.deprecation import Renamed
from pycurrent.service import Done, NoSuchJob, Refused, Service, estimate_of
from pycurrent.web.api.encoding import EncodersOf
from pycurrent.web.api.models import JobDetailModel, JobModel, Model, OutcomeModel, UsedByModel
from pycurrent.web.api.renamed import renamed
from pycurrent.web.api.routing import FOR_ADMINS, FOR_BUILDERS, JOB_ID, JobId, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.problems import may_answer, problem
from pycurrent.web.reasons import ReasonModel, reason_for

router = api_router("jobs")

_SAME_WORK = 50
"""How many earlier jobs of the same key are listed."""
_TOLD_TWICE = 100
_ABOUT_ONE = may_answer(404, 409)


async def _reason(request: Request, job_id: JobId, why: ReasonModel | None = None) -> str | None:
    return reason_for(request, [job_id], None if why is None else why.reason)


ReasonOf: TypeAlias = Annotated[str | None, Depends(_reason)]
"""Why the sender of the request asks for an act on the job."""


class JobsModel(Model):
    """Jobs that have not ended, the oldest first."""

    jobs: list[JobModel]
    next: str | None = Field(description="The value of `after` for the next page.")
    total: int = Field(description="How many jobs have not ended, of those that were asked for.")
    last_event: str


class JobsQuery(UsedByModel, Model):
    """Selects jobs that have not ended, and a page of them."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=1000, ge=0, le=1000, description="How many jobs to list at most.")
    after: str | None = Field(
        default=None, pattern=JOB_ID, description="The id of the last job of the page before."
    )


@router.get(
    "/jobs",
    response_class=Response,
    responses={200: {"model": JobsModel}, **may_answer(404)},
)
async def jobs(
    request: Request,
    service: ServiceOf,
    encoders: EncodersOf,
    query: Annotated[JobsQuery, Query()],
) -> Response:
    """List the jobs that have not ended: what they do, since when, and what they wait for."""
    wanted = query.selection()
    among = frozenset(await service.select_jobs(wanted)) if wanted else None
    # Read first: who follows the events from there is told of some jobs twice, but misses none.
    last = service.events.last
    page = await service.jobs.page(limit=query.limit, after=query.after, among=among)

    def encode() -> bytes:
        listed = JobsModel(
            jobs=[JobModel.model_validate(job) for job in page.jobs],
            next=page.next,
            total=page.total,
            last_event=str(last),
        )
        return listed.model_dump_json().encode()

    # An answer that is kept for long would have its readers told of too many twice.
    version = page, last.number // _TOLD_TWICE
    asked = query.limit, query.after, wanted
    return await encoders.jobs.answer(request, asked, version, encode)


@router.post("/jobs/{day}/{name}/cancel", dependencies=FOR_BUILDERS, responses=_ABOUT_ONE)
async def cancel(
    service: ServiceOf, job_id: JobId, asker: AskerOf, reason: ReasonOf
) -> OutcomeModel:
    """Cancel a job. Its failure stays until somebody has it made again."""
    return _done(job_id, service.jobs.cancel(job_id, by=asker, reason=reason))


@router.post("/jobs/{day}/{name}/approve", dependencies=FOR_ADMINS, responses=_ABOUT_ONE)
async def approve(
    service: ServiceOf, job_id: JobId, asker: AskerOf, reason: ReasonOf
) -> OutcomeModel:
    """Let a job start although its level asks for confirmation."""
    return _done(job_id, service.jobs.approve(job_id, by=asker, reason=reason))


@router.post(
    "/jobs/{day}/{name}/start",
    deprecated=True,
    dependencies=[*FOR_ADMINS, renamed(Renamed("start", "approve", removed_in="0.3"))],
    responses=_ABOUT_ONE,
)
async def start(
    service: ServiceOf, job_id: JobId, asker: AskerOf, reason: ReasonOf
) -> OutcomeModel:
    """The old name of `approve`."""
    return await approve(service, job_id, asker, reason)


@router.post("/jobs/{day}/{name}/rebuild", dependencies=FOR_BUILDERS, responses=_ABOUT_ONE)
async def rebuild(
    service: ServiceOf, job_id: JobId, asker: AskerOf, reason: ReasonOf
) -> OutcomeModel:
    """Do the work of an ended job again."""
    outcome = service.jobs.rebuild(job_id, by=asker, reason=reason)
    if isinstance(outcome, Refused):
        raise problem(409, outcome.why)
    return OutcomeModel.of_rebuild(job_id, outcome)


def _done(job_id: str, outcome: Done | Refused) -> OutcomeModel:
    if isinstance(outcome, Refused):
        raise problem(409, outcome.why)
    return OutcomeModel(job=job_id, outcome="done")


@router.get("/jobs/{day}/{name}", responses=may_answer(404))
async def job(service: ServiceOf, job_id: JobId) -> JobDetailModel:
    """Show everything that is known about a job."""
    detail = service.jobs.detail(job_id)
    same_work = await service.archive.same_work(detail.entry, limit=_SAME_WORK)
    estimate = await estimate_of(service.archive, detail, same_work)
    return JobDetailModel.of(detail, _log_size(service, job_id), same_work, estimate)


def _log_size(service: Service, job_id: str) -> int | None:
    try:
        return service.logs.size(job_id)
    except NoSuchJob:
        return None
