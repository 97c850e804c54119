"""The short form of a builder: an async function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from pycurrent.cache.operation import Builder
from pycurrent.cache.schedule import Schedule
from pycurrent.engine.job import Job
from pycurrent.engine.level import Level
from pycurrent.engine.pool import AnyPool
from pycurrent.errors import UsageError
from pycurrent.term import Current, Primitive, component

V = TypeVar("V")


def builder(
    id: str,
    *,
    level: Level | None = None,
    pool: AnyPool | None = None,
    timeout: timedelta | float | None = None,
    auto_cancel: bool = False,
    schedule: Schedule | None = None,
    label: str | None = None,
) -> Callable[[Callable[..., Awaitable[V]]], Callable[..., Current[V]]]:
    """Turn an async function of (job, key ...) into a function on currents.

    The arguments, currents or plain values, are the key; the annotations give the types of key
    and value. With a `level` the job is started before the function is called; without one the
    function awaits `job.start` itself. `label` may show the parameters; by default it is the
    id and all of them.

        @builder("frob", level=Level.HARMLESS)
        async def frob(job: Job, key: str) -> str:
            return await job.check_output(["frob", key])
    """
    if level is None and (pool is not None or timeout is not None):
        raise UsageError(f"builder {id!r}: pool and timeout need a level; or call job.start")

    async def begin(job: Job) -> None:
        if level is not None:
            await job.start(level=level, pool=pool, timeout=timeout)

    def decorate(fn: Callable[..., Awaitable[V]]) -> Callable[..., Current[V]]:
        signature = _signature(id, fn)
        operation = _operation(id, fn, signature, begin, auto_cancel=auto_cancel)
        _, *keys = signature.parameters.values()
        key_signature = signature.replace(parameters=keys)
        get = _getter(operation, key_signature, schedule)
        functools.update_wrapper(get, fn)
        get.__signature__ = key_signature  # type: ignore[attr-defined]
        shown = " ".join([id, *(f"{{{key.name}}}" for key in keys)])
        return component(label or shown)(get)

    return decorate


def _operation(
    id: str,
    fn: Callable[..., Awaitable[V]],
    signature: inspect.Signature,
    begin: Callable[[Job], Awaitable[None]],
    *,
    auto_cancel: bool,
) -> Builder[Any, V]:
    """A builder of a class of its own. One parameter is the key itself, several are its parts."""
    types = [_type(parameter.annotation) for parameter in signature.parameters.values()][1:]
    key_type = types[0] if len(types) == 1 else tuple[tuple(types)]  # type: ignore[misc]
    value_type = _type(signature.return_annotation)

    async def build(self: Any, job: Job, key: Any) -> V:
        await begin(job)
        return await fn(job, *_unpack(key, len(types)))

    def describe(self: Any, key: Any) -> str:
        return " ".join([id, *map(str, _unpack(key, len(types)))])

    namespace = {
        "__module__": fn.__module__,
        "__qualname__": fn.__qualname__,
        "__doc__": fn.__doc__,
        "id": id,
        "auto_cancel": auto_cancel,
        "build": build,
        "describe": describe,
        "types": classmethod(lambda cls: (key_type, None, value_type)),
    }
    operation: Builder[Any, V] = type(fn.__name__, (Builder,), namespace)()
    return operation


def _getter(
    operation: Builder[Any, V], signature: inspect.Signature, schedule: Schedule | None
) -> Callable[..., Primitive[V]]:
    """The function of this signature that gives the operation's result."""
    count = len(signature.parameters)

    def get(*args: Any, **kwargs: Any) -> Primitive[V]:
        values = args
        if kwargs or len(args) != count:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            values = tuple(bound.arguments.values())
        return operation.get(values[0] if count == 1 else values, schedule=schedule)

    return get


def _unpack(key: Any, count: int) -> tuple[Any, ...]:
    return (key,) if count == 1 else key


def _type(annotation: Any) -> object:
    if annotation is inspect.Parameter.empty:
        return object
    return annotation


def _signature(id: str, fn: Callable[..., object]) -> inspect.Signature:
    """The function's parameters and their types. Raises `UsageError`."""
    if not inspect.iscoroutinefunction(inspect.unwrap(fn)):
        raise UsageError(f"builder {id!r} must be an async function (async def)")
    signature = inspect.signature(fn)
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    if not signature.parameters or kinds & {
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    }:
        raise UsageError(f"builder {id!r} must be a function of (job, key ...), without * or **")
    scope = getattr(inspect.unwrap(fn), "__globals__", {})

    def evaluated(annotation: Any) -> Any:
        if not isinstance(annotation, str):
            return annotation
        try:
            # The function's own source, as `inspect.signature` would evaluate it.
            return eval(annotation, scope)  # noqa: S307
        except Exception as error:
            raise UsageError(
                f"builder {id!r}: the type {annotation} is not known: {error}"
            ) from None

    # The job's type is of no interest, and often imported for type checkers only.
    job, *keys = signature.parameters.values()
    return signature.replace(
        parameters=[job, *(key.replace(annotation=evaluated(key.annotation)) for key in keys)],
        return_annotation=evaluated(signature.return_annotation),
    )
