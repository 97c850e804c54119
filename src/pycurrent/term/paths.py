"""The path of a stage: its name for people and records, the same from run to run.

It consists of the keys of list items and the names of binds that the stage was built in, from the
root, and of its own name: the label without the values of other currents, as these change. Stages
that would have the same path, *twins*, are told apart by their constant arguments; if these are
equal, too, they are numbered in the order of building.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from hashlib import sha256
from heapq import heappop, heappush
from pathlib import PurePath

from pycurrent.term.label import Label
from pycurrent.term.output import text_of
from pycurrent.term.primitive import StageRef
from pycurrent.term.shape import BindShape, Component, ContextBlock, ItemOf, ListMap, Term

LONG = 60
"""The characters of a name beyond which it is cut, and told apart by a digest."""


@dataclass(frozen=True, slots=True)
class _RawPath:
    """The path of a stage without regard to twins, and what tells it from them."""

    path: tuple[str, ...]
    constants: tuple[str, ...]
    number: int


class _Equals:
    """The stages with the same path and constants, numbered from 1; each keeps its number."""

    __slots__ = ("free", "size")

    def __init__(self) -> None:
        self.size = 0
        self.free: list[int] = []

    def take(self) -> int:
        self.size += 1
        return heappop(self.free) if self.free else self.size

    def give_back(self, number: int) -> None:
        self.size -= 1
        heappush(self.free, number)


class Paths:
    """The paths of the stages that live in one engine.

    It keeps nothing until somebody asks for a path. Stages that have once been told apart stay so:
    a path does not change while twins come and go.
    """

    def __init__(self, living: Callable[[], Iterator[Term]]) -> None:
        self._living = living
        self._is_asked = False
        self._raw_paths: dict[Term, _RawPath] = {}
        self._twins: dict[tuple[str, ...], dict[tuple[str, ...], _Equals]] = {}
        # The paths of twins that are told apart by their constants.
        self._split: set[tuple[str, ...]] = set()

    def of(self, term: Term) -> StageRef:
        """Return the reference of a living stage."""
        if not self._is_asked:
            self._is_asked = True
            for living in self._living():
                self.add(living)
        place = self._raw_paths[term]
        *around, name = place.path
        if place.path in self._split and place.constants:
            name += f" ({_cut(', '.join(place.constants))})"
        if place.number > 1:
            name += f"#{place.number}"
        while (found := (*around, name)) != place.path and found in self._twins:
            # Another stage has this very name.
            name += "#"
        is_only = self._twins[place.path][place.constants].size == 1
        return StageRef(found, is_stable=is_only and place.number == 1)

    def add(self, term: Term) -> None:
        """Take in a new stage. Twice is fine."""
        if not self._is_asked or term in self._raw_paths:
            return
        path, constants = (*_names_around(term), _own_name(term)), _constants(term)
        twins = self._twins.setdefault(path, {})
        equals = twins.setdefault(constants, _Equals())
        self._raw_paths[term] = _RawPath(path, constants, equals.take())
        if len(twins) > 1:
            self._split.add(path)

    def remove(self, term: Term) -> None:
        """Forget a released stage. Twice is fine."""
        place = self._raw_paths.pop(term, None)
        if place is None:
            return
        twins = self._twins[place.path]
        equals = twins[place.constants]
        equals.give_back(place.number)
        if not equals.size:
            del twins[place.constants]
            if not twins:
                del self._twins[place.path]


def _names_around(term: Term) -> tuple[str, ...]:
    """The names of what a term was built in, from the root."""
    names: list[str] = []
    here = term.context
    while here is not None:
        if isinstance(here, ContextBlock):
            here = here.outer
            continue
        match here.shape:
            case ItemOf(parent=parent, item=item) if isinstance(parent.shape, ListMap):
                names.append(_cut(_text_of_key(item.key)))
            case BindShape(name=str() as name):
                names.append(_cut(name))
        here = here.context
    return tuple(reversed(names))


def _own_name(term: Term) -> str:
    match term.shape:
        case Component(label=label):
            return _cut(_name_of(label))
        case BindShape(name=str() as name):
            return _cut(name)
        case shape:
            raise AssertionError(f"{type(shape).__name__} is not a stage")


_GAP = "\0"
"""Stands for the value of a current in a label."""
_LEFT_OUT = (
    re.compile(rf"\([^()]*{_GAP}[^()]*\)|\[[^\[\]]*{_GAP}[^\[\]]*\]"),
    re.compile(rf"[\s@:=#,/-]*{_GAP}"),
)
"""It, with all that is in brackets with it, or what joins it to the text before it."""


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
    name = label.show([_LeftOut()] * (max(label.slots.values()) + 1))
    for pattern in _LEFT_OUT:
        name = pattern.sub("", name)
    name = " ".join(name.split())
    if name:
        return name
    # It shows nothing but currents: then it is called by what they are.
    parts = string.Formatter().parse(label.text)
    return " ".join(field_name for _, field_name, _, _ in parts if field_name)


def _text_of_key(key: object) -> str:
    kind = type(key)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        return kind.__name__  # its text would be its address
    return text_of(key)


def _cut(name: str) -> str:
    if len(name) <= LONG:
        return name
    digest = sha256(name.encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{name[: LONG - 13]}~{digest}"


# Constant arguments


def _constants(term: Term) -> tuple[str, ...]:
    """The constant arguments of a component, in a form that is the same in each run."""
    shape = term.shape
    if not isinstance(shape, Component):
        return ()
    label = shape.label
    if label.parameters is None:
        return tuple(form_of(value) for value in shape.constants)
    slots = label.slots or {}
    return tuple(
        f"{name}={form_of(value)}"
        for name, value in label.parameters.items()
        if name not in slots and value is not None
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
        case _ if is_dataclass(value) and not isinstance(value, type):
            parts = (
                f"{f.name}={form_of(getattr(value, f.name), depth + 1)}"
                for f in fields(value)
                if f.repr
            )
            return f"{kind.__name__}({', '.join(parts)})"
        case _:
            return str(getattr(value, "__qualname__", kind.__name__))


_SIMPLE = frozenset({type(None), bool, int, float, complex, bytes})
_DEEPEST = 5
