"""Checking values against the annotations of parameters, as far as that can be seen at once.

It looks at classes, unions of them and the items of collections. Annotations that allow anything,
or that only type checkers can follow (type variables, protocols), take all values. A whole number
fits a `float`, as it does for type checkers.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import (
    Callable,
    Collection,
    Container,
    Iterable,
    Mapping,
    Reversible,
    Sequence,
)
from functools import lru_cache
from numbers import Integral, Real
from pathlib import Path
from types import CodeType
from typing import Annotated, Any, Literal, NewType, TypeAlias, Union, get_args, get_origin

from msgspec import Struct
from msgspec.structs import replace

from pycurrent.errors import WrongKind
from pycurrent.term.given import Stand, called, shown

Fits: TypeAlias = "Mapping[int | str, Fit]"
"""By the place, and by the name, of the parameter. Parameters that take anything are left out."""

_TEXTS = (str, bytes, bytearray)
_OF_ITEMS = (Sequence, Collection, Iterable, Container, Reversible)
_PLUGINS = "pycurrent.plugins."


class Kinds(Struct, frozen=True):
    """The values that an annotation allows."""

    classes: tuple[type, ...]
    shown: str
    refuses_text: bool = False
    """A text is a sequence, and never meant where a list is."""
    parts: tuple[tuple[Callable[[Any], Iterable[Any]], Kinds], ...] = ()
    """For collections: how to get the items, and the values that these may be."""


class Fit(Struct, frozen=True):
    """A parameter that takes only some values."""

    name: str
    kinds: Kinds

    def check(self, value: Any, fn: Callable[..., Any]) -> None:
        """Raise `WrongKind`, in the words of the function's callers."""
        if (misfit := _misfit(value, self.kinds)) is not None:
            hint = _hint(value, self.kinds)
            raise WrongKind(
                f"{known_as(fn)}: {self.name}= takes {self.kinds.shown}, not {misfit}{hint}"
            )


def fits_of(fn: Callable[..., Any], signature: inspect.Signature) -> Fits:
    """Return the checks for the parameters of a function, in a microsecond for each."""
    scope = getattr(inspect.unwrap(fn), "__globals__", {})
    fits: dict[int | str, Fit] = {}
    for place, parameter in enumerate(signature.parameters.values()):
        if parameter.kind in _MANY or parameter.annotation is inspect.Parameter.empty:
            continue
        kinds = _kinds_as_written(parameter.annotation, scope)
        if kinds is not None:
            if parameter.default is not inspect.Parameter.empty:
                kinds = replace(kinds, classes=(*kinds.classes, type(parameter.default)))
            fits[place] = fits[parameter.name] = Fit(parameter.name, kinds)
    return fits


_MANY = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def known_as(fn: Callable[..., Any]) -> str:
    """The name of a function for its users. One of our plugins has an inner one."""
    inner = inspect.unwrap(fn)
    name, module = getattr(inner, "__qualname__", ""), getattr(inner, "__module__", None) or ""
    if name and module.startswith(_PLUGINS):
        plugin = module.removeprefix(_PLUGINS).partition(".")[0]
        return f"{plugin}.{name.partition('.')[0]}"
    return called(fn)


# Annotations


@lru_cache(maxsize=1000)
def _compiled(annotation: str) -> CodeType:
    return compile(annotation, "<annotation>", "eval")


def _kinds_as_written(annotation: Any, scope: dict[str, Any]) -> Kinds | None:
    """Return the kinds that an annotation allows, given the global names; None if anything."""
    try:
        # The function's own source, as `inspect.signature` would evaluate it.
        text = isinstance(annotation, str)
        return _kinds(eval(_compiled(annotation), scope) if text else annotation)  # noqa: S307
    except Exception:
        # It is there for type checkers only.
        return None


@lru_cache(maxsize=1000)
def _kinds(annotation: Any) -> Kinds | None:
    if annotation is None or annotation is types.NoneType:
        return Kinds((types.NoneType,), "None")
    if isinstance(annotation, NewType):
        return _kinds(annotation.__supertype__)
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds(get_args(annotation)[0])
    if origin is Literal:
        values = get_args(annotation)
        return Kinds(tuple(map(type, values)), " or ".join(map(repr, values)))
    if origin in {Union, types.UnionType}:
        return _union(get_args(annotation))
    cls = origin or annotation
    return _class(cls, annotation) if isinstance(cls, type) else None


def _union(members: tuple[Any, ...]) -> Kinds | None:
    values = [member for member in members if not _stands(member)]
    known = [kinds for member in values if (kinds := _kinds(member)) is not None]
    if not known or len(known) < len(values):
        return None
    classes = tuple(cls for kinds in known for cls in kinds.classes)
    return Kinds(
        classes,
        " or ".join(kinds.shown for kinds in known),
        not set(classes) & set(_TEXTS) and any(kinds.refuses_text for kinds in known),
        # Of several collections, which one is meant is not seen at once.
        parts[0] if len(parts := [kinds.parts for kinds in known if kinds.parts]) == 1 else (),
    )


def _stands(member: Any) -> bool:
    """True for a current, which is never a value."""
    cls = get_origin(member) or member
    return isinstance(cls, type) and issubclass(cls, Stand)


def _class(cls: type, annotation: Any) -> Kinds | None:
    if cls is object or getattr(cls, "_is_protocol", False) or _stands(cls):
        return None
    name = cls.__name__ if annotation is cls else str(annotation).replace("typing.", "")
    name = name.replace("collections.abc.", "")
    if typing.is_typeddict(cls):
        return Kinds((dict,), name)
    classes = _WIDER.get(cls, (cls,))
    return Kinds(classes, name, cls in _OF_ITEMS, _parts(cls, get_args(annotation)))


_WIDER: Mapping[type, tuple[type, ...]] = types.MappingProxyType(
    {float: (float, int), complex: (complex, float, int), bytes: (bytes, bytearray, memoryview)}
)


def _parts(
    cls: type, args: tuple[Any, ...]
) -> tuple[tuple[Callable[[Any], Iterable[Any]], Kinds], ...]:
    """The checks for the items of a collection, if looking at them does not use it up."""
    if not args or not issubclass(cls, Collection):
        return ()
    if issubclass(cls, Mapping):
        takers: tuple[Callable[[Any], Iterable[Any]], ...] = (iter, lambda value: value.values())
    elif cls is tuple and (len(args) != 2 or args[1] is not ...):
        return ()
    else:
        takers = (iter,)
    return tuple(
        (taker, kinds)
        for taker, arg in zip(takers, args, strict=False)
        if (kinds := _kinds(arg)) is not None
    )


# Values


def _misfit(value: Any, kinds: Kinds) -> str | None:
    """Describe a value that does not fit; None if it does."""
    if not _is_one_of(value, kinds.classes) or (kinds.refuses_text and isinstance(value, _TEXTS)):
        return shown(value)
    for taken, part in kinds.parts:
        if not isinstance(value, Collection) or isinstance(value, _TEXTS):
            continue
        # Their number may be large, but they are of few types: one of each will do.
        for kind in set(map(type, taken(value))):
            member = next(member for member in taken(value) if type(member) is kind)
            if (misfit := _misfit(member, part)) is not None:
                return f"a {type(value).__name__} that holds {misfit}"
    return None


def _is_one_of(value: Any, classes: tuple[type, ...]) -> bool:
    try:
        if isinstance(value, classes):
            return True
    except Exception:
        return True  # a class that can't be asked so
    return (int in classes and isinstance(value, Integral)) or (
        float in classes and isinstance(value, Real)
    )


def _hint(value: Any, kinds: Kinds) -> str:
    """The advice to give, if there is any."""
    of_value = getattr(type(value), "given_instead", None)
    if isinstance(of_value, str):
        return f": {of_value}"
    if isinstance(value, str) and Path in kinds.classes and value.startswith((".", "/")):
        return f": write Path({value!r})"
    for cls in kinds.classes:
        if isinstance(had_by := getattr(cls, "had_by", None), str):
            return f": {had_by}"
    if isinstance(value, str) and (kinds.refuses_text or list in kinds.classes):
        words = value.split()
        return f": write {words!r}" if 0 < len(words) < 6 and len(value) < 60 else ": split it"
    return ""
