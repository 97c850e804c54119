"""The confirmation level."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from pydantic import ConfigDict, Field

from pycurrent.engine import Level
from pycurrent.service import Service
from pycurrent.web.api.models import ConfirmationModel, Model
from pycurrent.web.api.names import LevelName
from pycurrent.web.api.routing import FOR_ADMINS, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.reasons import ReasonText, reason_for

router = api_router("confirmation")

_MOST = 1000


class NewLevel(Model):
    """A level to set."""

    model_config = ConfigDict(extra="forbid", strict=True)

    level: LevelName | None = Field(
        description="Jobs at this level, or above, wait; null: none do."
    )
    reason: ReasonText = None


@router.get("/confirm")
async def confirmation(
    service: ServiceOf,
    limit: Annotated[
        int, Query(ge=0, le=_MOST, description="How many waiting jobs to list at most.")
    ] = _MOST,
) -> ConfirmationModel:
    """From which level on jobs wait for confirmation, and which ones have waited longest."""
    return _now(service, limit)


@router.put("/confirm", dependencies=FOR_ADMINS)
async def set_confirmation(
    request: Request, service: ServiceOf, new: NewLevel, asker: AskerOf
) -> ConfirmationModel:
    """Change the level. Jobs that are below it go on at once."""
    service.confirmation.set(new.level, by=asker, reason=reason_for(request, (), new.reason))
    return _now(service, _MOST)


def _now(service: Service, limit: int) -> ConfirmationModel:
    now = service.confirmation.show(limit)
    starts = {level: now.would_start(level) for level in (*Level, None)}
    return ConfirmationModel.of(now, starts)
