"""Whether the engine lives, and does its work: for whatever restarts it, or sends it traffic."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from pycurrent.service import Health
from pycurrent.web.context import ServiceOf
from pycurrent.web.problems import may_answer, problem

# For everybody: it says nothing that a connection would not, and who asks has no token.
router = APIRouter(tags=["health"], responses=may_answer(400))


class HealthModel(BaseModel):
    """All is well with the engine, whatever the pipeline does."""

    status: Literal["ok"] = "ok"


@router.get("/healthz")
async def healthz() -> HealthModel:
    """Whether the process answers."""
    return HealthModel()


@router.get("/readyz", responses=may_answer(503))
async def readyz(service: ServiceOf) -> HealthModel:
    """Whether the engine has taken its first step, and goes on."""
    if service.health is not Health.READY:
        raise problem(503, f"the engine is {service.health.value}")
    return HealthModel()
