"""The options that the functions of plugins share, and the components that they make.

A plugin's function takes them as `**options: Unpack[Options]`, or a `TypedDict` that adds some of
its own; so type checkers know each of them. `with_options` fills in the defaults, and has `help`
show the options one by one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar, get_args, get_type_hints

from pycurrent.cache import Retry, check_schedule
from pycurrent.cache.retry import check_retry
from pycurrent.engine import AnyPool, Level
from pycurrent.engine.limits import Limits, Timeout
from pycurrent.errors import WrongKind
from pycurrent.term import Current, Primitive, component, known_as, near, shown

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Options(TypedDict, total=False):
    """The options of each function that runs jobs.

    `level` is how risky the work is, `pool` limits how many such jobs run at once and serves those
    of the highest `priority` first, `timeout` is how long one may take (in seconds, if a number),
    `retry` how often one that has failed is tried again, up to the level average, and `label` the
    text in the diagram.
    """

    timeout: Timeout
    pool: AnyPool | None
    priority: int
    level: Level
    retry: Retry | None
    label: str | None


def limits_of(options: Options) -> Limits:
    """The limits of the jobs of a function. Raises UsageError for what no job can start with, and
    for a `retry` that is not one.
    """
    check_retry(options["retry"])
    return Limits(options["level"], options["pool"], options["timeout"], options["priority"])


def with_options(*, level: Level, **defaults: object) -> Callable[[F], F]:
    """Decorate a function that ends in `**options: Unpack[...]`: it always gets all of them.

    Options that the caller leaves out have their defaults: the level, priority 0, one of
    `defaults`, or None.
    Unknown options are refused, as by any function.
    """

    def decorate(fn: F) -> F:
        signature = inspect.signature(fn)
        *own, last = signature.parameters.values()
        options = _parameters(fn, last.name, {"level": level, "priority": 0, **defaults})
        missing = {option.name: option.default for option in options}
        known = missing.keys() | {one.name for one in own if one.kind is not one.POSITIONAL_ONLY}
        most = sum(one.kind in _IN_PLACES for one in own)

        @functools.wraps(fn)
        def filled(*args: Any, **kwargs: Any) -> Any:
            if len(args) > most or not kwargs.keys() <= known:
                raise _wrong_call(fn, args, kwargs, own, list(missing))
            check_schedule(kwargs.get("schedule"), known_as(fn))
            return fn(*args, **{**missing, **kwargs})

        whole = signature.replace(parameters=[*own, *options])
        filled.__signature__ = whole  # type: ignore[attr-defined]
        filled.__doc__ = _with_shared(fn.__doc__)
        return filled  # type: ignore[return-value]

    return decorate


_IN_PLACES = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _wrong_call(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    own: Sequence[inspect.Parameter],
    options: list[str],
) -> WrongKind:
    """The error for arguments without a place or a name; `own` is not among the options."""
    named = [one.name for one in own if one.kind is not one.POSITIONAL_ONLY]
    every = ", ".join(f"{name}=" for name in [*named, *options])
    for name in kwargs.keys() - set(named) - set(options):
        found = near(name, [*named, *options])
        guess = f". Did you mean: {found!r}?" if found else f": it has {every}"
        return WrongKind(f"{known_as(fn)}() got an unexpected keyword argument {name!r}{guess}")
    places = [one.name for one in own if one.kind is one.POSITIONAL_OR_KEYWORD]
    surplus = shown(args[-1])
    return WrongKind(
        f"{known_as(fn)} takes {' and '.join(places) or 'nothing'} without a name, and {surplus}"
        f" needs one: it has {every}"
    )


def _with_shared(doc: str | None) -> str | None:
    """A docstring that says of the shared options, too, what they mean."""
    if doc is None or Options.__doc__ is None:  # Python was told to leave docstrings out.
        return doc
    _, _, shared = inspect.cleandoc(Options.__doc__).partition("\n\n")
    return f"{inspect.cleandoc(doc)}\n\n{shared}"


def _parameters(
    fn: Callable[..., Any], name: str, defaults: Mapping[str, object]
) -> list[inspect.Parameter]:
    """The options of a function as parameters, those that all functions share last."""
    (options,) = get_args(get_type_hints(fn)[name])
    hints = options.__annotations__
    return [
        inspect.Parameter(
            option,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults.get(option),
            annotation=getattr(hints[option], "__forward_arg__", hints[option]),
        )
        for option in sorted(hints, key=lambda option: option in Options.__annotations__)
    ]


def operation_component(
    label: str | None, default: str, fn: Callable[..., Primitive[T]], *args: Any
) -> Current[T]:
    """The component of a function on values, for these arguments.

    The user's label is taken word for word; the default one may show parameters of the function.
    """
    if label is not None and not isinstance(label, str):
        raise WrongKind(f"label= takes a text, not {shown(label)}")
    text = default if label is None else label.replace("{", "{{").replace("}", "}}")
    return component(text)(fn)(*args)


def named_after(public: Callable[..., object]) -> Callable[[F], F]:
    """Decorate a function that stands for a public one: messages have that one's name."""

    def decorate(fn: F) -> F:
        fn.__qualname__, fn.__module__ = public.__qualname__, public.__module__
        return fn

    return decorate
