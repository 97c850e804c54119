"""The failures, those with one cause together, and having their jobs done again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from fastapi import Query, Request
from pydantic import ConfigDict, Field

from pycurrent.service import Service
from pycurrent.store import FailureFilters
from pycurrent.web.api.models import Instant, Model, OutcomeModel, OutcomesModel, Text, Whole
from pycurrent.web.api.routing import FOR_BUILDERS, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.reasons import ReasonText, reason_for

router = api_router("failures")

MOST = 1000
"""How many jobs can be made again at once."""

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


class FailuresModel(Model):
    """Failures by their causes, the group with the newest one first."""

    groups: list[FailureGroupModel]


class FailureFilterModel(Model):
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
        return filters


class FailuresQuery(FailureFilterModel):
    """A filter, and how many groups."""

    limit: int = Field(default=100, ge=1, le=MOST)


class FailuresToRebuild(FailureFilterModel):
    """A filter, and whether something is done about what passes it."""

    dry_run: bool = Field(
        default=False, strict=True, description="Only list the jobs that would be done again."
    )
    limit: Whole = Field(default=MOST, ge=1, le=MOST)
    reason: ReasonText = None


@router.get("/failures")
async def failures(service: ServiceOf, query: Annotated[FailuresQuery, Query()]) -> FailuresModel:
    """List the failures, those with one kind and one cause together."""
    groups = await service.archive.failures(query.filters(), limit=query.limit)
    return FailuresModel(groups=[FailureGroupModel.model_validate(group) for group in groups])


@router.post("/failures/rebuild", dependencies=FOR_BUILDERS)
async def rebuild_failures(
    request: Request, service: ServiceOf, which: FailuresToRebuild, asker: AskerOf
) -> OutcomesModel:
    """Do the work of failed jobs again, of those whose failure counts still."""
    ids, complete = await _matching(service, which)
    if which.dry_run:
        outcomes = [OutcomeModel(job=job_id, outcome="would-be-done") for job_id in ids]
        return OutcomesModel(outcomes=outcomes, complete=complete)
    reason = reason_for(request, ids, which.reason)
    done = await service.jobs.rebuild_many(ids, by=asker, reason=reason)
    models = [OutcomeModel.of_rebuild(job, outcome) for job, outcome in done.items()]
    return OutcomesModel(outcomes=models, complete=complete)


async def _matching(service: Service, which: FailuresToRebuild) -> tuple[list[str], bool]:
    ids = await service.archive.standing_failures(which.filters(), limit=which.limit + 1)
    return ids[: which.limit], len(ids) <= which.limit
