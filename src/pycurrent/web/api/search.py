"""A search in all that people look for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field

from pycurrent.store import ChangeKind
from pycurrent.web.api.models import JobModel, Model, Text
from pycurrent.web.api.models.jobs import EntryModel
from pycurrent.web.api.names import StateName
from pycurrent.web.api.routing import api_router
from pycurrent.web.context import ServiceOf

router = api_router("search")


class StageMatchModel(Model):
    """A stage with the text in its path, its box, or a label."""

    path: Text
    label: Text
    labels: dict[str, Text]
    state: StateName


class LabelMatchModel(Model):
    """A label with the text in its value: a branch, a commit."""

    name: Text
    value: Text


class FailureMatchModel(Model):
    """A failed job with the text in its message, or in the lines of its log that tell why."""

    job: str
    message: Text
    at: datetime


class ChangeMatchModel(Model):
    """A change from outside with the text in its line, its parts or its author."""

    id: int
    at: datetime
    kind: ChangeKind
    by: Text | None
    summary: Text


class MatchesModel(Model):
    """All that holds the text: of each kind at most as many as were asked for."""

    items: list[Text] = Field(description="The paths of items: a name with stages below it.")
    stages: list[StageMatchModel]
    active: list[JobModel] = Field(description="Jobs that have not ended.")
    labels: list[LabelMatchModel]
    jobs: list[EntryModel] = Field(description="By their id, key, value or result.")
    failures: list[FailureMatchModel]
    changes: list[ChangeMatchModel]


@router.get("/search")
async def search(
    service: ServiceOf,
    q: Annotated[str, Query(min_length=2, max_length=200, description="The text to look for.")],
    limit: Annotated[int, Query(ge=1, le=100, description="How many of each at most.")] = 10,
) -> MatchesModel:
    """Find a text, in any case, in items, stages, labels, jobs, failures and changes."""
    found = await service.search(q, limit=limit)
    recorded = found.recorded
    return MatchesModel(
        items=list(found.items),
        stages=[StageMatchModel.model_validate(one) for one in found.stages],
        active=[JobModel.model_validate(one) for one in found.active],
        labels=[LabelMatchModel(name=name, value=value) for name, value in recorded.labels],
        jobs=[EntryModel.model_validate(one) for one in recorded.jobs],
        failures=[FailureMatchModel.model_validate(one) for one in recorded.failures],
        changes=[ChangeMatchModel.model_validate(one) for one in recorded.changes],
    )
