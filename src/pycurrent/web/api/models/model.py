"""The base of all models: how values are read, and written as JSON."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeAlias

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from pycurrent.errors import UsageError
from pycurrent.service import JobSelection
from pycurrent.store import CONDITION, LabelFilter
from pycurrent.web.sendable import sendable

_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII
)


def _sendable(value: Any) -> Any:
    return sendable(value) if isinstance(value, str) else value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _instant(value: Any) -> Any:
    is_time = _DATE_TIME.fullmatch(value) if isinstance(value, str) else value is None
    if not is_time and not isinstance(value, datetime):
        raise ValueError("expected a time such as 2026-11-22T08:47:03Z")
    # Where a model is strict, only a datetime will do.
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _condition(value: Any) -> Any:
    if isinstance(value, str):
        try:
            LabelFilter.parse(value)
        except UsageError as error:
            raise ValueError(str(error)) from None
    return value


Whole: TypeAlias = Annotated[int, BeforeValidator(_whole)]
"""An integer as JSON has it: 5.0 is one, where nothing else is taken for another type."""
Instant: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_instant)]
"""A time as RFC 3339 has it: no bare number is taken for the seconds since 1970."""
Text: TypeAlias = Annotated[str, BeforeValidator(_sendable)]
Seconds: TypeAlias = timedelta
Condition: TypeAlias = Annotated[
    str,
    BeforeValidator(_condition),
    Field(json_schema_extra={"pattern": f"^{CONDITION}"}, max_length=1000),
]
"""On a label: repo=web."""


class Model(BaseModel):
    """Is read from the attributes of a dataclass."""

    model_config = ConfigDict(
        from_attributes=True,
        frozen=True,
        ser_json_timedelta="float",
        json_schema_serialization_defaults_required=True,
    )


class UsedByModel(BaseModel):
    """Selects jobs by a stage that uses them, or has used them."""

    path: str | None = Field(
        default=None,
        max_length=1000,
        description="The path of a stage that has used it, or a glob: web/*.",
    )
    label: list[Condition] = Field(
        default=[],
        max_length=20,
        description="Conditions on labels of a stage that has used it, which all hold: repo=web,"
        " branch!=main, ref=release-*.",
    )

    def selection(self) -> JobSelection:
        return JobSelection(self.path, tuple([LabelFilter.parse(label) for label in self.label]))
