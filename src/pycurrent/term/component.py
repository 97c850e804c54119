"""Boxes of the diagram that are made from primitives."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from pycurrent.term.context import CONTEXT
from pycurrent.term.current import Current, _currents
from pycurrent.term.label import Label
from pycurrent.term.primitive import Primitive
from pycurrent.term.shape import Component

T = TypeVar("T")


@overload
def component(label: str) -> Callable[[Callable[..., Primitive[T]]], Callable[..., Current[T]]]: ...
@overload
def component(label: str, fn: Callable[..., Primitive[T]], *inputs: Current[Any]) -> Current[T]: ...
def component(
    label: str, fn: Callable[..., Primitive[Any]] | None = None, *inputs: Current[Any]
) -> Any:
    """A labelled box, made from a primitive.

    As a decorator, `@component("frob {key}")`, it turns a function on values that returns a
    `Primitive` into one on currents. Each argument may be a current or a plain value; the
    label may show the parameters. Inline, `component(label, fn, *inputs)` is the box of one
    such function, and the label is taken as it is.

    The function is called when an input has changed. It should be cheap and start nothing:
    the primitive does the work, while it is needed.
    """
    if fn is not None:
        sources = _currents(inputs, "component")
        return Current(Component(Label(label), sources, fn), CONTEXT.get())
    return functools.partial(_decorate, label)


def _decorate(label: str, fn: Callable[..., Primitive[T]]) -> Callable[..., Current[T]]:
    signature = inspect.signature(fn)
    names = list(signature.parameters)
    simple = {parameter.kind for parameter in signature.parameters.values()} <= {_USUAL}

    @functools.wraps(fn)
    def on_currents(*args: Any, **kwargs: Any) -> Current[T]:
        if simple and not kwargs and len(args) == len(names):
            # All in their places: what `bind` would find out ten times more slowly.
            return apply(label, fn, args, {}, dict(zip(names, args, strict=True)))
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return apply(label, fn, bound.args, bound.kwargs, bound.arguments)

    return on_currents


_USUAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def apply(
    label: str,
    fn: Callable[..., Primitive[T]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    parameters: dict[str, Any],
) -> Current[T]:
    """The component of a function with these arguments, some of them currents.

    `parameters` are the same arguments by the names of the function's parameters.
    """
    sources: list[Current[Any]] = []
    places: list[int | str] = []
    given: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    for place, value in given:
        if isinstance(value, Current):
            sources.append(value)
            places.append(place)
    slots = {
        name: sources.index(value)
        for name, value in parameters.items()
        if isinstance(value, Current)
    }

    def on_values(*values: Any) -> Primitive[T]:
        full_args, full_kwargs = list(args), dict(kwargs)
        for place, value in zip(places, values, strict=True):
            if isinstance(place, int):
                full_args[place] = value
            else:
                full_kwargs[place] = value
        return fn(*full_args, **full_kwargs)

    shown = Label(label, parameters, slots)
    return Current(Component(shown, tuple(sources), on_values), CONTEXT.get())
