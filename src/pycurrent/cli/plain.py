"""Reads simple command lines without a library, so that runs with nothing to do start fast.

It reads only flags that are written out, and options whose text is unambiguous: `run FILE --once
--state-dir PATH`, and those of the pipeline that are texts, numbers, paths and the like. Everything
else, mistakes and `--help` too, is left to the library, which reads these command lines in the same
way.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import Enum, Flag
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from pycurrent.cli.option import Option
from pycurrent.cli.values import folder_or_file, whole_number

O = TypeVar("O", bound=Struct)  # noqa: E741
Read = Callable[[str], Any]
"""Reads the text of an option; a ValueError leaves the command line to the library."""

_NAME = r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*"
"""The names of parameters of which it is clear how their options are written."""


class Plain(Struct, Generic[O], frozen=True):
    """A command line as it was read."""

    arguments: tuple[str, ...]
    options: O
    given: dict[str, Any]
    """The arguments of the pipeline."""


def read_plainly(
    tokens: Sequence[str], kind: type[O], pipeline: Callable[..., Any] | None = None
) -> Plain[O] | None:
    """The arguments, the options as a `kind`, and those of the pipeline, if one is given; None if
    this needs the library.
    """
    own = {flag_of(field.name): field for field in fields(kind)}
    variables = {option_of(field).env for field in own.values()} - {None}
    if not variables.isdisjoint(os.environ):
        return None
    theirs = {} if pipeline is None else _options_of(pipeline)
    arguments: list[str] = []
    options, given = dict[str, Any](), dict[str, Any]()
    rest = iter(tokens)
    for token in rest:
        if not token.startswith("-"):
            arguments.append(token)
            continue
        try:
            if token in own:
                _take(own[token].name, _own_reader(own[token]), rest, options)
            elif pipeline is not None and token in theirs:
                _take(theirs[token].name, _reader(pipeline, theirs[token]), rest, given)
            else:
                return None
        except ValueError:
            return None
    if pipeline is not None and not fits(pipeline, kind, given):
        return None
    return Plain(tuple(arguments), kind(**options), given)


def target_in(tokens: Sequence[str], kind: type[Struct]) -> str | None:
    """The first argument, before which only options of the command may come."""
    for count in range(1, len(tokens) + 1):
        plain = read_plainly(tokens[:count], kind)
        if plain is not None and plain.arguments:
            return plain.arguments[0]
    return None


def may_be_plain(pipeline: Callable[..., Any]) -> bool:
    """True unless the author may have described parameters with the library, which has to be
    imported for that: they may read a variable of the environment, for example.
    """
    return "cyclopts" not in sys.modules or not signature_of(pipeline).parameters


def fits(pipeline: Callable[..., Any], kind: type[Struct], given: dict[str, Any]) -> bool:
    """True if the pipeline can be called with this alone, and no parameter of it is named as an
    option of the command.
    """
    parameters = signature_of(pipeline).parameters
    ours = {"help", *kind.__struct_fields__}
    return all(
        parameter.default is not parameter.empty or parameter.name in given
        for parameter in parameters.values()
    ) and not any(name.strip("_").lower() in ours for name in parameters)


def _take(name: str, read: Read | None, rest: Iterator[str], given: dict[str, Any]) -> None:
    """Take an option, and its text from the rest; without a reader it is a flag. Raises ValueError
    for what is not plain.
    """
    if name in given:
        raise ValueError("it is there twice")
    if read is None:
        given[name] = True
        return
    text = next(rest, "-")
    if text.startswith("-"):
        raise ValueError("it has no text, or one like an option")
    given[name] = read(text)


def _own_reader(field: FieldInfo) -> Read | None:
    """The reader of an option of the command; None for a flag. Raises ValueError."""
    if field.default is False:
        return None
    option = option_of(field)
    if option.read is None or option.at_least is not None:
        raise ValueError("the library knows how it is read")
    return option.read


# The options of a pipeline


def _options_of(pipeline: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters that can be options, by how these are written."""
    by_name = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return {
        flag_of(name): parameter
        for name, parameter in signature_of(pipeline).parameters.items()
        if parameter.kind in by_name and re.fullmatch(_NAME, name)
    }


def _reader(pipeline: Callable[..., Any], parameter: inspect.Parameter) -> Read | None:
    """The reader of an option of the pipeline; None for a flag. Raises ValueError."""
    try:
        annotation = annotations_of(pipeline).get(parameter.name)
    except Exception:  # of the author's code
        raise ValueError("the library says what is wrong") from None
    if annotation is None:
        known = parameter.default not in (parameter.empty, None)
        annotation = type(parameter.default) if known else str
    return _reader_of(annotation)


def _reader_of(annotation: Any) -> Read | None:
    if get_origin(annotation) in {Union, UnionType}:
        kinds = get_args(annotation)
        if len(kinds) != 2 or kinds[1] is not NoneType or kinds[0] is bool:
            raise ValueError("one of several types")
        return lambda text: _something(text, _reader_of(kinds[0]))
    if annotation is bool:
        return None
    if get_origin(annotation) is Literal:
        return lambda text: _one_of(text, get_args(annotation), lambda choice: choice)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        if issubclass(annotation, Flag):
            raise ValueError("several members at once")
        return lambda text: _one_of(text, tuple(annotation), lambda member: member.value)
    read = _READERS.get(annotation) if isinstance(annotation, type) else None
    if read is None:
        raise ValueError("the library may know how to read this type")
    return read


def _something(text: str, read: Read | None) -> Any:
    if text.lower() in {"none", "null"}:
        raise ValueError("it may be None")
    assert read is not None
    return read(text)


def _one_of(text: str, choices: Sequence[Any], value_of: Callable[[Any], object]) -> Any:
    """The choice whose value is exactly this text; all others are texts, too."""
    if not all(type(value_of(choice)) is str for choice in choices):
        raise ValueError("some are not texts")
    (found,) = [choice for choice in choices if value_of(choice) == text]
    return found


def _number(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise ValueError("not a plain number")
    return float(text)


_READERS: dict[type, Read] = {
    str: str,
    int: whole_number,
    float: _number,
    Path: folder_or_file,
}


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of the parameters, evaluated where they are text.

    The return annotation is left alone, because it may be imported only for the type checker.
    """
    parameters = signature_of(function).parameters.values()
    written = {p.name: p.annotation for p in parameters if p.annotation is not p.empty}
    names = getattr(inspect.unwrap(function), "__globals__", {})
    return get_type_hints(SimpleNamespace(__annotations__=written), names, include_extras=True)


def signature_of(pipeline: Callable[..., Any]) -> inspect.Signature:
    """The parameters that become options. Of a function on currents, such as a builder, those are
    the values that it also takes.
    """
    of_values: inspect.Signature | None = getattr(pipeline, "__of_values__", None)
    return of_values or inspect.signature(pipeline)


def option_of(field: FieldInfo) -> Option:
    """The description of a field that is an option."""
    (option,) = (extra for extra in get_args(field.type) if isinstance(extra, Option))
    return option


def flag_of(name: str) -> str:
    """How the option of a field is written."""
    return f"--{name.replace('_', '-')}"
