"""The triggers that people fire."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from fastapi import Request
from pydantic import ConfigDict, Field

from pycurrent.cache import TriggerState
from pycurrent.store import FiringRecord
from pycurrent.web.api.models import Model
from pycurrent.web.api.routing import FOR_BUILDERS, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.problems import may_answer
from pycurrent.web.reasons import ReasonText, reason_for

router = api_router("triggers")


class FieldModel(Model):
    """A parameter of a trigger."""

    name: str
    type: str = Field(description="Its type, as the pipeline's author has written it.")
    default: str | None = Field(description="As people type it; null if it has to be given.")
    choices: list[str] = Field(description="The values that there are; empty if there are many.")


class FiringModel(Model):
    """A firing."""

    id: int
    # Of whatever types the author has given the fields.
    params: Any = Field(description="The parameters, by name.")
    by: str | None = Field(description="The user who has fired it, if that is known.")
    at: datetime
    reason: str | None = Field(description="The reason that was given.")
    done: datetime | None = Field(description="When its stages were final; null: not yet.")

    @classmethod
    def of(cls, record: FiringRecord) -> FiringModel:
        return cls(
            id=record.id,
            params=json.loads(record.params),
            by=record.by,
            at=record.at,
            reason=record.reason,
            done=record.done,
        )


class TriggerModel(Model):
    """A trigger that the pipeline uses."""

    name: str
    fields: list[FieldModel] = Field(description="Its parameters.")
    newest: FiringModel | None = Field(description="The newest firing.")
    pending: list[FiringModel] = Field(description="The firings that are not done.")
    failure: str | None = Field(description="Why it can't be fired; null if it can.")

    @classmethod
    def of(cls, state: TriggerState) -> TriggerModel:
        return cls(
            name=state.name,
            fields=[FieldModel.model_validate(field) for field in state.fields],
            newest=None if state.newest is None else FiringModel.of(state.newest),
            pending=[FiringModel.of(record) for record in state.pending],
            failure=state.failure,
        )


class TriggersModel(Model):
    """The triggers that the pipeline uses, by name."""

    triggers: list[TriggerModel]


class NewFiring(Model):
    """A trigger to fire."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(max_length=1000)
    params: dict[str, Any] = Field(default_factory=dict, description="The parameters, by name.")
    as_typed: bool = Field(
        default=False,
        description="Texts in `params` are as a person types them: a word, a number, or JSON.",
    )
    reason: ReasonText = None


class FiredModel(Model):
    """The firing that was made."""

    id: int = Field(description="The number of the firing.")


@router.get("/triggers")
async def triggers(service: ServiceOf) -> TriggersModel:
    """List the triggers that people can fire, with their parameters and firings."""
    return TriggersModel(triggers=[TriggerModel.of(state) for state in service.triggers.all()])


@router.post("/triggers/fire", dependencies=FOR_BUILDERS, responses=may_answer(404))
async def fire(request: Request, service: ServiceOf, new: NewFiring, asker: AskerOf) -> FiredModel:
    """Fire a trigger: start what it starts, with these parameters."""
    reason = reason_for(request, (), new.reason)
    if new.as_typed:
        typed = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in new.params.items()
        }
        return FiredModel(id=service.triggers.fire_typed(new.name, typed, by=asker, reason=reason))
    params = json.dumps(new.params)
    return FiredModel(id=service.triggers.fire_json(new.name, params, by=asker, reason=reason))
