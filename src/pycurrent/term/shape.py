"""The kinds of terms: what each is made from, and the nodes that it becomes.

A shape is the static part of a current. It never changes, and knows of no engine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pycurrent.incr import GAP, BindResult, Const, Gather, GatherTree, Item, Map1, MapN, Node, Scope
from pycurrent.term.context import Context
from pycurrent.term.latch import Latched
from pycurrent.term.nodes import (
    Caught,
    CutoffNode,
    Decision,
    ErrorMapped,
    Gated,
    Ignored,
    ListNode,
    MetadataNode,
    PassThrough,
    Reified,
    Stage,
)
from pycurrent.term.output import READY, Active, Failed, Ok, Output
from pycurrent.term.together import NamingGather

if TYPE_CHECKING:
    from pycurrent.term.current import Current
    from pycurrent.term.label import Label
    from pycurrent.term.live import TermGraph
    from pycurrent.term.primitive import Primitive

Eq = Callable[[Any, Any], bool]
Term = Any  # Current[Any], where a dataclass would evaluate it


class Shape(ABC):
    """What a current is."""

    __slots__ = ()

    @abstractmethod
    def inputs(self) -> Sequence[Current[Any]]:
        """The currents that it is made from."""

    @abstractmethod
    def node(self, live: TermGraph, term: Current[Any], scope: Scope | None) -> Node:
        """Make its node, and what else it takes; the nodes of the inputs are there."""


class _Plain(Shape):
    """A shape that becomes just one node."""

    __slots__ = ()

    @abstractmethod
    def make(self, *inputs: Node) -> Node:
        """The node, from those of the inputs."""

    def node(self, live: TermGraph, term: Current[Any], scope: Scope | None) -> Node:
        nodes = live.nodes
        node = self.make(*[nodes[source] for source in self.inputs()])
        live.add(node, scope)
        return node


@dataclass(slots=True, eq=False)
class Constant(_Plain):
    output: Output[Any]
    label: str | None

    def inputs(self) -> Sequence[Current[Any]]:
        return ()

    def make(self, *inputs: Node) -> Node:
        match self.output:
            case Ok(value):
                return Const(value)
            case Failed() | Active() as absent:
                return Const(None, absent)


@dataclass(slots=True, eq=False)
class Map(Shape):
    source: Term
    fn: Callable[[Any], Any]
    eq: Eq | None

    def inputs(self) -> Sequence[Current[Any]]:
        return (self.source,)

    def node(self, live: TermGraph, term: Current[Any], scope: Scope | None) -> Node:
        node = Map1(self.fn, live.nodes[self.source], self.eq)
        live.add(node, scope)
        return node


@dataclass(slots=True, eq=False)
class MapMany(_Plain):
    sources: Sequence[Term]
    fn: Callable[..., Any]
    eq: Eq | None

    def inputs(self) -> Sequence[Current[Any]]:
        return self.sources

    def make(self, *inputs: Node) -> Node:
        return MapN(self.fn, inputs, self.eq)


@dataclass(slots=True, eq=False)
class _OfOne(_Plain):
    source: Term

    def inputs(self) -> Sequence[Current[Any]]:
        return (self.source,)


@dataclass(slots=True, eq=False)
class MapError(_OfOne):
    fn: Callable[[str], str]

    def make(self, *inputs: Node) -> Node:
        return ErrorMapped(inputs[0], self.fn)


@dataclass(slots=True, eq=False)
class StateOf(_OfOne):
    hidden: bool

    def make(self, *inputs: Node) -> Node:
        return Reified(*inputs)


@dataclass(slots=True, eq=False)
class Catch(_OfOne):
    hidden: bool

    def make(self, *inputs: Node) -> Node:
        return Caught(*inputs)


@dataclass(slots=True, eq=False)
class Cutoff(_OfOne):
    eq: Eq

    def make(self, *inputs: Node) -> Node:
        return CutoffNode(inputs[0], self.eq)


@dataclass(slots=True, eq=False)
class Latch(Shape):
    source: Term
    infra: bool

    def inputs(self) -> Sequence[Current[Any]]:
        return (self.source,)

    def node(self, live: TermGraph, term: Current[Any], scope: Scope | None) -> Node:
        node = Latched(live, live.nodes[self.source], infra=self.infra)
        live.add(node, scope)
        return node


@dataclass(slots=True, eq=False)
class Ignore(_OfOne):
    def make(self, *inputs: Node) -> Node:
        return Ignored(*inputs)


@dataclass(slots=True, eq=False)
class Collapse(_OfOne):
    """A fold of the diagram: `source` is what it hides, `input` what leads to it."""

    key: str
    value: str
    input: Term

    def make(self, *inputs: Node) -> Node:
        return PassThrough(*inputs)


@dataclass(slots=True, eq=False)
class Folded(_OfOne):
    """One of several currents that a fold hides together: drawn as `whole` while that is."""

    whole: Term

    def make(self, *inputs: Node) -> Node:
        return PassThrough(*inputs)


@dataclass(slots=True, eq=False)
class Gate(_Plain):
    source: Term
    on: Term

    def inputs(self) -> Sequence[Current[Any]]:
        return (self.source, self.on)

    def make(self, *inputs: Node) -> Node:
        return Gated(*inputs)


@dataclass(slots=True, eq=False)
class MetadataOf(Shape):
    source: Term
    asked: Term
    """The term that was asked about, which is in use by that."""

    def inputs(self) -> Sequence[Current[Any]]:
        return (self.source,)

    def node(self, live: TermGraph, term: Current[Any], scope: Scope | None) -> Node:
        source = live.nodes[self.source]
        node = MetadataNode(source)
        if isinstance(source, Stage | Latched):
            source.reports = (*source.reports, node)
        live.add(node, scope)
        return node


@dataclass(slots=True, eq=False)
class BindShape(Shape):
    sources: Sequence[Term]
    fn: Callable[..., Any]
    name: str | None
    eq: Eq | None

    def inputs(self) -> Sequence[Current[Any]]:
        return self.sources

    def node(self, live: TermGraph, term: Current[Any], scope: Scope | None) -> Node:
        context = Context(term)

        def build(inside: Scope, *values: Any) -> Node:
            return live.build_inside(self.fn, inside, context, *values)

        sources = [live.nodes[source] for source in self.sources]
        decision = Decision(live, build, sources, counted=self.name is not None)
        live.add(decision, scope)
        if self.name is not None:
            live.count(decision, term)
        bind = BindResult(decision, self.eq)
        live.add(bind, scope, gap=GAP)
        return bind


@dataclass(slots=True, eq=False)
class Component(Shape):
    label: Label
    sources: Sequence[Term]
    fn: Callable[..., Primitive[Any]]

    def inputs(self) -> Sequence[Current[Any]]:
        return self.sources

    def node(self, live: TermGraph, term: Current[Any], scope: Scope | None) -> Node:
        stage = Stage(live, self.fn, [live.nodes[source] for source in self.sources])
        live.add(stage, scope)
        live.count(stage, term)
        return stage


@dataclass(slots=True, eq=False)
class All(Shape):
    """All of several currents: their values as a list, or (`collect` False) None."""

    sources: Sequence[Term]
    labels: list[str] | None
    collect: bool

    def inputs(self) -> Sequence[Current[Any]]:
        return self.sources

    def node(self, live: TermGraph, term: Current[Any], scope: Scope | None) -> Node:
        kind = Gather if self.labels is None else NamingGather
        tree = GatherTree(collect=self.collect, kind=kind)
        members = [live.nodes[source] for source in self.sources]
        live.add(tree, scope)
        tree.fill(live, members, self.labels)
        return tree


@dataclass(slots=True, eq=False)
class Itemwise(Shape):
    """What a list or an option is mapped by, item by item."""

    source: Term
    fn: Callable[[Any], Any]
    label: str | None
    collect: bool
    # What is built for an item that is not there, to show what would be done.
    example: Term | None = field(default=None, init=False)

    def inputs(self) -> Sequence[Current[Any]]:
        return (self.source,)

    def follow(
        self, live: TermGraph, term: Current[Any], scope: Scope | None, each: ListNode
    ) -> Node:
        """Take in the node that follows the items, and return the one with their outcomes."""
        live.add(each, scope)
        live.add(each.results, scope, gap=GAP)
        return each.results


@dataclass(slots=True, eq=False)
class ListMap(Itemwise):
    key: Callable[[Any], Hashable] | None
    collapse_key: str | None

    def node(self, live: TermGraph, term: Current[Any], scope: Scope | None) -> Node:
        source = live.nodes[self.source]
        each = ListNode(live, term, source, key=self.key, collect=self.collect, kind=NamingGather)
        return self.follow(live, term, scope, each)


@dataclass(slots=True, eq=False)
class OptionMap(Itemwise):
    """A list of at most one item, which stays the same item while its value changes."""

    def node(self, live: TermGraph, term: Current[Any], scope: Scope | None) -> Node:
        items = Map1(_as_list, live.nodes[self.source])
        live.add(items, scope)
        each = ListNode(live, term, items, key=_same_key, collect=self.collect)
        results = self.follow(live, term, scope, each)
        if not self.collect:
            return results
        result = Map1(_as_option, results)
        live.add(result, scope)
        return result


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else [value]


def _as_option(values: list[Any]) -> Any:
    return values[0] if values else None


def _same_key(_: Any) -> Hashable:
    return None


@dataclass(slots=True, eq=False)
class ItemOf(Shape):
    """One item of a list or an option."""

    parent: Term
    """The list or option that it is an item of."""
    item: Item

    def inputs(self) -> Sequence[Current[Any]]:
        return ()

    def node(self, live: TermGraph, term: Current[Any], scope: Scope | None) -> Node:
        # The function that it was made for does not use it, but something inside does.
        return self.item


@dataclass(slots=True, eq=False)
class Placeholder(_Plain):
    """The item that is not there, of an example. It is drawn, but never lives."""

    parent: Term

    def inputs(self) -> Sequence[Current[Any]]:
        return ()

    def make(self, *inputs: Node) -> Node:
        return Const(None, READY)
