"""Health checks for programs that restart the engine or send it traffic."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from pycurrent.service import Health
from pycurrent.web.context import ServiceOf
from pycurrent.web.problems import may_answer, problem

# For everybody: it says nothing that a connection would not, and who asks has no token.
router = APIRouter(tags=["health"], responses=may_answer(400))


class HealthModel(BaseModel):
    """The engine works, whatever the pipeline does."""

    status: Literal["ok"] = "ok"
    problems: list[str] = Field(
        default=[], description="Other problems that people should know of; left out if empty."
    )


@router.get("/healthz", response_model_exclude_unset=True)
async def healthz() -> HealthModel:
    """Answer as long as the process lives."""
    return HealthModel(status="ok")


@router.get("/readyz", responses=may_answer(503), response_model_exclude_unset=True)
async def readyz(service: ServiceOf) -> HealthModel:
    """Succeed once the engine has taken its first step, while it can begin new work."""
    health = service.health
    problems = [problem.brief for problem in service.problems]
    if health is Health.HELD:
        raise problem(503, f"the engine begins nothing new: {'; '.join(problems)}")
    if health is not Health.READY:
        raise problem(503, f"the engine is {health.value}")
    return HealthModel(status="ok", problems=problems) if problems else HealthModel(status="ok")
