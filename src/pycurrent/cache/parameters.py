"""The parameters of a trigger: the fields of its dataclass, as people type them."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from pycurrent.cache.typed import Typed, plain
from pycurrent.errors import UsageError

P = TypeVar("P")


class Parameter(Struct, frozen=True):
    """A parameter of a trigger, for forms."""

    name: str
    type: str
    """As people write it."""
    default: str | None
    """As people type it; None if it has to be given."""
    choices: tuple[str, ...]
    """The values that there are, as people type them; empty if there are too many."""


class Parameters(Generic[P]):
    """The parameters of the trigger with a name, which are the fields of a dataclass."""

    def __init__(self, trigger: str, params: type[P]) -> None:
        """Raises `UnstableType` if the database can't hold them."""
        self._trigger = trigger
        self.typed: Typed[P] = Typed.of(params, what=f"parameters of trigger {trigger!r}")
        hints = typing.get_type_hints(params)
        found: Any = params
        self._fields = {
            field.name: (field, Typed.of(hints[field.name], what=f"parameter {field.name!r}"))
            for field in dataclasses.fields(found)
            if field.init and field.compare
        }

    def all(self) -> tuple[Parameter, ...]:
        """All of them, for forms."""
        return tuple(
            Parameter(name, typed.name, _default_of(field, typed), _choices_of(typed))
            for name, (field, typed) in self._fields.items()
        )

    def text_of(self, given: Mapping[str, str]) -> str:
        """The canonical text of those that people have typed, each by its name. Raises `UsageError`
        for the first that is wrong, unknown, or missing.
        """
        for name in given:
            if name not in self._fields:
                known = ", ".join(self._fields) or "none"
                raise UsageError(
                    f"trigger {self._trigger!r} has no parameter {name!r}: it has {known}"
                )
        texts = {name: self._fields[name][1].text_of(text) for name, text in given.items()}
        for name, (field, _) in self._fields.items():
            if name not in texts and not _has_default(field):
                raise UsageError(f"trigger {self._trigger!r} needs the parameter {name!r}")
        body = ",".join(f"{json.dumps(name)}:{text}" for name, text in texts.items())
        return self.typed.text_of_json(f"{{{body}}}")


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _default_of(field: dataclasses.Field[Any], typed: Typed[Any]) -> str | None:
    if field.default is not dataclasses.MISSING:
        return plain(typed.codec.encode(field.default))
    if field.default_factory is not dataclasses.MISSING:
        return plain(typed.codec.encode(field.default_factory()))
    return None


def _choices_of(typed: Typed[Any]) -> tuple[str, ...]:
    match typed.type:
        case type() as kind if kind is bool:
            values: tuple[object, ...] = (True, False)
        case type() as kind if issubclass(kind, Enum):
            values = tuple(kind)
        case kind if typing.get_origin(kind) is Literal:
            values = typing.get_args(kind)
        case _:
            values = ()
    return tuple(plain(typed.codec.encode(value)) for value in values)
