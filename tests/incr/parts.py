"""Short ways to put a graph together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from pycurrent.incr import (
    FANOUT,
    GAP,
    Absent,
    BindDecision,
    BindResult,
    Eq,
    ForEach,
    GatherTree,
    Item,
    Map1,
    MapN,
    Node,
    NodeGraph,
    Scope,
    Source,
    materialize,
)


@dataclass(frozen=True, slots=True)
class Fault(Absent):
    """What an exception leads to."""

    kind: str
    message: str
    rank: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class Wait(Absent):
    """A lower absence."""

    label: str = ""
    rank: ClassVar[int] = 1


class Interrupt(BaseException):
    """What breaks a run off."""


def fault(error: BaseException) -> Fault:
    if isinstance(error, Interrupt):
        raise error
    return Fault(type(error).__name__, str(error))


class Parts(NodeGraph):
    """A graph that makes its nodes, and keeps a list of what it has released."""

    def __init__(self, *, fanout: int = FANOUT) -> None:
        super().__init__(fault, fanout=fanout)
        self.gone: list[Node] = []

    def input(self, value: Any, absent: Absent | None = None) -> Source:
        node = Source(value, absent)
        self.add(node)
        return node

    def map(
        self,
        fn: Callable[..., Any],
        *sources: Node,
        scope: Scope | None = None,
        eq: Eq | None = None,
    ) -> Node:
        node = Map1(fn, sources[0], eq) if len(sources) == 1 else MapN(fn, sources, eq)
        self.add(node, scope)
        return node

    def bind(
        self,
        build: Callable[..., Node],
        *sources: Node,
        scope: Scope | None = None,
        gap: int = GAP,
        eq: Eq | None = None,
    ) -> BindResult:
        """`build(scope, *values)`."""
        decision = BindDecision(build, sources)
        self.add(decision, scope)
        bind = BindResult(decision, eq)
        self.add(bind, scope, gap=gap)
        return bind

    def each(
        self,
        build: Callable[[Item], Node],
        source: Node,
        *,
        key: Callable[[Any], Any] | None = None,
        collect: bool = True,
    ) -> GatherTree:
        each = ForEach(source, build, key=key, collect=collect)
        self.add(each)
        self.add(each.results, gap=GAP)
        return each.results

    def released(self, node: Node) -> None:
        self.gone.append(node)


def outcome(node: Node) -> Any:
    """Its value, or why it has none."""
    return materialize(node.value) if node.absent is None else node.absent
