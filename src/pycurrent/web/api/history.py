"""The jobs that have ended, and having many of them made again."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Query, Request
from pydantic import ConfigDict, Field

from pycurrent.service import HistoryFilter, HistoryPage
from pycurrent.store import JobEnd
from pycurrent.web.api.models import HistoryPageModel, Model, OutcomeModel, OutcomesModel, Whole
from pycurrent.web.api.names import JobEndName
from pycurrent.web.api.routing import FOR_BUILDERS, JOB_ID, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.reasons import ReasonText, reason_for

router = api_router("history")

MOST = 1000
"""How many jobs can be made again at once."""

_Words: TypeAlias = Annotated[str, Field(max_length=1000)]


class FilterModel(Model):
    """Selects the jobs that pass all of these."""

    model_config = ConfigDict(extra="forbid")

    op: _Words | None = Field(default=None, description="The operation's id.")
    ok: bool | None = Field(default=None, description="Whether it succeeded.")
    end: list[JobEndName] = Field(
        default=[], max_length=len(JobEnd), description="How it ended: in one of these ways."
    )
    rebuild: bool | None = Field(
        default=None, description="Whether somebody has asked for a rebuild."
    )
    prefix: _Words | None = Field(default=None, description="How the id begins: 2026-11-22.")
    text: _Words | None = Field(default=None, description="In its key, value or result.")

    def filter(self) -> HistoryFilter:
        return HistoryFilter(
            op=self.op,
            ok=self.ok,
            ends=frozenset(self.end),
            rebuild=self.rebuild,
            prefix=self.prefix,
            text=self.text,
        )


class ExactFilter(FilterModel):
    """A filter in JSON, where a number does not count as true or false."""

    model_config = ConfigDict(strict=True)


class PageQuery(FilterModel):
    """A filter, and where to go on."""

    before: Annotated[str, Field(pattern=JOB_ID)] | None = Field(
        default=None, description="Only jobs that were created before this one."
    )
    limit: int = Field(default=100, ge=1, le=1000)


class TheseJobs(Model):
    """Jobs by their ids."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ids: list[Annotated[str, Field(pattern=JOB_ID)]] = Field(max_length=MOST)
    reason: ReasonText = None


class MatchingJobs(Model):
    """The last jobs that pass a filter, only the newest one of each operation and key."""

    model_config = ConfigDict(extra="forbid", strict=True)

    filter: ExactFilter
    limit: Whole = Field(default=MOST, ge=1, le=MOST)
    reason: ReasonText = None


class OperationsModel(Model):
    """The ids of the operations that have results."""

    ops: list[str]


@router.get("/history", response_model=HistoryPageModel)
async def history(service: ServiceOf, query: Annotated[PageQuery, Query()]) -> HistoryPage:
    """The jobs that have ended, the newest first."""
    return await service.archive.page(query.filter(), limit=query.limit, before=query.before)


@router.get("/ops")
async def ops(service: ServiceOf) -> OperationsModel:
    """List the operations that have results."""
    return OperationsModel(ops=await service.archive.operations())


@router.post("/rebuild", dependencies=FOR_BUILDERS)
async def rebuild_many(
    request: Request, service: ServiceOf, which: TheseJobs | MatchingJobs, asker: AskerOf
) -> OutcomesModel:
    """Rebuild many jobs. The answer says of each whether it is rebuilt."""
    match which:
        case TheseJobs(ids=ids):
            complete = True
        case MatchingJobs(filter=wanted, limit=limit):
            ids, complete = await service.newest_matching(wanted.filter(), limit=limit)
    reason = reason_for(request, ids, which.reason)
    outcomes = await service.jobs.rebuild_many(ids, by=asker, reason=reason)
    models = [OutcomeModel.of_rebuild(job, outcome) for job, outcome in outcomes.items()]
    return OutcomesModel(outcomes=models, complete=complete)
