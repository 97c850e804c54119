"""The nodes of components, their labels and their metadata."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from pycurrent.incr import (
    UNSET,
    Node,
    NodeGraph,
    combine,
    materialize,
)
from pycurrent.term.account import Account, Stage
from pycurrent.term.given import wrong_primitive
from pycurrent.term.label import UnknownValue
from pycurrent.term.nodes import OfOne
from pycurrent.term.output import (
    READY,
    Failed,
    Ok,
    Output,
    failed_by,
    text_of,
)
from pycurrent.term.primitive import Metadata, NoEngine, Primitive, Subscription
from pycurrent.term.shape import Component, LabelBlock, Term
from pycurrent.term.state import State, state_of
from pycurrent.term.trust import Trust

_log = logging.getLogger(__name__)


class ComponentNode(Stage):
    """The node of a component: subscribes to the primitive that its function returns.

    Blocked while an input has no value; it then has no subscription either.
    """

    __slots__ = ("_sources", "account", "metadata", "reports", "seen", "state", "subscription")

    def __init__(self, account: Account, sources: Node | tuple[Node, ...]) -> None:
        """`sources` are its one source, or all of them if there are not just one."""
        super().__init__()
        self.account = account
        self._sources = sources
        # The values of the sources that it has subscribed for; of one source the value itself.
        self.seen: Any = UNSET
        self.subscription: Subscription[Any] | None = None
        self.metadata: Metadata | None = None
        self.state = State.BLOCKED
        # The nodes that show the metadata as a value, one for each term that asks for it.
        self.reports: tuple[MetadataNode, ...] = ()

    @property
    def label(self) -> str:
        shape = self.term.shape
        assert isinstance(shape, Component)
        return shape.label.show(
            [
                UnknownValue() if source.absent is not None else materialize(source.value)
                for source in self.sources[: len(shape.sources)]
            ]
        )

    @property
    def sources(self) -> tuple[Node, ...]:
        """The nodes whose values its function gets."""
        sources = self._sources
        return (sources,) if isinstance(sources, Node) else sources

    def inputs(self) -> Iterable[Node]:
        sources = self.sources
        return sources if len(sources) < 2 else dict.fromkeys(sources)

    def recompute(self, graph: NodeGraph) -> bool:
        if self.users is None:
            # The source changed while the node was released, which is final.
            return False
        sources = self.sources
        absent = combine(sources)
        if absent is not None:
            self._unsubscribe()
            self._show(graph, State.BLOCKED, None)
            return self.publish(None, absent)
        try:
            output, metadata = self._follow(
                tuple([materialize(source.value) for source in sources])
            )
        except NoEngine:
            self._unsubscribe()
            self._show(graph, State.READY, None)
            return self.publish(None, READY)
        except BaseException as error:
            self._unsubscribe()
            output, metadata = failed_by(error), None
        before = self.absent
        changed = (
            self.take(graph, output.value) if isinstance(output, Ok) else self.become_absent(output)
        )
        if self.account.mutes is not None and isinstance(self.absent, Failed):
            changed = self.mark(before, metadata)
        self._show(graph, state_of(self.absent), metadata)
        return changed

    def _follow(self, values: tuple[Any, ...]) -> tuple[Output[Any], Metadata | None]:
        """Read the primitive for these values; subscribe first if the values are new."""
        seen = self.seen
        if len(values) == 1:
            is_new = seen is not values[0]
        else:
            is_new = seen is UNSET or any(a is not b for a, b in zip(seen, values, strict=True))
        if is_new:
            self._subscribe(values)
        assert self.subscription is not None
        return self.subscription.read()

    def _subscribe(self, values: tuple[Any, ...]) -> None:
        """Subscribe again, as an input has changed. The old subscription ends after that, so
        that sources which both use stay in use.
        """
        primitive = self._primitive(values)
        old = self.subscription
        # The node itself is what the source calls: a bound method would take a node's half.
        self.subscription = primitive.subscribe(self, self)
        self.seen = values[0] if len(values) == 1 else values
        if self.subscription.is_input:
            self.account.new_inputs.append(self)
        if old is not None:
            self._close(old)

    def _primitive(self, values: tuple[Any, ...]) -> Primitive[Any]:
        shape = self.term.shape
        assert isinstance(shape, Component)
        primitive = shape.fn(*values)
        if not isinstance(primitive, Primitive):
            raise wrong_primitive(primitive, shape.fn)
        return primitive

    def __call__(self) -> None:
        """Read the primitive again in the next step. From any thread."""
        self.account.wake(self)

    def _unsubscribe(self) -> None:
        self.seen = UNSET
        subscription, self.subscription = self.subscription, None
        if subscription is not None:
            self._close(subscription)

    def _close(self, subscription: Subscription[Any]) -> None:
        try:
            subscription.close()
        except BaseException as error:
            # Nobody needs it any more, so nothing fails because of it.
            message = failed_by(error).message
            _log.warning("a %s can't be closed: %s", type(subscription).__name__, message)

    def _show(self, graph: NodeGraph, state: State, metadata: Metadata | None) -> None:
        if state is self.state and metadata == self.metadata:
            return
        self.account.recount(self, self.state, state)
        self.state = state
        if metadata != self.metadata:
            self.metadata = metadata
            for report in self.reports:
                graph.push(report)

    def release(self, graph: NodeGraph) -> None:
        self._unsubscribe()
        self.account.uncount(self)


class SurroundedNode(ComponentNode):
    """A component that follows the labels of the code it is built in, which it does not wait for;
    None if all are fixed.
    """

    __slots__ = ("labelling", "seen_labels")

    def __init__(
        self,
        account: Account,
        sources: Node | tuple[Node, ...],
        labelling: Node | None,
    ) -> None:
        super().__init__(account, sources)
        self.labelling = labelling
        self.seen_labels = None if labelling is None else labelling.value

    def inputs(self) -> Iterable[Node]:
        sources = self.sources
        return dict.fromkeys(sources if self.labelling is None else (*sources, self.labelling))

    def recompute(self, graph: NodeGraph) -> bool:
        followed = self.subscription
        changed = super().recompute(graph)
        if self.labelling is not None and self.labelling.value is not self.seen_labels:
            self.seen_labels = self.labelling.value
            # A subscription that is new has seen these already.
            if followed is not None and followed is self.subscription:
                followed.relabelled()
        return changed


class GuardedNode(SurroundedNode):
    """A component that waits until it is known whether its work is trusted, and follows that: the
    last of its sources tells it.
    """

    __slots__ = ()

    @property
    def trust(self) -> Trust | None:
        guard = self.sources[-1]
        return None if guard.absent is not None else guard.value

    def _primitive(self, values: tuple[Any, ...]) -> Primitive[Any]:
        return super()._primitive(values[:-1])


def surrounded(
    account: Account,
    sources: Node | tuple[Node, ...],
    block: LabelBlock,
    nodes: Mapping[Term, Node],
) -> SurroundedNode:
    """The node of a component that follows something of the block that it is built in."""
    labelling = None if block.term is None else nodes[block.term]
    if block.guard is None:
        return SurroundedNode(account, sources, labelling)
    own = (sources,) if isinstance(sources, Node) else sources
    guarded = (*own, nodes[block.guard])
    return GuardedNode(account, guarded if own else guarded[0], labelling)


class LabelsNode(Node):
    """A dictionary of labels, as far as they are known; it is never absent."""

    __slots__ = ("fixed", "names", "sources")

    def __init__(
        self,
        sources: list[Node],
        names: tuple[str | None, ...],
        fixed: Mapping[str, str],
    ) -> None:
        super().__init__()
        self.sources = sources
        self.names = names
        self.fixed = fixed

    def inputs(self) -> Iterable[Node]:
        return dict.fromkeys(self.sources)

    def recompute(self, graph: NodeGraph) -> bool:
        labels: dict[str, str] = {}
        own = dict(self.fixed)
        for name, source in zip(self.names, self.sources, strict=True):
            if source.absent is not None:
                continue
            if name is None:
                labels.update(source.value)
            else:
                own[name] = text_of(materialize(source.value))
        return self.accept(graph, {**labels, **own})


class MetadataNode(OfOne):
    """The metadata of a component, as a value that is always known."""

    __slots__ = ()

    def recompute(self, graph: NodeGraph) -> bool:
        metadata = getattr(self.source, "metadata", None)
        return self.accept(graph, metadata)

    def release(self, graph: NodeGraph) -> None:
        if hasattr(self.source, "reports"):
            others = tuple(node for node in self.source.reports if node is not self)
            self.source.reports = others
