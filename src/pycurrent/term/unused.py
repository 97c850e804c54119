"""Naming the terms that a pipeline builds and does not use: they are never evaluated.

A term that anything may still come to use is referred to: by another term, by a function that
has kept it for later, by a module. One that is not is gone as soon as the function has
returned, and only its shape is known here, which refers to what it was made from. So of what
is unused, the last term is told.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Self, TypeVar

from pycurrent.term import shape as shapes
from pycurrent.term.label import UnknownValue
from pycurrent.term.shape import Shape, Term

T = TypeVar("T")

MOST = 10
"""How many are named."""
_CALLS = 100
"""How many calls of a function are looked at, so that each item of a long list costs nothing."""


class Made:
    """The terms that have been made in a block."""

    # Each job has one: a context manager of `contextlib` would take three times as long.
    __slots__ = ("_terms", "_token")

    def __init__(self) -> None:
        self._terms: list[tuple[weakref.ref[Term], Shape]] = []

    def __enter__(self) -> Self:
        self._token = MADE.set(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        # A coroutine that is left in the block is closed by the collector, in any context.
        try:  # noqa: SIM105 - `suppress` would take as long as all else here
            MADE.reset(self._token)
        except ValueError:
            pass

    def note(self, term: Term) -> None:
        self._terms.append((weakref.ref(term), term.shape))

    def unused(self) -> list[str]:
        """How those are called that nothing refers to any more, in the order they were made."""
        if not self._terms:
            return []
        names = [
            _name(shape)
            for term, shape in self._terms
            if term() is None and type(shape) not in _OF_NO_USE
        ]
        return list(dict.fromkeys(names))


# State of the running code, not of the module: each thread and task has its own.
MADE: ContextVar[Made | None] = ContextVar("pycurrent_made", default=None)


def noting() -> Made:
    """Note the terms that are made in the block."""
    return Made()


class UnusedInside:
    """The terms that the functions of binds, lists and options have built and not used.

    Looks at the first calls of each function, and finds at most `MOST` of them.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.listener: Callable[[], object] | None = None
        """Called when there are more names, in the middle of a step."""
        self._calls: dict[object, int] = {}

    def look(self, fn: Callable[..., Any], build: Callable[..., T], *args: Any) -> T:
        """Return what `build(*args)` does, which calls `fn`. Notes nothing if it raises."""
        code = getattr(fn, "__code__", type(fn))
        calls = self._calls.get(code, 0)
        if calls >= _CALLS or len(self.names) >= MOST:
            return build(*args)
        self._calls[code] = calls + 1
        with noting() as made:
            built = build(*args)
        self._add(made.unused())
        return built

    def _add(self, names: list[str]) -> None:
        more = [name for name in names if name not in self.names]
        if more:
            self.names += more[: MOST - len(self.names)]
            if self.listener is not None:
                self.listener()


def told(unused: list[str] | tuple[str, ...]) -> str | None:
    """Return the message about unused terms; None if there are none."""
    if not unused:
        return None
    names = ", ".join(unused[:MOST])
    more = len(unused) - MOST
    if more > 0:
        names += f" and {more} more"
    return (
        f"built but not used, so never run: {names}; if it is to run, have the pipeline return it"
        f" too, as in current.all([...])"
    )


# Without an effect of their own, or made by a combinator along with what was asked for.
_OF_NO_USE = (
    shapes.Constant,
    shapes.Folded,
    shapes.Guard,
    shapes.ItemOf,
    shapes.Labelling,
    shapes.Placeholder,
)

_KINDS: Mapping[type[Shape], str] = MappingProxyType(
    {
        shapes.BindShape: "a bind",
        shapes.All: "all",
        shapes.Gate: "a gate",
        shapes.ListMap: "a list",
        shapes.OptionMap: "an option",
    }
)


def _name(shape: Shape) -> str:
    """The name of a stage; for other terms their kind, and the stage that they come from."""
    own = _own_name(shape)
    if own is not None:
        return own
    kind = _KINDS.get(type(shape), f"a {type(shape).__name__.lower()}")
    stage = next(filter(None, map(_own_name, _above(shape))), None)
    return kind if stage is None else f"{kind} of {stage}"


def _own_name(shape: Shape) -> str | None:
    match shape:
        case shapes.Component(label=label, sources=sources):
            return repr(label.show([UnknownValue()] * len(sources)))
        case shapes.BindShape(name=str() as name):
            return repr(name)
        case shapes.Itemwise(label=str() as label):
            return repr(label)
        case _:
            return None


def _above(shape: Shape) -> Iterator[Shape]:
    """Yield the shapes that it was made from, the nearest first."""
    seen: set[int] = set()
    level = [shape]
    while level:
        inputs = [source.shape for above in level for source in above.inputs()]
        level = [found for found in inputs if id(found) not in seen]
        seen.update(map(id, level))
        yield from level
