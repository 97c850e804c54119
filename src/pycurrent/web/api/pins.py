"""Pins: stages that are inputs, held at values that they have had."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query, Request
from pydantic import AwareDatetime, ConfigDict, Field

from pycurrent.service import Pin, RecordedValue, Service
from pycurrent.web.api.models import Model, Text
from pycurrent.web.api.routing import FOR_BUILDERS, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.problems import may_answer
from pycurrent.web.reasons import ReasonText, reason_for

router = api_router("pins")

_LONGEST = 4000
"""The characters of a path, and of a text that names a value."""


class PinModel(Model):
    """A stage that is held at a value."""

    path: Text = Field(
        description="Its present path, or that at which it was pinned while there is no such stage."
    )
    value: Text = Field(description="The value, as people read it, shortened.")
    by: Text | None = Field(description="The user who has pinned it, if that is known.")
    at: datetime
    reason: Text | None
    until: datetime | None = Field(description="When it ends by itself; null: never.")
    job: str | None = Field(description="The job whose result the value is.")
    in_force: bool = Field(description="False while there is no such stage.")
    alike: list[Text] = Field(
        description="The paths of the stages that look like it, while there is no such stage."
    )

    @classmethod
    def of(cls, pin: Pin) -> PinModel:
        return cls(
            path=pin.path,
            value=pin.value,
            by=pin.by,
            at=pin.at,
            reason=pin.reason,
            until=pin.until,
            job=pin.job,
            in_force=pin.output is not None,
            alike=[*pin.alike],
        )


class PinsModel(Model):
    """All pins, by path."""

    pins: list[PinModel]


class ValueModel(Model):
    """A value at which a stage can be held."""

    value: Text = Field(description="The value, as people read it, shortened.")
    at: datetime | None = Field(description="When it came.")
    change: int | None = Field(description="The number of the change by which it came.")
    job: str | None = Field(description="The job whose result it is.")

    @classmethod
    def of(cls, value: RecordedValue) -> ValueModel:
        return cls(value=value.shown, at=value.at, change=value.change, job=value.job)


class ValuesModel(Model):
    """The values at which a stage can be held, the newest first."""

    values: list[ValueModel]


class NewPin(Model):
    """Holds a stage at a value: that of `to`, `change` or `job`, or else the present one."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(max_length=_LONGEST)
    to: str | None = Field(
        default=None,
        max_length=_LONGEST,
        description="A text that names the value: the one that is shown, JSON, or the beginning of"
        " a text in it, such as a commit's hash.",
    )
    change: int | None = Field(default=None, description="The change by which the value came.")
    job: str | None = Field(
        default=None, max_length=_LONGEST, description="The job that has made the value."
    )
    until: AwareDatetime | None = Field(default=None, description="When it ends by itself.")
    reason: ReasonText = None


class PinToEnd(Model):
    """Ends a pin."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(max_length=_LONGEST)
    reason: ReasonText = None


@router.get("/pins")
async def pins(service: ServiceOf) -> PinsModel:
    """List the stages that are pinned."""
    return _all(service)


@router.get("/pins/values", responses=may_answer(404))
async def values(
    service: ServiceOf,
    path: Annotated[str, Query(max_length=_LONGEST, description="The path of a stage.")],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ValuesModel:
    """List the values at which a stage can be held."""
    await service.engine.between_steps()
    found = service.pins.values(path, limit=limit)
    return ValuesModel(values=[ValueModel.of(value) for value in found])


@router.post("/pins/set", dependencies=FOR_BUILDERS, responses=may_answer(404))
async def pin(request: Request, service: ServiceOf, new: NewPin, asker: AskerOf) -> PinsModel:
    """Hold a stage that is an input at a value, from the next step on."""
    reason = reason_for(request, (), new.reason)
    await service.engine.between_steps()
    service.pins.pin(
        new.path,
        to=... if new.to is None else new.to,
        change=new.change,
        job=new.job,
        by=asker,
        reason=reason,
        until=new.until,
    )
    return _all(service)


@router.post("/pins/remove", dependencies=FOR_BUILDERS, responses=may_answer(404))
async def unpin(request: Request, service: ServiceOf, pin: PinToEnd, asker: AskerOf) -> PinsModel:
    """End a pin: the stage has the newest value of its input from the next step on."""
    reason = reason_for(request, (), pin.reason)
    service.pins.unpin(pin.path, by=asker, reason=reason)
    return _all(service)


def _all(service: Service) -> PinsModel:
    return PinsModel(pins=[PinModel.of(pin) for pin in service.pins.all()])
