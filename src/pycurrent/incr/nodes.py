"""The nodes with a fixed number of inputs, and the bind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from pycurrent.incr.graph import NodeGraph
from pycurrent.incr.node import SCALARS, UNSET, Absent, DynamicNode, Eq, LazyList, Node, materialize
from pycurrent.incr.scope import Scope
from pycurrent.incr.slices import Parts


def combine(sources: Iterable[Node]) -> Absent | None:
    """The absence of the sources, if one has no value: the highest rank, then the leftmost."""
    absent: Absent | None = None
    for source in sources:
        other = source.absent
        if other is not None and (absent is None or other.rank > absent.rank):
            absent = other
    return absent


class Const(Node):
    """A value that never changes: see `NodeGraph.add_known`."""

    __slots__ = ()

    def __init__(self, value: Any, absent: Absent | None = None) -> None:
        # Spelt out, like `Map1`: there may be one for each component.
        self.value = value
        self.absent = absent
        self.height = 0
        self.pending = False
        self.home = None
        self.owner = None
        self.users = None

    def recompute(self, graph: NodeGraph) -> bool:
        return True


class Source(Node):
    """A value that is set from outside. Call `set` before the run that should show it. While a run
    is paused it changes nothing before the next one.

    It may be used again after its last user has left.
    """

    __slots__ = ("_next",)

    def __init__(self, value: Any, absent: Absent | None = None) -> None:
        super().__init__()
        self._next = (value, absent)

    def set(self, graph: NodeGraph, value: Any, absent: Absent | None = None) -> None:
        if graph.holds_back:
            graph.before_next_run(partial(self.set, graph, value, absent))
            return
        self._next = (value, absent)
        graph.push(self)

    def recompute(self, graph: NodeGraph) -> bool:
        value, absent = self._next
        return self.take(graph, value) if absent is None else self.become_absent(absent)

    def release(self, graph: NodeGraph) -> None:
        # Nobody needs it now, but a later user must see the change.
        self.value, self.absent = self._next


class Map1(Node):
    """A function of one node."""

    __slots__ = ("eq", "fn", "source")

    def __init__(self, fn: Callable[[Any], Any], source: Node, eq: Eq | None = None) -> None:
        # Spelt out, not through super(): long chains are built from these.
        self.value = None
        self.absent = UNSET
        self.height = 0
        self.pending = False
        self.home = None
        self.owner = None
        self.users = None
        self.fn = fn
        self.eq = eq
        self.source = source

    def inputs(self) -> Iterable[Node]:
        return (self.source,)

    def recompute(self, graph: NodeGraph) -> bool:
        source = self.source
        absent = source.absent
        if absent is not None:
            if self.absent is absent:
                return False
            self.absent = absent
            self.value = None
            return True
        value = source.value
        if value.__class__ is LazyList:
            value = value.items()
        try:
            value = self.fn(value)
        except BaseException as error:
            return self.fault(graph, error)
        # A short cut for plain values, which most values of long chains are.
        if self.eq is None:
            if self.absent is None:
                old = self.value
                if value is old:
                    return False
                kind = value.__class__
                if kind is old.__class__ and kind in SCALARS:
                    if value == old:
                        return False
                    self.value = value
                    return True
            elif value.__class__ in SCALARS:
                self.value = value
                self.absent = None
                return True
        return self.take(graph, value, self.eq, giver=self.fn)


class MapN(Node):
    """A function of several nodes; the same node may be given twice."""

    __slots__ = ("eq", "fn", "sources")

    def __init__(
        self, fn: Callable[..., Any], sources: Sequence[Node], eq: Eq | None = None
    ) -> None:
        super().__init__()
        self.fn = fn
        self.eq = eq
        self.sources = sources

    def inputs(self) -> Iterable[Node]:
        return dict.fromkeys(self.sources)

    def recompute(self, graph: NodeGraph) -> bool:
        absent = combine(self.sources)
        if absent is not None:
            return self.publish(None, absent)
        try:
            value = self.fn(*[materialize(source.value) for source in self.sources])
        except BaseException as error:
            return self.fault(graph, error)
        return self.take(graph, value, self.eq, giver=self.fn)


class BindDecision(Node):
    """The decision of a bind: builds a new inside whenever its inputs change.

    `build(scope, *values)` makes the nodes of the inside in the scope and returns the one to
    follow, or parts that do. If it raises, that is the outcome of the bind. The nodes of the last
    inside are needed until the next one is built, so nodes in both stay.
    """

    __slots__ = ("build", "result", "scope", "sources")

    def __init__(self, build: Callable[..., Node | Parts[Node]], sources: Sequence[Node]) -> None:
        super().__init__()
        self.build = build
        self.sources = sources
        self.result: BindResult | None = None
        self.scope: Scope | None = None

    def inputs(self) -> Iterable[Node]:
        return dict.fromkeys(self.sources)

    def scopes(self) -> Iterable[Scope]:
        return () if self.scope is None else (self.scope,)

    def recompute(self, graph: NodeGraph) -> Parts[bool]:
        assert self.result is not None
        absent = combine(self.sources)
        if absent is None:
            try:
                yield from self._build(graph, self.result)
            except BaseException as error:
                if not graph.running:
                    raise  # closed while it was paused
                absent = graph.fault(error)
                if self.absent == absent:
                    absent = self.absent
        if absent is not None:
            self._enter(None)
            self.result.follow(graph, None)
        return self.publish(None, absent)

    def _enter(self, scope: Scope | None) -> None:
        if self.scope is not None:
            self.scope.close()
        self.scope = scope

    def _build(self, graph: NodeGraph, result: BindResult) -> Parts[None]:
        """Build and follow a new inside; on an exception the old one stays as it is."""
        scope = Scope(self)
        built = self.build(scope, *[materialize(source.value) for source in self.sources])
        inner = built if isinstance(built, Node) else (yield from built)
        result.follow(graph, inner)
        self._enter(scope)


class BindResult(DynamicNode):
    """The result of a decision, and its only user."""

    __slots__ = ("decision", "eq", "inner", "shown")

    def __init__(self, decision: BindDecision, eq: Eq | None = None) -> None:
        super().__init__()
        self.decision = decision
        self.eq = eq
        self.inner: Node | None = None
        # The node whose outcome it had when it was last computed.
        self.shown: Node | None = None
        decision.result = self

    def inputs(self) -> Iterable[Node]:
        if self.inner is None:
            return (self.decision,)
        return (self.decision, self.inner)

    def follow(self, graph: NodeGraph, inner: Node | None) -> None:
        """Follow another inside from now on; raises `Cycle` if it needs this bind."""
        old = self.inner
        if inner is old:
            return
        if inner is not None:
            graph.attach(inner, self)
        self.inner = inner
        if old is not None:
            graph.unlink(old, self)
        graph.push(self)

    def recompute(self, graph: NodeGraph) -> bool:
        source = self.decision if self.inner is None else self.inner
        shown, self.shown = self.shown, source
        if source.absent is not None:
            return self.publish(None, source.absent)
        if source is shown and self.eq is None:
            # That node has compared the values; comparing lists again would take their length.
            return self.publish(source.value, None)
        return self.accept(graph, source.value, self.eq)
