"""The base of all models: how values are read, and written as JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict

from pycurrent.web.sendable import sendable


def _sendable(value: Any) -> Any:
    return sendable(value) if isinstance(value, str) else value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole: TypeAlias = Annotated[int, BeforeValidator(_whole)]
"""An integer as JSON has it: 5.0 is one, where nothing else is taken for another type."""
Text: TypeAlias = Annotated[str, BeforeValidator(_sendable)]
Seconds: TypeAlias = timedelta


class Model(BaseModel):
    """Is read from the attributes of a dataclass."""

    model_config = ConfigDict(
        from_attributes=True,
        frozen=True,
        ser_json_timedelta="float",
        json_schema_serialization_defaults_required=True,
    )
