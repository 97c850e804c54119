"""Boxes of the diagram that are made from primitives."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import FunctionType, MappingProxyType, MethodType
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

from pycurrent.errors import WrongKind
from pycurrent.incr import SCALARS
from pycurrent.term.context import CONTEXT
from pycurrent.term.current import Current
from pycurrent.term.fitting import Fit, Fits, fits_of, known_as
from pycurrent.term.given import called, check_function, check_text, shown, unfit
from pycurrent.term.label import Label, NamedLabel, check_label
from pycurrent.term.lifted import lifted
from pycurrent.term.output import Ok, Output
from pycurrent.term.primitive import Primitive
from pycurrent.term.shape import Component, Constant

if TYPE_CHECKING:
    from pycurrent.term.on_currents import ComponentForm

T = TypeVar("T")
Parameters: TypeAlias = tuple[tuple[str, ...], tuple[Any, ...]]
"""The names of a function's parameters, and what each was given."""


@overload
def component(label: str) -> ComponentForm: ...
@overload
def component(
    label: str, fn: Callable[..., Primitive[T]], *inputs: Any, name: str | None = None
) -> Current[T]: ...
def component(
    label: str,
    fn: Callable[..., Primitive[Any]] | None = None,
    *inputs: Any,
    name: str | None = None,
) -> Any:
    """A labelled box, made from a primitive.

    As a decorator, `@component("frob {key}")`, it turns a function on values that returns a
    `Primitive` into one on currents. Each argument may be a current or a plain value; the
    label may show the parameters. Inline, `component(label, fn, *inputs)` is the box of one
    such function for these arguments, and the label is taken as it is.

    The function is called when an input has changed. It should be cheap and start nothing:
    the primitive does the work, while it is needed.

    A `name` tells a stage from another one that is equal in all else; it becomes a part of its
    path. A decorated function takes it, too, as `name=`, unless it has such a parameter.
    """
    if not isinstance(label, str):
        raise WrongKind(f'component takes a label first, not {shown(label)}: @component("frob")')
    if fn is not None:
        check_function(fn, f"component {label!r}")
        fits = _fits_inline(fn) if inputs else {}
        return apply(label, _checking(fn, fits), inputs, _NONE, None, fits, name)
    if name is not None:
        raise WrongKind(f"component {label!r}: name= is for one stage: give it to the call")
    return functools.partial(_decorate, label)


def _decorate(label: str, fn: Callable[..., Primitive[T]]) -> Callable[..., Current[T]]:
    check_function(fn, f"component {label!r}")
    signature = inspect.signature(fn)
    names = list(signature.parameters)
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    usual = tuple([p.name for p in signature.parameters.values() if p.kind is _USUAL])
    only = dict.fromkeys(p.name for p in signature.parameters.values() if p.kind is _AFTER_STAR)
    in_place = (*usual, *only)
    simple = kinds <= {_USUAL, _AFTER_STAR}
    fits = fits_of(fn, signature)
    checking = _checking(fn, fits)
    if not kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        check_label(label, names, fn)

    takes_name = "name" not in names and inspect.Parameter.VAR_KEYWORD not in kinds

    @functools.wraps(fn)
    def on_currents(*args: Any, **kwargs: Any) -> Current[T]:
        name = kwargs.pop("name", None) if takes_name and kwargs else None
        if simple and len(args) == len(usual) and kwargs.keys() == only.keys():
            # All in their places: what `bind` would find out ten times more slowly.
            if not kwargs:
                return apply(label, checking, args, _NONE, (in_place, args), fits, name)
            kwargs = {name: kwargs[name] for name in only}
            parameters = in_place, (*args, *kwargs.values())
        else:
            bound = _bound(signature, fn, args, kwargs)
            args, kwargs = bound.args, bound.kwargs
            parameters = tuple(bound.arguments), tuple(bound.arguments.values())
        return apply(label, checking, args, kwargs, parameters, fits, name)

    made: Any = on_currents
    made.__signature__ = lifted(signature, takes_name=takes_name)
    made.__of_values__ = signature
    return on_currents


def _fits_inline(fn: Callable[..., Any]) -> Fits:
    # A signature takes longer than all the rest, and there may be thousands of boxes.
    if isinstance(fn, MethodType) and isinstance(fn.__func__, FunctionType):
        return _fits_of_method(fn.__func__)
    if isinstance(fn, FunctionType) and not fn.__annotations__ and not hasattr(fn, "__wrapped__"):
        return {}
    return _fits_of_any(fn)


@functools.lru_cache(maxsize=1000)
def _fits_of_method(function: FunctionType) -> Fits:
    """The checks for a method of any object. There are few methods, so they are kept."""
    return _fits_of_any(MethodType(function, object()))


def _fits_of_any(fn: Callable[..., Any]) -> Fits:
    try:
        return fits_of(fn, inspect.signature(fn))
    except (TypeError, ValueError):
        return {}  # a function of another language


# There may be one of these for each component of many: a closure with its `__wrapped__`, by which
# messages name the function, would take ten times the memory.


class _Checking(Generic[T]):
    """A function that checks its arguments first."""

    __slots__ = ("__wrapped__", "_fits")

    def __init__(self, fn: Callable[..., Primitive[T]], fits: Fits) -> None:
        self.__wrapped__ = fn
        self._fits = fits

    def __call__(self, *args: Any, **kwargs: Any) -> Primitive[T]:
        fn, fits = self.__wrapped__, self._fits
        for place, value in enumerate(args):
            if place in fits:
                fits[place].check(value, fn)
        for name, value in kwargs.items():
            if name in fits:
                fits[name].check(value, fn)
        return fn(*args, **kwargs)


class _Filling(Generic[T]):
    """A function that is called with the values of currents in their places among its arguments."""

    __slots__ = ("__wrapped__", "_args", "_kwargs", "_places")

    def __init__(
        self,
        fn: Callable[..., Primitive[T]],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        places: tuple[int | str, ...],
    ) -> None:
        self.__wrapped__ = fn
        self._args = args
        self._kwargs = kwargs
        self._places = places

    def __call__(self, *values: Any) -> Primitive[T]:
        if not self._places:
            return self.__wrapped__(*self._args, **self._kwargs)
        full_args, full_kwargs = list(self._args), dict(self._kwargs)
        for place, value in zip(self._places, values, strict=True):
            if isinstance(place, int):
                full_args[place] = value
            else:
                full_kwargs[place] = value
        return self.__wrapped__(*full_args, **full_kwargs)


def _checking(fn: Callable[..., Primitive[T]], fits: Fits) -> Callable[..., Primitive[T]]:
    return _Checking(fn, fits) if fits else fn


_NONE: Mapping[str, Any] = MappingProxyType({})
"""No arguments by name: a dictionary for each component would be kept with it."""

_USUAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
_AFTER_STAR = inspect.Parameter.KEYWORD_ONLY


def _bound(
    signature: inspect.Signature,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> inspect.BoundArguments:
    """Match arguments to parameters. Raises `WrongKind`, in the function's words."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        where = called(fn)
        plain = signature.replace(return_annotation=inspect.Signature.empty)
        raise WrongKind(f"{where}: {error}; its parameters are {plain}") from None
    bound.apply_defaults()
    return bound


def apply(
    label: str,
    fn: Callable[..., Primitive[T]],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    parameters: Parameters | None,
    fits: Fits,
    name: str | None = None,
) -> Current[T]:
    """The component of a function with these arguments, some of them currents.

    `parameters` are the same arguments behind the names of the function's parameters, for the label
    to show.
    """
    if name is not None:
        check_text(name, f"{known_as(fn)}: name=")
    sources: list[Current[Any]]
    if parameters is None and not kwargs:
        sources = [value for value in args if isinstance(value, Current)]
        if len(sources) == len(args):
            # A short cut: this is how large pipelines are built.
            shape = Component(tuple(sources), _label(label, name), fn)
            return Current(shape, CONTEXT.get())
    sources = []
    places: list[int | str] = []
    given: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    for place, value in given:
        if isinstance(value, Current):
            sources.append(value)
            places.append(place)
            if place in fits and isinstance(value.shape, Constant):
                _check_constant(value.shape.output, fits[place], fn)
        elif type(value) not in SCALARS and (remedy := unfit(value)) is not None:
            raise WrongKind(
                f"{known_as(fn)} takes values and currents, not {remedy.what}: {remedy.given}"
            )
        elif place in fits:
            fits[place].check(value, fn)
    if not sources and isinstance(fn, _Checking):
        fn = fn.__wrapped__  # it has no other arguments than those that are checked by now
    whole = not kwargs and len(sources) == len(args)
    on_values = fn if whole else _Filling(fn, args, kwargs, tuple(places))
    slots = _slots(parameters[1], sources) if parameters and sources else ()
    shown_as = _label(label, name, parameters or (None, ()), slots)
    constants: tuple[Any, ...] = ()
    if parameters is None and len(sources) != len(given):
        constants = tuple([value for _, value in given if not isinstance(value, Current)])
    shape = Component(tuple(sources), shown_as, on_values, constants)
    return Current(shape, CONTEXT.get())


def _check_constant(output: Output[Any], fit: Fit, fn: Callable[..., Any]) -> None:
    """Check the value of a constant now, so that the message has the place in the file."""
    if isinstance(output, Ok):
        fit.check(output.value, fn)


def _label(
    text: str,
    name: str | None,
    parameters: Parameters | tuple[None, tuple[()]] = (None, ()),
    slots: tuple[int | None, ...] = (),
) -> Label:
    names, given = parameters
    if name is None:
        return Label(text, names, given, slots)
    return NamedLabel(text, names, given, slots, name=name)


def primitive_of(current: Current[T]) -> Primitive[T] | None:
    """The primitive of a component without currents among its inputs; None of anything else."""
    shape = current.shape
    if not isinstance(shape, Component) or shape.sources:
        return None
    return shape.fn()


def _slots(given: tuple[Any, ...], sources: list[Current[Any]]) -> tuple[int | None, ...]:
    """For each argument that is a current, which of the sources it is; empty if none is one, as
    where all are in one argument.
    """
    # By identity, which is all that tells currents apart. The first one of two that are the same.
    places = {source: place for place, source in reversed([*enumerate(sources)])}
    slots = tuple([places[value] if isinstance(value, Current) else None for value in given])
    return slots if any(slot is not None for slot in slots) else ()
