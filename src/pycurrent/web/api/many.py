"""Acts on many jobs: those with these ids, or those that pass a filter."""

from __future__ import annotations

from typing import Annotated

from fastapi import Request
from pydantic import ConfigDict, Field

from pycurrent.engine import Asker
from pycurrent.service import Action, JobSelection, Service
from pycurrent.web.api.failures import FailureFilterModel
from pycurrent.web.api.history import ExactFilter
from pycurrent.web.api.models import Model, OutcomeModel, OutcomesModel, UsedByModel, Whole
from pycurrent.web.api.routing import FOR_BUILDERS, JOB_ID, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.problems import may_answer, problem
from pycurrent.web.reasons import ReasonText, reason_for

router = api_router("many jobs")

MOST = 1000
"""How many jobs can be acted on at once."""
_ABOUT_MANY = may_answer(404)


class Act(Model):
    """An act on many jobs, whichever they are."""

    model_config = ConfigDict(extra="forbid", strict=True)

    dry_run: bool = Field(default=False, description="Only say what would be done.")
    reason: ReasonText = None


class TheseJobs(Act):
    """Jobs by their ids."""

    ids: list[Annotated[str, Field(pattern=JOB_ID)]] = Field(max_length=MOST)


class ActiveFilter(UsedByModel):
    """Selects the jobs that have not ended and pass all of these."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ActiveJobs(Act):
    """The jobs that have not ended and pass a filter, the oldest first."""

    filter: ActiveFilter
    limit: Whole = Field(default=MOST, ge=1, le=MOST)


class EndedJobs(Act):
    """The last jobs that pass a filter, only the newest one of each operation and key."""

    filter: ExactFilter
    limit: Whole = Field(default=MOST, ge=1, le=MOST)


class FailedJobs(FailureFilterModel, Act):
    """A filter of failures, and whether something is done about what passes it."""

    # Times and kinds are texts in JSON.
    model_config = ConfigDict(extra="forbid", strict=False)

    dry_run: bool = Field(default=False, strict=True, description="Only say what would be done.")
    limit: Whole = Field(default=MOST, ge=1, le=MOST)


@router.post("/cancel", dependencies=FOR_BUILDERS, responses=_ABOUT_MANY)
async def cancel_many(
    request: Request, service: ServiceOf, which: TheseJobs | ActiveJobs, asker: AskerOf
) -> OutcomesModel:
    """Cancel many jobs. The answer says of each whether it is cancelled."""
    match which:
        case TheseJobs(ids=ids):
            complete = True
        case ActiveJobs(filter=wanted, limit=limit):
            selection = wanted.selection()
            ids = await service.select_jobs(selection)
            _check_found(ids, selection, "no job that has not ended")
            ids, complete = ids[:limit], len(ids) <= limit
    if which.dry_run:
        return await _would(service, Action.CANCEL, ids, complete)
    reason = reason_for(request, ids, which.reason)
    done = await service.jobs.cancel_many(ids, by=asker, reason=reason)
    outcomes = [OutcomeModel.of_act(job, outcome) for job, outcome in done.items()]
    return OutcomesModel(outcomes=outcomes, complete=complete)


@router.post("/rebuild", dependencies=FOR_BUILDERS, responses=_ABOUT_MANY)
async def rebuild_many(
    request: Request, service: ServiceOf, which: TheseJobs | EndedJobs, asker: AskerOf
) -> OutcomesModel:
    """Rebuild many jobs. The answer says of each whether it is rebuilt."""
    match which:
        case TheseJobs(ids=ids):
            complete = True
        case EndedJobs(filter=wanted, limit=limit):
            ids, complete = await service.newest_matching(wanted.filter(), limit=limit)
            _check_found(ids, wanted.selection(), "no job that passes the filter")
    return await _rebuild(request, service, which, (ids, complete), asker)


@router.post("/failures/rebuild", dependencies=FOR_BUILDERS, responses=_ABOUT_MANY)
async def rebuild_failures(
    request: Request, service: ServiceOf, which: FailedJobs, asker: AskerOf
) -> OutcomesModel:
    """Do the work of failed jobs again, of those whose failure counts still."""
    ids = await service.archive.standing_failures(which.filters(), limit=which.limit + 1)
    _check_found(ids, which.selection(), "no failed job that passes the filter")
    found = ids[: which.limit], len(ids) <= which.limit
    return await _rebuild(request, service, which, found, asker)


def _check_found(ids: list[str], wanted: JobSelection, what: str) -> None:
    """Refuse labels and a path by which nothing is found: they may be misspelt."""
    if wanted and not ids:
        raise problem(404, f"{what} is of a stage with {wanted}")


async def _rebuild(
    request: Request, service: Service, act: Act, found: tuple[list[str], bool], asker: Asker
) -> OutcomesModel:
    ids, complete = found
    if act.dry_run:
        return await _would(service, Action.REBUILD, ids, complete)
    reason = reason_for(request, ids, act.reason)
    done = await service.jobs.rebuild_many(ids, by=asker, reason=reason)
    outcomes = [OutcomeModel.of_rebuild(job, outcome) for job, outcome in done.items()]
    return OutcomesModel(outcomes=outcomes, complete=complete)


async def _would(service: Service, what: Action, ids: list[str], complete: bool) -> OutcomesModel:
    would = await service.jobs.would(what, ids)
    outcomes = [OutcomeModel.of_act(job, outcome) for job, outcome in would.items()]
    return OutcomesModel(outcomes=outcomes, complete=complete)
