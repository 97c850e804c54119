"""Pauses: things that people have wait."""

from __future__ import annotations

from datetime import datetime

from fastapi import Request
from pydantic import AwareDatetime, ConfigDict, Field

from pycurrent.engine import Pausable, Pause
from pycurrent.service import Service
from pycurrent.web.api.models import Model, Text
from pycurrent.web.api.routing import FOR_ADMINS, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.reasons import ReasonText, reason_for

router = api_router("pauses")


class PauseModel(Model):
    """A pause that is in force."""

    what: str = Field(description="In words: `level average`, `pool builds`, `path web/build`.")
    kind: str = Field(description="`level`, `pool` or `path`.")
    name: str = Field(description="The level, the label of the pool, or the path.")
    by: str | None = Field(description="The user who has paused it, if that is known.")
    at: datetime = Field(description="When it was paused.")
    reason: str | None = Field(description="The reason that was given.")
    until: datetime | None = Field(description="When it ends by itself; null: never.")
    alike: list[Text] = Field(
        description="Of a stage that is not there: the paths of those that look like it."
    )

    @classmethod
    def of(cls, pause: Pause) -> PauseModel:
        return cls(
            what=str(pause.what),
            kind=pause.what.kind.value,
            name=pause.what.name,
            by=pause.by,
            at=pause.at,
            reason=pause.reason,
            until=pause.until,
            alike=[*pause.alike],
        )


class PausesModel(Model):
    """The pauses that are in force, sorted by what is paused."""

    pauses: list[PauseModel]


class PausableModel(Model):
    """A thing to pause or resume: one of the three."""

    model_config = ConfigDict(extra="forbid")

    path: str | None = Field(
        default=None,
        max_length=4000,
        description="Of a stage, or the beginning of one: everything at it and below it.",
    )
    level: str | None = Field(
        default=None, max_length=100, description="All jobs of exactly this level."
    )
    pool: str | None = Field(
        default=None, max_length=1000, description="All jobs of the pool with this label."
    )
    reason: ReasonText = None

    @property
    def what(self) -> Pausable:
        return Pausable.of(self.path, self.level, self.pool)


class NewPause(PausableModel):
    """A thing to pause, and for how long."""

    until: AwareDatetime | None = Field(
        default=None, description="When it ends by itself; null: never."
    )


@router.get("/pauses")
async def pauses(service: ServiceOf) -> PausesModel:
    """List what people have paused."""
    return _all(service)


@router.post("/pauses/pause", dependencies=FOR_ADMINS)
async def pause(request: Request, service: ServiceOf, new: NewPause, asker: AskerOf) -> PausesModel:
    """Have jobs wait that have not begun, in place of an earlier pause of the same."""
    reason = reason_for(request, (), new.reason)
    await service.engine.between_steps()
    service.pauses.pause(new.what, by=asker, reason=reason, until=new.until)
    return _all(service)


@router.post("/pauses/resume", dependencies=FOR_ADMINS)
async def resume(
    request: Request, service: ServiceOf, paused: PausableModel, asker: AskerOf
) -> PausesModel:
    """End a pause: its jobs go on, unless something else is paused for them."""
    reason = reason_for(request, (), paused.reason)
    service.pauses.resume(paused.what, by=asker, reason=reason)
    return _all(service)


def _all(service: Service) -> PausesModel:
    return PausesModel(pauses=[PauseModel.of(pause) for pause in service.pauses.all()])
