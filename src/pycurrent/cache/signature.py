"""The signatures of functions that become operations."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import called, shown

AFTER_STAR = inspect.Parameter.KEYWORD_ONLY
"""The kind of the parameters that a publisher sets."""


def signature_of(kind: str, name: str, fn: Callable[..., Awaitable[Any]]) -> inspect.Signature:
    """The parameters of the function of a builder or publisher, and their types. `name` is the
    operation in messages. Raises `UsageError`.
    """
    if not callable(fn):
        raise WrongKind(f"{name} is put above an async function, not above {shown(fn)}")
    where = f"{name}: {called(fn)}"
    if not inspect.iscoroutinefunction(inspect.unwrap(fn)):
        yields = "; it must not yield" if inspect.isasyncgenfunction(inspect.unwrap(fn)) else ""
        raise UsageError(f"{where} must be an async function (async def){yields}")
    signature = inspect.signature(fn)
    _check_parameters(kind, where, list(signature.parameters.values()))
    scope = getattr(inspect.unwrap(fn), "__globals__", {})

    def evaluated(annotation: Any) -> Any:
        if not isinstance(annotation, str):
            return annotation
        try:
            # The function's own source, as `inspect.signature` would evaluate it.
            return eval(annotation, scope)  # noqa: S307
        except Exception as error:
            raise UsageError(f"{where}: the type {annotation} is not known: {error}") from None

    # The job's type is of no interest, and often imported for type checkers only.
    job, *keys = signature.parameters.values()
    return signature.replace(
        parameters=[job, *(key.replace(annotation=evaluated(key.annotation)) for key in keys)],
        return_annotation=evaluated(signature.return_annotation),
    )


def _check_parameters(kind: str, where: str, parameters: list[inspect.Parameter]) -> None:
    kinds = {parameter.kind for parameter in parameters}
    shape = "(job, key ...)" if kind == "builder" else "(job, key ..., *, value)"
    if parameters and parameters[0].name in {"self", "cls"}:
        raise UsageError(
            f"{where} is a method: make it a function of {shape}, or write a class of"
            f" {kind.capitalize()}"
        )
    if (
        not parameters
        or parameters[0].kind is AFTER_STAR
        or kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    ):
        raise UsageError(f"{where} must be a function of {shape}, without *args or **kwargs")
    first = parameters[0].annotation
    if first in _NO_JOB or first in {kind.__name__ for kind in _NO_JOB}:
        raise UsageError(
            f"{where} must be a function of {shape}: its first parameter is the job, not"
            f" {parameters[0].name!r}"
        )
    if kind == "builder" and AFTER_STAR in kinds:
        raise UsageError(
            f"{where} must be a function of (job, key ...), without *; what has a value to set"
            f" is a @publisher"
        )
    if kind == "publisher" and AFTER_STAR not in kinds:
        raise UsageError(
            f"{where} must be a function of (job, key ..., *, value): the parameters after the *"
            f" are what the key is set to; what has none is a @builder"
        )


_NO_JOB = (bool, bytes, dict, float, int, list, set, str, tuple)
