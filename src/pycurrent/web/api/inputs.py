"""The inputs that people set."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from fastapi import Request
from pydantic import ConfigDict, Field

from pycurrent.cache import InputState
from pycurrent.service import Service
from pycurrent.web.api.models import Model
from pycurrent.web.api.routing import FOR_BUILDERS, api_router
from pycurrent.web.context import AskerOf, ServiceOf
from pycurrent.web.problems import may_answer
from pycurrent.web.reasons import ReasonText, reason_for

router = api_router("inputs")


class InputModel(Model):
    """An input that the pipeline uses."""

    name: str
    type: str = Field(description="Its type, as the pipeline's author has written it.")
    # Of whatever type the author has given the input.
    value: Any = Field(description="Its value: that which was set, or the default.")
    is_set: bool = Field(description="False if it has its default.")
    by: str | None = Field(description="The user who has set it, if that is known.")
    at: datetime | None = Field(description="When it was set.")
    reason: str | None = Field(description="The reason that was given.")
    failure: str | None = Field(description="Why it has no value; null if it has one.")

    @classmethod
    def of(cls, state: InputState) -> InputModel:
        return cls(
            name=state.name,
            type=state.type,
            value=json.loads(state.value),
            is_set=state.is_set,
            by=state.by,
            at=state.at,
            reason=state.reason,
            failure=state.failure,
        )


class InputsModel(Model):
    """The inputs that the pipeline uses, by name."""

    inputs: list[InputModel]


class NewInputValue(Model):
    """A value to set."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(max_length=1000)
    value: Any = Field(description="Of the type of the input, as JSON.")
    as_typed: bool = Field(
        default=False,
        description="The value is a text as a person types it: a word, a number, or JSON.",
    )
    reason: ReasonText = None


@router.get("/inputs")
async def inputs(service: ServiceOf) -> InputsModel:
    """List the inputs that people can set."""
    return _all(service)


@router.post("/inputs/set", dependencies=FOR_BUILDERS, responses=may_answer(404))
async def set_input(
    request: Request, service: ServiceOf, new: NewInputValue, asker: AskerOf
) -> InputsModel:
    """Set an input, from the next step on, until it is set again."""
    reason = reason_for(request, (), new.reason)
    if new.as_typed and isinstance(new.value, str):
        service.inputs.set_text(new.name, new.value, by=asker, reason=reason)
    else:
        service.inputs.set_json(new.name, json.dumps(new.value), by=asker, reason=reason)
    return _all(service)


def _all(service: Service) -> InputsModel:
    return InputsModel(inputs=[InputModel.of(state) for state in service.inputs.all()])
