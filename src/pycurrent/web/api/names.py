"""Enums by their names: `State.WAITING_FOR_CONFIRMATION` is `"waiting-for-confirmation"`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from pycurrent.cache import CAUSES
from pycurrent.engine import Effect, JobState, Level
from pycurrent.service import Action, HealthState
from pycurrent.store import JobEnd
from pycurrent.term import Activity, FailureKind, Hold, State
from pycurrent.term.diagram import EdgeKind, GroupKind, NodeKind


# Typed: members of two enums of numbers may be equal.
@lru_cache(maxsize=None, typed=True)
def name_of(member: Enum) -> str:
    """The name of a member in the API."""
    return member.name.lower().replace("_", "-")


class ByName:
    """Reads and writes the members of an enum by their names."""

    def __init__(self, *, without: tuple[Enum, ...] = ()) -> None:
        """`without` are members that never occur."""
        self._without = without

    def __get_pydantic_core_schema__(
        self, source: type[Enum], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        names = {name_of(member): member for member in source if member not in self._without}
        from_name = core_schema.no_info_after_validator_function(
            names.__getitem__, core_schema.literal_schema(list(names))
        )
        return core_schema.json_or_python_schema(
            json_schema=from_name,
            python_schema=core_schema.union_schema(
                [core_schema.is_instance_schema(source), from_name]
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(
                name_of, return_schema=core_schema.literal_schema(list(names))
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found: Mapping[str, Any] = schema
        return handler(found["json_schema"])


StateName: TypeAlias = Annotated[State, ByName()]
ActivityName: TypeAlias = Annotated[Activity, ByName()]
HoldName: TypeAlias = Annotated[Hold, ByName()]
EffectName: TypeAlias = Annotated[Effect, ByName()]
LevelName: TypeAlias = Annotated[Level, ByName()]
JobStateName: TypeAlias = Annotated[JobState, ByName(without=(JobState.ENDED,))]
JobEndName: TypeAlias = Annotated[JobEnd, ByName()]
FailureKindName: TypeAlias = Annotated[FailureKind, ByName()]
CauseName: TypeAlias = Literal[tuple(CAUSES)]  # type: ignore[valid-type]
HealthName: TypeAlias = Annotated[HealthState, ByName()]
ActionName: TypeAlias = Annotated[Action, ByName()]
NodeKindName: TypeAlias = Annotated[NodeKind, ByName()]
EdgeKindName: TypeAlias = Annotated[EdgeKind, ByName()]
GroupKindName: TypeAlias = Annotated[GroupKind, ByName()]
