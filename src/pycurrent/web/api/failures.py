"""The failures, those with one cause together."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from fastapi import Query
from pydantic import ConfigDict, Field

from pycurrent.service import FailingStage
from pycurrent.store import FailureFilters
from pycurrent.web.api.models import Instant, Model, StageHealthModel, Text, UsedByModel
from pycurrent.web.api.routing import api_router
from pycurrent.web.context import ServiceOf

router = api_router("failures")

FailureKindName: TypeAlias = Literal["real", "infra", "timeout"]


class FailureGroupModel(Model):
    """The failures with one kind and one fingerprint."""

    kind: str = Field(description="real, infra or timeout.")
    fingerprint: str
    form: Text = Field(description="The message without numbers, hashes and paths.")
    count: int
    first: datetime = Field(description="When the first of them that is recorded ended.")
    last: datetime
    newest: str = Field(description="The job of the newest one.")
    message: Text = Field(description="Its message.")
    stages: list[Text] = Field(description="Stages that have used some of the newest ones.")
    muted: Text | None = Field(
        description="By whom the fingerprint is muted, until when and why; null: it is not."
    )


class FailuresModel(Model):
    """Failures by their causes, the group with the newest one first."""

    groups: list[FailureGroupModel]


class FailureFilterModel(UsedByModel, Model):
    """Selects the failures that pass all of these."""

    model_config = ConfigDict(extra="forbid")

    kind: FailureKindName | None = Field(default=None, description="The kind of the failure.")
    fingerprint: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{1,64}$",
        description="The fingerprint, or the beginning of it.",
    )
    since: Instant | None = Field(default=None, description="Failed at this time or later.")

    def filters(self) -> FailureFilters:
        """The filters that were given."""
        filters: FailureFilters = {}
        if self.kind is not None:
            filters["kind"] = self.kind
        if self.fingerprint is not None:
            filters["fingerprint"] = self.fingerprint
        if self.since is not None:
            filters["since"] = self.since
        if self.path is not None:
            filters["path"] = self.path
        if self.label:
            filters["labels"] = self.selection().labels
        return filters


class FailuresQuery(FailureFilterModel):
    """A filter, and how many groups."""

    limit: int = Field(default=100, ge=1, le=1000)


class FailingModel(Model):
    """A stage that fails now."""

    stage: Text = Field(description="Its path.")
    labels: dict[str, Text]
    message: Text | None
    job: str | None
    kind: str = Field(description="real, infra or timeout.")
    fingerprint: str | None = Field(description="Failures with one cause have one.")
    lines: list[Text] = Field(description="The first lines of the log that tell why.")
    line: int | None = Field(description="The number of the first of them in the log, from 1.")
    attempts: int = Field(description="How often its work was tried in a row.")
    behind: int = Field(description="How many stages it blocks, of the first 2,000 behind it.")
    health: StageHealthModel | None

    @classmethod
    def of(cls, failing: FailingStage) -> FailingModel:
        stage, health = failing.stage, failing.health
        return cls(
            stage=stage.path,
            labels=dict(stage.labels),
            message=stage.failure,
            job=stage.job_id,
            kind=failing.kind,
            fingerprint=failing.fingerprint,
            lines=[*failing.lines],
            line=failing.line,
            attempts=failing.attempts,
            behind=failing.behind,
            health=None if health is None else StageHealthModel.of(health),
        )


class FailingNowModel(Model):
    """Stages that fail now, the one that has begun to last first."""

    stages: list[FailingModel]
    complete: bool = Field(description="False if there are more: only so many are looked at.")


class FailingQuery(FailureFilterModel):
    """A filter, and how many stages."""

    limit: int = Field(
        default=100, ge=1, le=300, description="How many stages that fail are looked at."
    )


@router.get("/failing")
async def failing(service: ServiceOf, query: Annotated[FailingQuery, Query()]) -> FailingNowModel:
    """List the stages that fail now, and are not muted: since when, why, and what they block."""
    found = await service.failing(limit=query.limit)
    filters = query.filters()
    return FailingNowModel(
        stages=[FailingModel.of(one) for one in found if one.passes(filters)],
        complete=len(found) < query.limit or service.engine.stats.failed <= query.limit,
    )


@router.get("/failures")
async def failures(service: ServiceOf, query: Annotated[FailuresQuery, Query()]) -> FailuresModel:
    """List the failures, those with one kind and one cause together."""
    groups = await service.archive.failures(query.filters(), limit=query.limit)
    return FailuresModel(groups=[FailureGroupModel.model_validate(group) for group in groups])
