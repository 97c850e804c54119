"""The nodes of terms, besides those that the incremental core brings."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from pycurrent.errors import WrongKind
from pycurrent.incr import (
    BindDecision,
    ForEach,
    Gather,
    GatherTree,
    Item,
    Map1,
    Node,
    NodeGraph,
    Parts,
    combine,
    materialize,
)
from pycurrent.term.account import Account, Stage
from pycurrent.term.given import called, check_list, place_of
from pycurrent.term.output import (
    Active,
    Failed,
    Failure,
    Muted,
    Ok,
    Output,
    unmuted,
)
from pycurrent.term.shape import BindShape, Term
from pycurrent.term.state import State, state_of


class OfOne(Node):
    __slots__ = ("source",)

    def __init__(self, source: Node) -> None:
        super().__init__()
        self.source = source

    def inputs(self) -> Iterable[Node]:
        return (self.source,)


def output_of(node: Node) -> Output[Any]:
    """The output of a node for functions of authors: a muted failure is one as any other."""
    match node.absent:
        case None:
            return Ok(materialize(node.value))
        case Failed() | Active() as absent:
            return unmuted(absent)
        case absent:
            raise AssertionError(f"a node without an outcome was read: {absent!r}")


class Reified(OfOne):
    """The output of the source as a value, whatever it is."""

    __slots__ = ()

    def recompute(self, graph: NodeGraph) -> bool:
        return self.accept(graph, output_of(self.source))


class Caught(OfOne):
    """The output of the source as a value, unless it is not known yet."""

    __slots__ = ()

    def recompute(self, graph: NodeGraph) -> bool:
        absent = self.source.absent
        if isinstance(absent, Active):
            return self.publish(None, absent)
        return self.accept(graph, output_of(self.source))


class ErrorMapped(OfOne):
    """The source, its failure message changed by a function."""

    __slots__ = ("fn", "seen")

    def __init__(self, source: Node, fn: Callable[[str], str]) -> None:
        super().__init__(source)
        self.fn = fn
        self.seen: Failed | None = None

    def recompute(self, graph: NodeGraph) -> bool:
        absent = self.source.absent
        if not isinstance(absent, Failed):
            self.seen = None
            return self.publish(self.source.value, absent)
        if absent == self.seen:
            return False
        self.seen = absent
        try:
            message = self.fn(absent.message)
            graph.inspect(message, self.fn)
            if not isinstance(message, str):
                raise Failure(
                    f"{called(self.fn)} returned {type(message).__name__}: the function of"
                    f" map_error returns a message, a text"
                )
            failed = Failed(message, kind=absent.kind, traceback=absent.traceback)
            muted = Muted(failed, absent.mute) if isinstance(absent, Muted) else failed
            return self.become_absent(muted)
        except BaseException as error:
            return self.fault(graph, error)


class Gated(Node):
    """The source, once the gate has succeeded."""

    __slots__ = ("gate", "source")

    def __init__(self, source: Node, gate: Node) -> None:
        super().__init__()
        self.source = source
        self.gate = gate

    def inputs(self) -> Iterable[Node]:
        return dict.fromkeys((self.source, self.gate))

    def recompute(self, graph: NodeGraph) -> bool:
        absent = combine((self.source, self.gate))
        if absent is not None and absent.is_excused:
            # The gate is open, as no value of it is needed.
            absent = self.source.absent
        return self.publish(None if absent else self.source.value, absent)


class CutoffNode(OfOne):
    """The source, where changes that `eq` calls equal stop."""

    __slots__ = ("eq",)

    def __init__(self, source: Node, eq: Callable[[Any, Any], bool]) -> None:
        super().__init__(source)
        self.eq = eq

    def recompute(self, graph: NodeGraph) -> bool:
        if self.source.absent is not None:
            return self.publish(None, self.source.absent)
        return self.accept(graph, self.source.value, self.eq)


class Ignored(OfOne):
    """None once the source is known, or its failure is muted."""

    __slots__ = ()

    def recompute(self, graph: NodeGraph) -> bool:
        absent = self.source.absent
        return self.publish(None, None if absent is None or absent.is_excused else absent)


class PassThrough(OfOne):
    """The source as it is: a term that only shows in the diagram."""

    __slots__ = ()

    def recompute(self, graph: NodeGraph) -> bool:
        return self.publish(self.source.value, self.source.absent)


class DecisionNode(BindDecision, Stage):
    """The box of a named bind, which is a stage."""

    __slots__ = ("account", "state", "term")
    metadata: None = None
    subscription: None = None
    term: Term

    def __init__(
        self,
        account: Account,
        term: Term,
        build: Callable[..., Node | Parts[Node]],
        sources: list[Node],
    ) -> None:
        super().__init__(build, sources)
        self.account = account
        self.term = term
        self.state = State.BLOCKED

    @property
    def label(self) -> str:
        assert isinstance(self.term.shape, BindShape)
        return self.term.shape.name or ""

    def recompute(self, graph: NodeGraph) -> Parts[bool]:
        before = self.absent
        changed = yield from super().recompute(graph)
        blocked = combine(self.sources) is not None
        if not blocked and isinstance(self.absent, Failed):
            changed = self.mark(before, None)
        state = State.BLOCKED if blocked else state_of(self.absent)
        if state is not self.state:
            self.account.recount(self, self.state, state)
            self.state = state
        return changed

    def release(self, graph: NodeGraph) -> None:
        self.account.uncount(self)


class ListNode(ForEach):
    """Follows a list; while it has no items, an example is shown and its stages are counted."""

    __slots__ = ("account", "term")

    def __init__(
        self,
        account: Account,
        term: Term,
        source: Node,
        build: Callable[[Item], Node | Parts[Node]],
        *,
        key: Callable[[Any], Hashable] | None,
        collect: bool,
        kind: type[Gather] = Gather,
    ) -> None:
        super().__init__(source, build, key=key, collect=collect, kind=kind)
        self.account = account
        self.term = term

    def unpack(self, value: Any) -> list[Any]:
        try:
            check_list(value, "list_map")
        except WrongKind as error:
            raise WrongKind(f"{error}{place_of(getattr(self.term.shape, 'fn', type))}") from None
        return super().unpack(value)

    def recompute(self, graph: NodeGraph) -> Parts[bool]:
        keys = self.keys
        changed = yield from super().recompute(graph)
        if self.keys is not keys:
            self.account.links += 1
        if self.order:
            self.account.hide_example(self.term)
        else:
            self.account.show_example(self.term)
        return changed

    def release(self, graph: NodeGraph) -> None:
        self.account.hide_example(self.term)


def list_behind(node: Node | None) -> ListNode | None:
    """The node that follows the items, of the node of a list or an option; None for others."""
    if isinstance(node, Map1):  # An option, whose value is taken out of a list.
        node = node.source
    if isinstance(node, GatherTree) and isinstance(node.head, ListNode):
        return node.head
    return None
