"""The static part of terms as plain data: the kind of each term, and its inputs.

It never changes and knows nothing of engines: `term_graph` makes nodes from it, `walk` a drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from pycurrent.incr import Item
from pycurrent.term.given import Stand
from pycurrent.term.label import Label
from pycurrent.term.output import Output
from pycurrent.term.primitive import Primitive

Eq = Callable[[Any, Any], bool]


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
    """A block of code: all stages that are built in it have its labels and its trust."""

    __slots__ = ("fixed", "guard", "outer", "term")

    def __init__(
        self,
        fixed: Mapping[str, str],
        term: Term | None,
        outer: Context,
        guard: Term | None = None,
    ) -> None:
        self.fixed = fixed
        """The labels whose text is known without an engine, with those of blocks around it."""
        self.term = term
        """The value is a dictionary of all labels; None if all are fixed."""
        self.outer = outer
        self.guard = guard
        """The value is the `Trust` of the work that is built in it; None: it is trusted."""

    @property
    def followed(self) -> tuple[Term, ...]:
        """The terms that its stages follow."""
        return tuple([term for term in (self.term, self.guard) if term is not None])


Context: TypeAlias = "ContextBlock | LabelBlock | Term | None"
"""The code that builds a term. None is the outermost."""


class _OfNone:
    __slots__ = ()

    def inputs(self) -> Sequence[Term]:
        """The terms that it is made from: none."""
        return ()


class _OfOne(Struct, frozen=True, eq=False):
    source: Term

    def inputs(self) -> Sequence[Term]:
        """The terms that it is made from."""
        return (self.source,)


class _OfMany(Struct, frozen=True, eq=False):
    sources: Sequence[Term]

    def inputs(self) -> Sequence[Term]:
        """The terms that it is made from."""
        return self.sources


class Constant(_OfNone, Struct, frozen=True, eq=False):
    output: Output[Any]
    label: str | None


class Map(_OfOne, frozen=True, eq=False):
    fn: Callable[[Any], Any]
    eq: Eq | None


class MapMany(_OfMany, frozen=True, eq=False):
    fn: Callable[..., Any]
    eq: Eq | None


class Guard(MapMany, frozen=True, eq=False):
    """The trust of what is built in blocks of code, from that of each."""


class MapError(_OfOne, frozen=True, eq=False):
    fn: Callable[[str], str]


class StateOf(_OfOne, frozen=True, eq=False):
    hidden: bool


class Catch(_OfOne, frozen=True, eq=False):
    hidden: bool


class Cutoff(_OfOne, frozen=True, eq=False):
    eq: Eq


class Latch(_OfOne, frozen=True, eq=False):
    infra: bool


class Ignore(_OfOne, frozen=True, eq=False):
    pass


class Collapse(_OfOne, frozen=True, eq=False):
    """A fold of the diagram: it hides `source`, and `input` leads to it."""

    key: str
    value: str
    input: Term


class Folded(_OfOne, frozen=True, eq=False):
    """One of several currents that a fold hides together: drawn as `whole` while that is."""

    whole: Term


class Gate(_OfOne, frozen=True, eq=False):
    on: Term

    def inputs(self) -> Sequence[Term]:
        return (self.source, self.on)


class MetadataOf(_OfOne, frozen=True, eq=False):
    asked: Term
    """The term that the author asked about: asking counts as using it."""


class FailedStagesOf(_OfOne, frozen=True, eq=False):
    """The failed stages because of which `source` has failed: the first `most`."""

    most: int


class Labelling(_OfMany, frozen=True, eq=False):
    """A dictionary of labels: those that `sources` give, by their names, and the fixed ones. One
    without a name gives a dictionary of the labels around. None of them is waited for.
    """

    names: tuple[str | None, ...]
    fixed: Mapping[str, str]


class BindShape(_OfMany, frozen=True, eq=False):
    fn: Callable[..., Any]
    name: str | None
    eq: Eq | None


class Component(_OfMany, frozen=True, eq=False):
    label: Label
    fn: Callable[..., Primitive[Any]]
    constants: tuple[Any, ...] = ()
    """The plain arguments of an inline component; other components have them in their labels."""


class All(_OfMany, frozen=True, eq=False):
    """All of several currents: their values as a list, or (`collect` False) None."""

    labels: list[str] | None
    collect: bool


class Itemwise(_OfOne, frozen=True, eq=False):
    """A list or an option to whose items `fn` is applied, one by one."""

    fn: Callable[[Any], Any]
    label: str | None
    collect: bool


class ListMap(Itemwise, frozen=True, eq=False):
    key: Callable[[Any], Hashable] | None
    collapse_key: str | None


class OptionMap(Itemwise, frozen=True, eq=False):
    """A list of at most one item, which stays the same item while its value changes."""


class ItemOf(_OfNone, Struct, frozen=True, eq=False):
    """One item of a list or an option."""

    parent: Term
    """The list or option that it is an item of."""
    item: Item


class Placeholder(_OfNone, Struct, frozen=True, eq=False):
    """Stands for an item in an example. It is drawn, and never gets a node."""

    listing: Itemwise
    """The list or option of the example. Not its term, which this must not keep."""


PassingOn: TypeAlias = (
    Guard
    | MapMany
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
    | FailedStagesOf
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


def maker_around(context: Context) -> Term | None:
    """The innermost bind, or item of a list or an option, around what is built in a context."""
    while isinstance(context, ContextBlock | LabelBlock):
        context = context.outer
    return context


def makers(term: Term) -> Iterator[Term]:
    """The binds, and the items of lists and options, that it was built in, the innermost first."""
    here = maker_around(term.context)
    while here is not None:
        yield here
        here = maker_around(here.context)
