"""Why a stage is as it is, and why a job was run."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from msgspec import to_builtins
from pydantic import Field

from pycurrent.service import UnknownSubject
from pycurrent.web.api.models import Model, StageHealthModel
from pycurrent.web.api.routing import api_router
from pycurrent.web.context import ServiceOf
from pycurrent.web.problems import may_answer, problem

router = api_router("why")


class WhyModel(Model):
    """Why a stage is as it is, or why a job was run."""

    stage: str | None = Field(description="The path of the stage; null for a job.")
    job: str | None = Field(description="The job that makes or has made the result.")
    state: str = Field(description="The state of the stage, or how the job ended.")
    text: list[str] = Field(description="The same for people, in lines.")
    reasons: list[dict[str, Any]] = Field(
        description="Each with its `type` (ran, reused, running, waits in queue, blocked ...) and"
        " what belongs to it."
    )
    health: StageHealthModel | None = Field(
        description="Since when the stage has been failing or well; null for a job."
    )


@router.get("/why", responses=may_answer(404))
async def why(
    service: ServiceOf,
    of: Annotated[
        str, Query(max_length=4000, description="The path of a stage, or the id of a job.")
    ],
) -> WhyModel:
    """Say why a stage is as it is (what it waits for, too), or why a job was run."""
    try:
        found = await service.why(of)
    except UnknownSubject as error:
        raise problem(404, str(error)) from None
    return WhyModel(
        stage=found.stage,
        job=found.job,
        state=found.state,
        text=str(found).splitlines(),
        reasons=to_builtins(found.reasons),
        health=None if found.health is None else StageHealthModel.of(found.health),
    )
