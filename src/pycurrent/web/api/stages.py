"""The stages of the pipeline, found by their paths and labels."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal, Self

from fastapi import Query
from pydantic import ConfigDict, Field

from pycurrent.service import StageHealth, paces_of
from pycurrent.store import LabelFilter
from pycurrent.web.api.models import Condition, Model, StageHealthModel, Text
from pycurrent.web.api.models.model import Seconds
from pycurrent.web.api.names import ActivityName, StateName
from pycurrent.web.api.routing import api_router
from pycurrent.web.context import ServiceOf

router = api_router("stages")

_MOST_PACES = 50
"""How many stages are asked about at once: their paths are in an address, of which the server takes
64 KiB."""


class FoundStageModel(Model):
    """A stage, as it is now."""

    path: Text = Field(description="Its name, the same from run to run: web/test.")
    label: Text = Field(description="The text of its box, with the values that are known.")
    labels: dict[str, Text]
    state: StateName
    update: ActivityName | None = Field(
        description="The activity that will replace the result that is still reported."
    )
    job_id: str | None
    failure: Text | None
    note: Text | None = Field(description="A note for people: that it is pinned, or why it waits.")
    muted: bool = Field(
        validation_alias="is_excused",
        description="Its failure is muted, or else that because of which it is blocked.",
    )
    final: bool = Field(
        validation_alias="is_final",
        description="It has succeeded or failed, or something else has failed that it needs; and"
        " nothing is at work to change that.",
    )
    health: StageHealthModel | None = Field(
        default=None, description="Its health, if that was asked for and a run of it has ended."
    )

    def with_health(self, health: StageHealth | None) -> Self:
        """The same stage with its health."""
        found = None if health is None else StageHealthModel.of(health)
        return self.model_copy(update={"health": found})


class StagesModel(Model):
    """The stages that were asked for."""

    stages: list[FoundStageModel]
    complete: bool = Field(description="False: there are more.")


class PaceModel(Model):
    """How long the last run of a stage took."""

    job_id: str
    took: Seconds = Field(description="Seconds that its work took.")
    usual: Seconds | None = Field(
        description="The median of the last good runs before; null if there are fewer than 3."
    )
    trend: Literal["slower", "faster", "usual"] | None = Field(
        description="Whether it took notably longer or less than usual."
    )


class PacesModel(Model):
    """The paces of stages by their paths."""

    paces: dict[str, PaceModel]


class StagesQuery(Model):
    """Selects the stages to which all of these apply."""

    model_config = ConfigDict(extra="forbid")

    path: str | None = Field(default=None, max_length=1000, description="The path, or a glob.")
    label: list[Condition] = Field(
        default=[], max_length=20, description="Conditions on labels: repo=web, branch!=main."
    )
    health: bool = Field(default=False, description="Give the health of each stage, too.")
    limit: int = Field(default=1000, ge=1, le=10_000)


@router.get("/stages")
async def stages(service: ServiceOf, query: Annotated[StagesQuery, Query()]) -> StagesModel:
    """List the stages that are needed now, by path and labels."""
    conditions = [LabelFilter.parse(label) for label in query.label]
    found = [*islice(service.stages_with(query.path, conditions), query.limit + 1)]
    models = [FoundStageModel.model_validate(stage) for stage in found[: query.limit]]
    if query.health:
        healths = await service.healths([stage.path for stage in models])
        models = [model.with_health(healths.get(model.path)) for model in models]
    return StagesModel(stages=models, complete=len(found) <= query.limit)


@router.get("/paces")
async def paces(
    service: ServiceOf,
    path: Annotated[
        list[Annotated[str, Query(max_length=1000)]],
        Query(description="The path of a stage.", min_length=1, max_length=_MOST_PACES),
    ],
) -> PacesModel:
    """Tell how long the last runs of stages took, and how long they usually take.

    A stage whose last run has not ended, or of which none is recorded, is left out.
    """
    found = await service.archive.read(lambda records: paces_of(records, path))
    return PacesModel(
        paces={
            path: PaceModel(
                job_id=pace.job_id,
                took=pace.took,
                usual=pace.usual,
                trend=None if pace.trend is None else pace.trend.value,
            )
            for path, pace in found.items()
        }
    )
