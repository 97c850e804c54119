"""Reads simple command lines without a library, so that runs with nothing to do start fast.

It reads only flags that are written out, and options whose text is unambiguous: `run FILE --once
--state-dir PATH`. Everything else, mistakes and `--help` too, is left to the library, which reads
these command lines in the same way.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, get_args

from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from pycurrent.cli.option import Option

O = TypeVar("O", bound=Struct)  # noqa: E741


class Plain(Struct, Generic[O], frozen=True):
    """A command line as it was read."""

    arguments: tuple[str, ...]
    options: O


def read_plainly(tokens: Sequence[str], kind: type[O]) -> Plain[O] | None:
    """The arguments, and the options as a `kind`; None if this needs the library."""
    known = {flag_of(field.name): (field, option_of(field)) for field in fields(kind)}
    if any(option.env is not None and option.env in os.environ for _, option in known.values()):
        return None
    arguments: list[str] = []
    given: dict[str, Any] = {}
    rest = iter(tokens)
    for token in rest:
        if not token.startswith("-"):
            arguments.append(token)
            continue
        if token not in known:
            return None
        field, option = known[token]
        if field.name in given:
            return None
        if field.default is False:
            given[field.name] = True
            continue
        text = next(rest, "-")
        if option.read is None or option.at_least is not None or text.startswith("-"):
            return None
        try:
            given[field.name] = option.read(text)
        except ValueError:
            return None
    return Plain(tuple(arguments), kind(**given))


def has_only_defaults(pipeline: Callable[..., Any], kind: type[Struct]) -> bool:
    """True if the pipeline can be called without an argument, whatever its parameters are.

    An author who describes parameters with the library has imported it: they may read a variable
    of the environment, for example.
    """
    parameters = signature_of(pipeline).parameters
    ours = {"help", *kind.__struct_fields__}
    return not parameters or (
        "cyclopts" not in sys.modules
        and all(p.default is not p.empty for p in parameters.values())
        and not any(name.strip("_").lower() in ours for name in parameters)
    )


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
