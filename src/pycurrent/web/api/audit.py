"""The audit: who has asked for what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict, Field

from pycurrent.store import AuditFilters
from pycurrent.web.api.models import Instant, Model
from pycurrent.web.api.routing import FOR_ADMINS, api_router
from pycurrent.web.context import ServiceOf

router = api_router("audit")


class ActModel(Model):
    """An act that somebody has asked for."""

    id: int = Field(description="Its number, from 1 on.")
    at: datetime
    who: str
    role: str | None = Field(description="The asker's role, if it is known.")
    via: str = Field(description="The way: dashboard, api, command line, or code.")
    what: str = Field(description="The act: cancel, approve, rebuild, set level ...")
    subject: str = Field(description="The job, rule, user or token that it was done to.")
    before: str | None = Field(description="The change: from this, to `after`.")
    after: str | None
    reason: str | None = Field(description="Why, as the asker put it.")
    refused: str | None = Field(description="Why it was not done; null if it was.")
    hash: str = Field(description="The hash of the chain up to it.")


class AuditModel(Model):
    """Some of the acts, the newest first."""

    acts: list[ActModel]
    next: int | None = Field(description="The value of `before` for the next page.")


class AuditQuery(Model):
    """Selects the acts to which all of these apply."""

    model_config = ConfigDict(extra="forbid")

    who: str | None = Field(default=None, max_length=1000)
    what: str | None = Field(default=None, max_length=100)
    subject: str | None = Field(default=None, max_length=2000)
    since: Instant | None = Field(default=None, description="At this time or later.")
    until: Instant | None = Field(default=None, description="Earlier than this time.")
    before: int | None = Field(default=None, ge=1, description="Before the act with this number.")
    limit: int = Field(default=100, ge=1, le=1000)


@router.get("/audit", dependencies=FOR_ADMINS)
async def audit(service: ServiceOf, query: Annotated[AuditQuery, Query()]) -> AuditModel:
    """List what people and programs have asked for, and what they were refused."""
    filters: AuditFilters = query.model_dump(exclude_none=True)  # type: ignore[assignment]
    filters["limit"] = query.limit + 1
    rows = service.engine.audit.rows(**filters)
    acts = [ActModel.model_validate(row) for row in rows[: query.limit]]
    return AuditModel(acts=acts, next=acts[-1].id if len(rows) > query.limit else None)
