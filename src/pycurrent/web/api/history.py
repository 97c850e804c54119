"""The jobs that have ended, and having many of them made again."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

from fastapi import Query, Request
from pydantic import ConfigDict, Field

from pycurrent.cache import CAUSES
from pycurrent.service import HistoryPage
from pycurrent.store import CURSOR, SECONDS, HistoryFilter, JobEnd, LabelFilter
from pycurrent.web.api.models import (
    Condition,
    HistoryPageModel,
    Instant,
    Model,
    OutcomeModel,
    OutcomesModel,
    Whole,
)
from pycurrent.web.api.names import CauseName, FailureKindName, JobEndName
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
    end: list[JobEndName | Literal["not-ended"]] = Field(
        default=[], max_length=len(JobEnd) + 1, description="How it ended: in one of these ways."
    )
    rebuild: bool | None = Field(
        default=None, description="Whether somebody has asked for a rebuild."
    )
    prefix: _Words | None = Field(default=None, description="How the id begins: 2026-11-22.")
    text: _Words | None = Field(default=None, description="In its key, value or result.")
    path: _Words | None = Field(
        default=None, description="The path of a stage that has used it, or a glob: web/*."
    )
    label: list[Condition] = Field(
        default=[],
        max_length=20,
        description="Conditions on labels of a stage that has used it, which all hold: repo=web,"
        " branch!=main, ref=release-*.",
    )
    kind: FailureKindName | None = Field(default=None, description="The kind of its failure.")
    cause: CauseName | None = Field(default=None, description="Why it was run.")
    who: _Words | None = Field(default=None, description="The user or token that asked for it.")
    since: Instant | None = Field(default=None, description="It ended at this time or later.")
    until: Instant | None = Field(default=None, description="It ended earlier.")
    longer: float | None = Field(
        default=None, ge=0, le=1e9, description="It ran for more than so many seconds."
    )

    def filter(self) -> HistoryFilter:
        return HistoryFilter(
            op=self.op,
            ok=self.ok,
            ends=frozenset(None if end == "not-ended" else end for end in self.end),
            rebuild=self.rebuild,
            prefix=self.prefix,
            text=self.text,
            path=self.path,
            labels=tuple([LabelFilter.parse(label) for label in self.label]),
            kind=None if self.kind is None else self.kind.value,
            cause=None if self.cause is None else CAUSES[self.cause].__name__,
            by=self.who,
            since=self.since,
            until=self.until,
            longer=None if self.longer is None else timedelta(seconds=self.longer),
        )


class ExactFilter(FilterModel):
    """A filter in JSON, where a number does not count as true or false."""

    model_config = ConfigDict(strict=True)


class PageQuery(FilterModel):
    """A filter, and where to go on."""

    before: Annotated[str, Field(pattern=f"^{CURSOR}$")] | None = Field(
        default=None, description="The `next` of a page, to get the one that follows."
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
    """List the jobs that have ended, the last first. A search stops after some 30 ms, and says so:
    the next page goes on from there.
    """
    return await service.archive.page(
        query.filter(), limit=query.limit, before=query.before, seconds=SECONDS
    )


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
