"""The names of which the paths of stages consist, and the texts that tell twins apart.

They depend on nothing but the term and on where it was built.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from hashlib import sha256
from pathlib import PurePath
from typing import Any

from pycurrent.term.label import Label, NamedLabel
from pycurrent.term.output import text_of
from pycurrent.term.shape import (
    BindShape,
    Component,
    ItemOf,
    ListMap,
    Term,
    maker_around,
    makers,
)

LONG = 60
"""The characters of a name beyond which it is cut, and told apart by a digest."""


def untold_paths(path: Sequence[str]) -> list[tuple[str, ...]]:
    """The paths that a stage with this one may have without regard to twins."""
    *around, last = path
    return [(*around, name) for name in dict.fromkeys(_untold(last))]


def _untold(name: str) -> Iterator[str]:
    """The names that a stage may have without what tells it from its twins."""
    yield name
    name = name.rstrip("#")
    yield name
    name = re.sub(r"#\d+$", "", name)
    yield name
    if name.endswith(")"):
        for found in re.finditer(r" \(", name):
            yield name[: found.start()]


def untold_path(term: Term) -> tuple[str, ...]:
    """The path of a stage without regard to twins."""
    name = own_name(term)
    # Most are built in neither a bind nor a list.
    return (name,) if maker_around(term.context) is None else (*_names_around(term), name)


def full_path(term: Term) -> tuple[str, ...]:
    """The path that a stage has once it was told from its twins by its constant arguments. It names
    the stage whether it has twins or not, so it is the same when they come and go.
    """
    *around, name = untold_path(term)
    return (*around, told_name(name, constants_of(term)))


def told_name(name: str, constants: Sequence[str]) -> str:
    """The name of a stage that is told from its twins by its constant arguments."""
    return f"{name} ({cut(', '.join(constants))})" if constants else name


def _names_around(term: Term) -> tuple[str, ...]:
    """The names of what a term was built in, from the root."""
    names = [name for maker in makers(term) if (name := _name_within(maker)) is not None]
    return tuple(reversed(names))


def names_within(maker: Term) -> tuple[str, ...]:
    """The names around all that is built in a bind or an item, from the root."""
    name = _name_within(maker)
    around = _names_around(maker)
    return around if name is None else (*around, name)


def _name_within(maker: Term) -> str | None:
    """The name that a bind or an item adds to the paths of what is built in it, if it adds one."""
    match maker.shape:
        case ItemOf(parent=parent, item=item) if isinstance(parent.shape, ListMap):
            return cut(text_of_key(item.key))
        case BindShape(name=str() as name):
            return cut(name)
        case _:
            return None


def items_around(term: Term) -> Iterator[object]:
    """The items of lists that a term was built for, the innermost first."""
    for maker in makers(term):
        match maker.shape:
            case ItemOf(parent=parent, item=item) if isinstance(parent.shape, ListMap):
                yield item.item


def own_name(term: Term) -> str:
    """The last name in the path of a stage, without regard to twins."""
    match term.shape:
        case Component(label=label):
            name = cut(_name_of(label))
            return f"{name} ({cut(label.name)})" if isinstance(label, NamedLabel) else name
        case BindShape(name=str() as name):
            return cut(name)
        case shape:
            raise AssertionError(f"{type(shape).__name__} is not a stage")


_GAP = "\0"
"""Stands for the value of a current in a label."""


@cache
def _left_out() -> tuple[re.Pattern[str], ...]:
    """It, with all that is in brackets with it, or what joins it to the text before it."""
    return (
        re.compile(rf"\([^()]*{_GAP}[^()]*\)|\[[^\[\]]*{_GAP}[^\[\]]*\]"),
        re.compile(rf"[\s@:=#,/-]*{_GAP}"),
    )


class _LeftOut:
    """The value of a current, or anything of it, in a label."""

    def __format__(self, spec: str) -> str:
        return _GAP

    def __str__(self) -> str:
        return _GAP

    __repr__ = __str__

    def __getattr__(self, name: str) -> _LeftOut:
        return self

    def __getitem__(self, index: object) -> _LeftOut:
        return self


def _name_of(label: Label) -> str:
    """A label with the constants in it, and without the values of other currents."""
    if not label.slots:
        return label.show(())
    if "{" not in label.text and "}" not in label.text:
        return " ".join(label.text.split())  # as below, in a tenth of the time
    name = label.show([_LeftOut()] * (max(label.places, default=-1) + 1))
    for pattern in _left_out():
        name = pattern.sub("", name)
    name = " ".join(name.split())
    if name:
        return name
    # It shows nothing but currents: then it is called by what they are.
    parts = string.Formatter().parse(label.text)
    return " ".join(field_name for _, field_name, _, _ in parts if field_name)


def text_of_key(key: object) -> str:
    """A text for the key of an item, the same in each run."""
    kind = type(key)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        return kind.__name__  # its text would be its address
    return text_of(key)


def cut(name: str, long: int = LONG) -> str:
    """The name, without its end if it is longer than this, but with a digest of all of it."""
    if len(name) <= long:
        return name
    digest = sha256(name.encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{name[: long - 13]}~{digest}"


# Constant arguments


def constants_of(term: Term) -> tuple[str, ...]:
    """The constant arguments of a component, in a form that is the same in each run."""
    shape = term.shape
    if not isinstance(shape, Component):
        return ()
    label = shape.label
    if label.names is None:
        return tuple(form_of(value) for value in shape.constants)
    return tuple(
        f"{name}={form_of(value)}" for name, value in label.constants() if value is not None
    )


def form_of(value: object, depth: int = 0) -> str:
    """A text for a value that is the same in each run: of what has none, only the type."""
    kind = type(value)
    if depth > _DEEPEST:
        return kind.__name__
    match value:
        case _ if kind in _SIMPLE:
            return repr(value)
        case str():
            return str(value)
        case Enum():
            return f"{kind.__name__}.{value.name}"
        case PurePath():
            return str(value)
        case Mapping():
            pairs = (f"{form_of(k, depth + 1)}: {form_of(v, depth + 1)}" for k, v in value.items())
            return f"{{{', '.join(sorted(pairs))}}}"
        case list() | tuple():
            return f"[{', '.join(form_of(item, depth + 1) for item in value)}]"
        case set() | frozenset():
            return f"{{{', '.join(sorted(form_of(item, depth + 1) for item in value))}}}"
        case _ if hasattr(kind, "__dataclass_fields__"):
            return f"{kind.__name__}({', '.join(_form_of_fields(value, depth))})"
        case _:
            return str(getattr(value, "__qualname__", kind.__name__))


def _form_of_fields(value: Any, depth: int) -> Iterator[str]:
    from dataclasses import fields  # few constants are of such classes

    for field in fields(value):
        if field.repr:
            yield f"{field.name}={form_of(getattr(value, field.name), depth + 1)}"


_SIMPLE = frozenset({type(None), bool, int, float, complex, bytes})
_DEEPEST = 5
