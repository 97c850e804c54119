"""The static part of terms as plain data: the kind of each term, and its inputs.

It never changes and knows nothing of engines: `term_graph` makes nodes from it, `walk` a drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, dataclass_transform

from pycurrent.incr import Item
from pycurrent.term.given import Stand
from pycurrent.term.label import Label
from pycurrent.term.output import Output
from pycurrent.term.primitive import Primitive

Eq = Callable[[Any, Any], bool]
S = TypeVar("S")


class Term(Stand):
    """A shape and its context: the data of a `Current`, without its methods."""

    __slots__ = ("__weakref__", "context", "shape")
    shape: Shape
    context: Context
    """The code that built it: a block, the inside of a bind, the part for an item."""


class ContextBlock:
    """A block of code: a term that leads, in the diagram, to all that is built in it."""

    __slots__ = ("outer", "term")

    def __init__(self, term: Term, outer: Context = None) -> None:
        self.term = term
        self.outer = outer


class LabelBlock:
    """A block of code: all stages that are built in it have its labels."""

    __slots__ = ("fixed", "outer", "term")

    def __init__(self, fixed: Mapping[str, str], term: Term | None, outer: Context) -> None:
        self.fixed = fixed
        """The labels whose text is known without an engine, with those of blocks around it."""
        self.term = term
        """The value is a dictionary of all labels; None if all are fixed."""
        self.outer = outer


Context: TypeAlias = "ContextBlock | LabelBlock | Term | None"
"""The code that builds a term. None is the outermost."""


@dataclass_transform(frozen_default=True, eq_default=False)
def _shape(cls: type[S]) -> type[S]:
    """A dataclass that is frozen for type checkers only: at run time that would double the time
    it takes to make one, and chains of many thousands are built of them.
    """
    return dataclass(slots=True, eq=False)(cls)


class _OfNone:
    __slots__ = ()

    def inputs(self) -> Sequence[Term]:
        """The terms that it is made from: none."""
        return ()


@_shape
class _OfOne:
    source: Term

    def inputs(self) -> Sequence[Term]:
        """The terms that it is made from."""
        return (self.source,)


@_shape
class _OfMany:
    sources: Sequence[Term]

    def inputs(self) -> Sequence[Term]:
        """The terms that it is made from."""
        return self.sources


@_shape
class Constant(_OfNone):
    output: Output[Any]
    label: str | None


@_shape
class Map(_OfOne):
    fn: Callable[[Any], Any]
    eq: Eq | None


@_shape
class MapMany(_OfMany):
    fn: Callable[..., Any]
    eq: Eq | None


@_shape
class MapError(_OfOne):
    fn: Callable[[str], str]


@_shape
class StateOf(_OfOne):
    hidden: bool


@_shape
class Catch(_OfOne):
    hidden: bool


@_shape
class Cutoff(_OfOne):
    eq: Eq


@_shape
class Latch(_OfOne):
    infra: bool


@_shape
class Ignore(_OfOne):
    pass


@_shape
class Collapse(_OfOne):
    """A fold of the diagram: it hides `source`, and `input` leads to it."""

    key: str
    value: str
    input: Term


@_shape
class Folded(_OfOne):
    """One of several currents that a fold hides together: drawn as `whole` while that is."""

    whole: Term


@_shape
class Gate(_OfOne):
    on: Term

    def inputs(self) -> Sequence[Term]:
        return (self.source, self.on)


@_shape
class MetadataOf(_OfOne):
    asked: Term
    """The term that the author asked about: asking counts as using it."""


@_shape
class Labelling(_OfMany):
    """A dictionary of labels: those that `sources` give, by their names, and the fixed ones. One
    without a name gives a dictionary of the labels around. None of them is waited for.
    """

    names: tuple[str | None, ...]
    fixed: Mapping[str, str]


@_shape
class BindShape(_OfMany):
    fn: Callable[..., Any]
    name: str | None
    eq: Eq | None


@_shape
class Component(_OfMany):
    label: Label
    fn: Callable[..., Primitive[Any]]
    constants: tuple[Any, ...] = ()
    """The plain arguments of an inline component; other components have them in their labels."""


@_shape
class All(_OfMany):
    """All of several currents: their values as a list, or (`collect` False) None."""

    labels: list[str] | None
    collect: bool


@_shape
class Itemwise(_OfOne):
    """A list or an option to whose items `fn` is applied, one by one."""

    fn: Callable[[Any], Any]
    label: str | None
    collect: bool


@_shape
class ListMap(Itemwise):
    key: Callable[[Any], Hashable] | None
    collapse_key: str | None


@_shape
class OptionMap(Itemwise):
    """A list of at most one item, which stays the same item while its value changes."""


@_shape
class ItemOf(_OfNone):
    """One item of a list or an option."""

    parent: Term
    """The list or option that it is an item of."""
    item: Item


class Placeholder(_OfNone):
    """Stands for an item in an example. It is drawn, and never gets a node."""

    __slots__ = ()


PassingOn: TypeAlias = (
    MapMany
    | MapError
    | StateOf
    | Catch
    | Cutoff
    | Latch
    | Ignore
    | Collapse
    | Folded
    | Gate
    | MetadataOf
    | Labelling
)
"""The shapes with one node, which passes on what the inputs have; `Map`, the most frequent one, is
not among them.
"""
Shape: TypeAlias = (
    PassingOn
    | Constant
    | Map
    | BindShape
    | Component
    | All
    | ListMap
    | OptionMap
    | ItemOf
    | Placeholder
)


def leading(here: ContextBlock | LabelBlock | Term) -> Term | None:
    """The term that leads to what is built in it; None for an item, which is led to by its list."""
    match here:
        case ContextBlock():
            return here.term
        case LabelBlock():
            return None
        case _:
            return here if isinstance(here.shape, BindShape) else None


def around(here: ContextBlock | LabelBlock | Term) -> Context:
    """The next context outwards; None inside a bind, whose box leads on."""
    if isinstance(here, ContextBlock | LabelBlock):
        return here.outer
    return None if isinstance(here.shape, BindShape) else here.context
