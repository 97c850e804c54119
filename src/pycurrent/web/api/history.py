"""The jobs that have ended, and the operations that have results."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

from fastapi import Query
from pydantic import ConfigDict, Field

from pycurrent.cache import CAUSES
from pycurrent.service import HistoryPage
from pycurrent.store import CURSOR, SECONDS, HistoryFilter, JobEnd
from pycurrent.web.api.models import HistoryPageModel, Instant, Model, UsedByModel
from pycurrent.web.api.names import CauseName, FailureKindName, JobEndName
from pycurrent.web.api.routing import api_router
from pycurrent.web.context import ServiceOf

router = api_router("history")

_Words: TypeAlias = Annotated[str, Field(max_length=1000)]


class FilterModel(UsedByModel, Model):
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
    kind: FailureKindName | None = Field(default=None, description="The kind of its failure.")
    cause: CauseName | None = Field(default=None, description="Why it was run.")
    who: _Words | None = Field(default=None, description="The user or token that asked for it.")
    since: Instant | None = Field(default=None, description="It ended at this time or later.")
    until: Instant | None = Field(default=None, description="It ended earlier.")
    longer: float | None = Field(
        default=None, ge=0, le=1e9, description="It ran for more than so many seconds."
    )
    place: _Words | None = Field(
        default=None,
        description="The place that it ran at, or its name without what follows in parentheses.",
    )
    pool: _Words | None = Field(
        default=None,
        description="The pool whose resource it had, if it has run commands or had a place.",
    )

    def filter(self) -> HistoryFilter:
        used_by = self.selection()
        return HistoryFilter(
            op=self.op,
            ok=self.ok,
            ends=frozenset(None if end == "not-ended" else end for end in self.end),
            rebuild=self.rebuild,
            prefix=self.prefix,
            text=self.text,
            path=used_by.path,
            labels=used_by.labels,
            kind=None if self.kind is None else self.kind.value,
            cause=None if self.cause is None else CAUSES[self.cause].__name__,
            by=self.who,
            since=self.since,
            until=self.until,
            longer=None if self.longer is None else timedelta(seconds=self.longer),
            place=self.place,
            pool=self.pool,
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
