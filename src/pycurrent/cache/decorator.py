"""The short forms of operations: async functions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec import Struct

from pycurrent.cache.class_checks import RETIRE, STILL_THERE, STILL_THERE_MANY, check_version
from pycurrent.cache.operation import Builder, Publisher
from pycurrent.cache.operation_type import AnyOperation
from pycurrent.cache.retry import DEFAULT, Retry, check_retry
from pycurrent.cache.signature import AFTER_STAR, signature_of
from pycurrent.engine.arguments import check_level, check_pool, check_priority, check_timeout
from pycurrent.engine.job import Job
from pycurrent.engine.level import Level
from pycurrent.engine.limits import Limits
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import Current, Primitive, called, component, shown

if TYPE_CHECKING:
    from pycurrent.cache.schedule import Schedule
    from pycurrent.cache.work_types import BuilderForm, PublisherForm
    from pycurrent.engine.pool import AnyPool

V = TypeVar("V")

Function = Callable[..., Awaitable[V]]


def builder(
    id: str,
    *,
    level: Level | None = None,
    pool: AnyPool | None = None,
    timeout: timedelta | float | None = None,
    priority: int = 0,
    auto_cancel: bool = False,
    lookup: bool = False,
    durable: bool = False,
    local: bool = False,
    for_untrusted: bool = False,
    schedule: Schedule | None = None,
    retry: Retry | None = None,
    version: str | int | None = None,
    label: str | None = None,
    still_there: Function[bool] | None = None,
    still_there_many: Function[Sequence[bool]] | None = None,
) -> BuilderForm:
    """Turn an async function of (job, key ...) into a function on currents.

    The arguments, currents or plain values, are the key; the annotations give the types of key and
    value. With a `level` the job is started before the function is called; without one the function
    awaits `job.start` itself. It fails if it runs for longer than the `timeout`, a timedelta or
    seconds. With `auto_cancel` it is cancelled as soon as nobody needs it any more. Of the jobs
    that wait for the `pool` those of the highest `priority` come first. `retry` says how often it
    is tried again if it fails. With another `version` all is made again, once it is needed. `label`
    may show the parameters; by default it is the id and all of them. `still_there`, an async
    function of (key ..., outcome), says whether a result of an earlier run of the engine is there:
    what is lost is made again. `still_there_many` is the same for many results at once: it gets a
    list of such (key ..., outcome), and returns as many truths. `lookup` is for what only looks at
    something: a refresh by its schedule that finds the same value again leaves no job in the
    history, and no log. `durable` says that its effects are those of the commands it runs: where
    the engine has a lease they go on when that is killed, and the next one goes on with the job.
    `local` says that it needs files of the engine's machine, so no pool may lend it another place.
    `for_untrusted` says that it runs none of the code of strangers for whom it
    works: then it gets secrets, and needs no approval.

    Use it for what is made: it runs once for the same key, and not again if an earlier key comes
    back. For what is *set* somewhere (a deployment, a message, a tag) use `publisher`.

        @builder("frob", level=Level.HARMLESS)
        async def frob(job: Job, key: str) -> str:
            return await job.check_output(["frob", key])
    """
    limits = (level, pool, timeout, priority)
    form = _Form(
        "builder",
        id,
        *limits,
        schedule,
        retry,
        version,
        label,
        auto_cancel,
        latched=False,
        still_there=still_there,
        still_there_many=still_there_many,
        lookup=lookup,
        durable=durable,
        local=local,
        for_untrusted=for_untrusted,
    )
    return cast("BuilderForm", form.decorate)


def publisher(
    id: str,
    *,
    level: Level | None = None,
    pool: AnyPool | None = None,
    timeout: timedelta | float | None = None,
    priority: int = 0,
    auto_cancel: bool = False,
    latched: bool = False,
    durable: bool = False,
    local: bool = False,
    for_untrusted: bool = False,
    schedule: Schedule | None = None,
    retry: Retry | None = None,
    version: str | int | None = None,
    label: str | None = None,
    retire: Function[None] | None = None,
    still_there: Function[bool] | None = None,
    still_there_many: Function[Sequence[bool]] | None = None,
) -> PublisherForm:
    """Turn an async function of (job, key ..., *, value) into a function on currents.

    The parameters before the `*` are the key, those after it the value that the key is set to. A
    key has one value at a time: the function runs again for one that it had before, if it has had
    another meanwhile. `id`, `level`, `pool`, `timeout`, `priority`, `schedule`, `retry`, `version`
    and `label` are as with `builder`. With `auto_cancel` a running job is cancelled when another
    value is wanted; without it that follows once the job has ended. With `latched` the last outcome
    is still reported while a new value is being set. `retire`, an async function of (job, key ...,
    outcome), takes back what was set once that has gone from the pipeline; it is given what the
    last setting has returned. `still_there` and `still_there_many` are as with `builder`, and so
    are `durable`, `local` and `for_untrusted`: only with the latter untrusted work may set
    something.

        @publisher("deploy", level=Level.DANGEROUS)
        async def deploy(job: Job, place: str, *, version: str) -> None:
            await job.exec(["deploy", "--to", place, version])

        deploy("production", version=tested)
    """
    limits = (level, pool, timeout, priority)
    also = (retire, still_there, still_there_many)
    form = _Form(
        "publisher",
        id,
        *limits,
        schedule,
        retry,
        version,
        label,
        auto_cancel,
        latched,
        *also,
        durable=durable,
        local=local,
        for_untrusted=for_untrusted,
    )
    return cast("PublisherForm", form.decorate)


class _Form(Struct, frozen=True):
    """The arguments of a decorator, until it gets its function."""

    kind: str
    id: str
    level: Level | None
    pool: AnyPool | None
    timeout: timedelta | float | None
    priority: int
    schedule: Schedule | None
    retry: Retry | None
    version: str | int | None
    label: str | None
    auto_cancel: bool
    latched: bool
    retire: Function[None] | None = None
    still_there: Function[bool] | None = None
    still_there_many: Function[Sequence[bool]] | None = None
    lookup: bool = False
    durable: bool = False
    local: bool = False
    for_untrusted: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.id, str):
            raise WrongKind(self._without_id())
        if not self.id:
            raise UsageError(f'a {self.kind} needs an id: @{self.kind}("frob")')
        name = self.name
        check_level(self.level, name)
        check_pool(self.pool, name)
        check_timeout(self.timeout, name)
        check_priority(self.priority, name)
        if self.schedule is not None:
            from pycurrent.cache.schedule import check_schedule  # few operations have one

            check_schedule(self.schedule, name)
        check_retry(self.retry, name)
        check_version(self.version, name)
        if self.label is not None and not isinstance(self.label, str):
            raise WrongKind(f"{name}: label= takes a text, not {shown(self.label)}")
        for option in ("auto_cancel", "latched", "lookup", "durable", "local", "for_untrusted"):
            if not isinstance(getattr(self, option), bool):
                value = shown(getattr(self, option))
                raise WrongKind(f"{name}: {option}= takes True or False, not {value}")
        if self.retire is not None:
            _check_also(name, RETIRE, self.retire, "(job, key ..., outcome)")
        if self.still_there is not None:
            _check_also(name, STILL_THERE, self.still_there, "(key ..., outcome)")
        if self.still_there_many is not None:
            shape = "a list of (key ..., outcome)"
            _check_also(name, STILL_THERE_MANY, self.still_there_many, shape)
            if self.still_there is not None:
                raise UsageError(
                    f"{name}: still_there= and still_there_many= say the same: give one of them"
                )
        given = (self.pool, self.timeout, self.priority)
        if self.level is None and given != (None, None, 0):
            raise UsageError(f"{name}: pool, timeout and priority need a level; or call job.start")

    @property
    def name(self) -> str:
        return f"{self.kind} {self.id!r}"

    def _without_id(self) -> str:
        given: Any = self.id
        if inspect.isroutine(given):
            write = f'@{self.kind}("{given.__name__}", ...)'
            return f"{called(given)}: {self.kind} needs an id: write {write} above the function"
        return f'{self.kind} takes an id, a text, not {shown(given)}: @{self.kind}("frob")'

    @property
    def limits(self) -> Limits | None:
        """The limits within which its jobs are started; None if the function starts them."""
        if self.level is None:
            return None
        return Limits(self.level, self.pool, self.timeout, self.priority)

    def decorate(self, fn: Function[V]) -> Callable[..., Current[V]]:
        signature = signature_of(self.kind, self.name, fn)
        _, *parameters = signature.parameters.values()
        operation = _operation(self, fn, signature)
        outcome: Any = Primitive[_type(signature.return_annotation)]  # type: ignore[misc]
        own_signature = signature.replace(parameters=parameters, return_annotation=outcome)
        get = _getter(operation, own_signature, self.schedule)
        functools.update_wrapper(get, fn)
        get.__signature__ = own_signature  # type: ignore[attr-defined]
        all_of_it = " ".join([self.id, *(f"{{{parameter.name}}}" for parameter in parameters)])
        return component(self.label or all_of_it)(get)


def _operation(form: _Form, fn: Function[V], signature: inspect.Signature) -> AnyOperation:
    """An operation of a class of its own. One parameter is the key or value itself, several are
    its parts.
    """
    _, *parameters = signature.parameters.values()
    keys = [parameter for parameter in parameters if parameter.kind is not AFTER_STAR]
    _check_also_fits(form, [key.name for key in keys])
    values = [parameter for parameter in parameters if parameter.kind is AFTER_STAR]

    async def work(self: Any, job: Job, key: Any, value: Any = None) -> V:
        given = _unpack(value, len(values)) if values else ()
        named = {parameter.name: part for parameter, part in zip(values, given, strict=True)}
        return await fn(job, *_unpack(key, len(keys)), **named)

    def describe(self: Any, key: Any, value: Any = None) -> str:
        given = _unpack(value, len(values)) if values else ()
        return " ".join([form.id, *map(str, _unpack(key, len(keys))), *map(str, given)])

    limits = form.limits
    types = (
        _type_of(keys),
        _type_of(values) if values else None,
        _type(signature.return_annotation),
    )
    namespace: dict[str, object] = {
        "__module__": fn.__module__,
        "__qualname__": fn.__qualname__,
        "__doc__": fn.__doc__,
        "id": form.id,
        "auto_cancel": form.auto_cancel,
        "latched": form.latched,
        "lookup": form.lookup,
        "durable": form.durable,
        "local": form.local,
        "for_untrusted": form.for_untrusted,
        "retry": form.retry or DEFAULT,
        "version": form.version,
        "publish" if values else "build": work,
        "describe": describe,
        # Where its code is looked for.
        "_work": staticmethod(fn),
        "started_with": lambda self, key: limits,
        "types": classmethod(lambda cls: types),
    }
    if form.retire is not None:
        namespace[RETIRE] = _retiring(form.retire, len(keys))
    if form.still_there is not None:
        namespace[STILL_THERE] = _telling(form.still_there, len(keys))
    if form.still_there_many is not None:
        namespace[STILL_THERE_MANY] = _telling_of_many(form.still_there_many, len(keys))
    bases: tuple[type, ...] = (Publisher,) if values else (Builder,)
    operation: AnyOperation = type(fn.__name__, bases, namespace)()
    return operation


def _retiring(fn: Function[None], count: int) -> Callable[..., Awaitable[None]]:
    async def retire(self: Any, job: Job, key: Any, outcome: Any) -> None:
        await fn(job, *_unpack(key, count), outcome)

    return retire


def _telling(fn: Function[bool], count: int) -> Callable[..., Awaitable[bool]]:
    async def still_there(self: Any, key: Any, outcome: Any) -> bool:
        return await fn(*_unpack(key, count), outcome)

    return still_there


def _telling_of_many(
    fn: Function[Sequence[bool]], count: int
) -> Callable[..., Awaitable[Sequence[bool]]]:
    async def still_there_many(self: Any, pairs: Sequence[tuple[Any, Any]]) -> Sequence[bool]:
        return await fn([(*_unpack(key, count), outcome) for key, outcome in pairs])

    return still_there_many


def _check_also(name: str, option: str, fn: object, shape: str) -> None:
    """Raise unless a function that comes beside that of the work is an async one."""
    if not callable(fn):
        raise WrongKind(f"{name}: {option}= takes an async function of {shape}, not {shown(fn)}")
    if not inspect.iscoroutinefunction(inspect.unwrap(fn)):
        raise UsageError(f"{name}: {called(fn)} must be an async function (async def)")


def _check_also_fits(form: _Form, keys: list[str]) -> None:
    """Raise `UsageError` if such a function can't be called with the key of the work."""
    also = (
        (form.retire, ["job", *keys, "outcome"]),
        (form.still_there, [*keys, "outcome"]),
        (form.still_there_many, ["results"]),
    )
    for fn, names in also:
        if fn is None:
            continue
        try:
            inspect.signature(fn).bind(*names)
        except TypeError:
            shape = ", ".join(names)
            raise UsageError(f"{form.name}: {called(fn)} must be a function of ({shape})") from None


def _getter(
    operation: AnyOperation, signature: inspect.Signature, schedule: Schedule | None
) -> Callable[..., Primitive[Any]]:
    """The function of this signature that gives the operation's result."""
    parameters = signature.parameters.values()
    names = [parameter.name for parameter in parameters if parameter.kind is AFTER_STAR]
    count = len(parameters) - len(names)

    after_star = set(names)

    def get(*args: Any, **kwargs: Any) -> Primitive[Any]:
        if len(args) != count or kwargs.keys() != after_star:
            # Not all are in their places. This takes ten times as long as all the rest.
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        key = args[0] if count == 1 else args
        if isinstance(operation, Builder):
            return operation.get(key, schedule=schedule)
        assert isinstance(operation, Publisher)
        values = tuple([kwargs[name] for name in names])
        return operation.set(key, values[0] if len(names) == 1 else values, schedule=schedule)

    return get


def _unpack(whole: Any, count: int) -> tuple[Any, ...]:
    return (whole,) if count == 1 else whole


def _type_of(parameters: list[inspect.Parameter]) -> object:
    types = [_type(parameter.annotation) for parameter in parameters]
    return types[0] if len(types) == 1 else tuple[tuple(types)]  # type: ignore[misc]


def _type(annotation: Any) -> object:
    return object if annotation is inspect.Parameter.empty else annotation
