"""Reads the options of a pipeline by the types of its parameters.

It is exact where cyclopts guesses: 1.5 is not the whole number 2, an empty text is not the current
directory, and a member of an enumeration is found by its value as well as its name.
"""

from __future__ import annotations

import collections.abc
import inspect
import types
from collections.abc import Callable, Sequence
from enum import Enum, Flag
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from cyclopts import Parameter, Token

from pycurrent.cli.options import reading
from pycurrent.cli.values import folder_or_file, whole_number


def exact(annotation: Any) -> Any:
    """The annotation with exact readers, also within a union or a container."""
    if get_origin(annotation) is Annotated:
        inner, *rest = get_args(annotation)
        known = exact(inner)
        # The author's settings come last, because the last ones count.
        return Annotated[(known, *rest)]
    match get_origin(annotation):
        case None:
            converter = _converter(annotation)
            if converter is None:
                return annotation
            return Annotated[annotation, Parameter(converter=converter, n_tokens=1)]
        case union if union in {Union, types.UnionType}:
            # cyclopts reads a union by the first member that fits: one that is exact refuses.
            others = [part for part in get_args(annotation) if part is not types.NoneType]
            if len(others) == 1 and (converter := _converter(others[0])) is not None:
                return Annotated[annotation, Parameter(converter=converter, n_tokens=1)]
            return annotation
        case container if container in {list, tuple, set, frozenset}:
            return container[tuple(part if part is ... else exact(part) for part in
                                   get_args(annotation))]  # fmt: skip
        case _:
            return annotation


def can_be_option(annotation: Any) -> bool:
    """True if a text can be read as this type."""
    if get_origin(annotation) is Annotated:
        return True  # its author has said how
    if get_origin(annotation) is not None:
        return get_origin(annotation) is not collections.abc.Callable
    if not isinstance(annotation, type) or annotation is inspect.Parameter.empty:
        return True
    if annotation is object or issubclass(annotation, types.FunctionType | types.ModuleType):
        return False
    try:
        return annotation.__module__ == "builtins" or bool(inspect.signature(annotation).parameters)
    except (TypeError, ValueError):
        return True  # made elsewhere than in Python


def _converter(annotation: Any) -> Callable[[Any, Sequence[Token]], Any] | None:
    if annotation is int:
        return reading(whole_number)
    if annotation is Path:
        return reading(folder_or_file)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return None if issubclass(annotation, Flag) else _member(annotation)
    return None


def _member(kind: type[Enum]) -> Callable[[Any, Sequence[Token]], Enum]:
    def read(_: object, tokens: Sequence[Token]) -> Enum:
        text = tokens[0].value
        plain = _plain(text)
        for by in (
            lambda member: text == str(member.value),
            lambda member: text == member.name,
            lambda member: plain in {_plain(member.name), _plain(str(member.value))},
        ):
            found = [member for member in kind if by(member)]
            if len(found) == 1:
                return found[0]
        choices = ", ".join(str(member.value) for member in kind)
        raise ValueError(f"{text!r} is not one of {choices}.")

    return read


def _plain(text: str) -> str:
    return text.lower().replace("_", "-")
