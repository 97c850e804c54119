"""The living nodes of a pipeline's terms, in one engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from pycurrent.incr import Graph, Item, Node, Scope, plain
from pycurrent.term.context import Context
from pycurrent.term.current import Current
from pycurrent.term.example import build, build_for_item, example_stages
from pycurrent.term.nodes import Decision, Stage
from pycurrent.term.output import Active, Failed, Ok, Output, failed_by
from pycurrent.term.primitive import NoEngine, Runtime
from pycurrent.term.shape import ItemOf
from pycurrent.term.state import State, Stats

T = TypeVar("T")


class Live(Graph):
    """A graph in which each needed term has one node.

    Terms are templates: an engine makes nodes for those that are needed, and two engines make
    their own. Besides the nodes it keeps account of the stages: how many are in which state
    (`stats`, O(1)), and which have changed since somebody last asked (`take_changed`).

    `requested` is called, from any thread, when something asks for a step.
    """

    def __init__(self, runtime: Runtime, requested: Callable[[Node], None]) -> None:
        super().__init__(failed_by)
        self.runtime = runtime
        self.nodes: dict[Current[Any], Node] = {}
        self._requested = requested
        self._counts = [0] * len(State)
        self._changed: dict[Stage | Decision, None] = {}
        # How many lists and options show each term only as an illustration.
        self._illustrated: Counter[Current[Any]] = Counter()
        self._made: set[Node] = set()

    # Making nodes

    def expand(self, term: Current[Any], scope: Scope | None = None) -> Node:
        """The node of a term; new ones, of its inputs too, are made in the scope."""
        nodes = self.nodes
        found = nodes.get(term)
        if found is not None:
            return found
        self._made = set() if scope is None else set(scope.roots)
        stack = [term]
        while stack:
            term = stack[-1]
            if term in nodes:
                stack.pop()
                continue
            ready = True
            for source in term.shape.inputs():
                if source not in nodes:
                    stack.append(source)
                    ready = False
            if ready:
                stack.pop()
                node = term.shape.node(self, term, scope)
                node.owner = term
                nodes[term] = node
        return nodes[term]

    def enter(self, node: Node, scope: Scope | None, *, gap: int = 0) -> None:
        """Take a new node in, in a scope."""
        self.add(node, scope, gap=gap)
        if scope is not None:
            if self._made.isdisjoint(node.inputs()):
                scope.roots.append(node)
            self._made.add(node)

    def build_inside(
        self, fn: Callable[..., Current[Any]], scope: Scope, context: Context | None, *args: Any
    ) -> Node:
        """Run the function of a bind, and expand what it returns."""
        return self.expand(build(fn, context, *args), scope)

    def build_item(self, parent: Current[Any], item: Item) -> Node:
        """Build the part of one item of a list or an option."""
        term: Current[Any] = Current(ItemOf(parent, item), parent.context)
        self.nodes[term] = item
        item.owner = term
        node: Node = item
        try:
            node = self.expand(build_for_item(parent, term), item.scope)
        finally:
            if item.users is None and node is not item:
                # Its function does not use it, so nobody will release it.
                del self.nodes[term]
        return node

    def stages_of_example(self, parent: Current[Any]) -> list[Current[Any]]:
        """The stages that are shown only as an example of what would be done."""
        return example_stages(parent, self.nodes)

    def released(self, node: Node) -> None:
        if node.owner is not None:
            self.nodes.pop(node.owner, None)  # type: ignore[call-overload]

    # Steps

    def wake(self, node: Node) -> None:
        """An outside source has changed: have its node computed in the next step."""
        self._requested(node)

    def output(self, node: Node) -> Output[Any]:
        match node.absent:
            case None:
                return Ok(plain(node.value))
            case Failed() | Active() as absent:
                return absent
            case absent:
                raise AssertionError(f"a node without an outcome was read: {absent!r}")

    # The account of stages

    @property
    def stats(self) -> Stats:
        return Stats(*self._counts)

    def take_changed(self) -> list[Stage | Decision]:
        """The stages whose state or metadata has changed since the last call; the released
        ones are not among them.
        """
        changed = list(self._changed)
        self._changed.clear()
        return changed

    def count(self, stage: Stage | Decision, term: Current[Any]) -> None:
        """A stage has come, blocked as yet."""
        if not self._illustrated[term]:
            self._counts[State.BLOCKED] += 1
        self._changed[stage] = None

    def recount(self, stage: Stage | Decision, old: State, new: State) -> None:
        self._counts[old] -= 1
        self._counts[new] += 1
        self._changed[stage] = None

    def uncount(self, stage: Stage | Decision, state: State) -> None:
        self._counts[state] -= 1
        self._changed.pop(stage, None)
        term = stage.owner if isinstance(stage, Stage) else stage.inside and stage.inside.owner
        if self._illustrated.get(term):  # type: ignore[call-overload]
            self._counts[State.BLOCKED] += 1

    def illustrate(self, stages: list[Current[Any]]) -> None:
        """These stages are shown, too, as what would be done."""
        for term in stages:
            self._illustrated[term] += 1
            if self._illustrated[term] == 1 and term not in self.nodes:
                self._counts[State.BLOCKED] += 1

    def unillustrate(self, stages: list[Current[Any]]) -> None:
        for term in stages:
            self._illustrated[term] -= 1
            if not self._illustrated[term]:
                del self._illustrated[term]
                if term not in self.nodes:
                    self._counts[State.BLOCKED] -= 1


class Still(Runtime):
    """The runtime of a pipeline that is only evaluated: nothing runs."""

    def service(self, kind: Callable[[Any], T]) -> T:
        raise NoEngine


def evaluate(current: Current[T]) -> Output[T]:
    """What a current amounts to without an engine.

    Nothing is started: operations and monitors are ready, and what waits for them has no
    value. Constants and variables have theirs.
    """
    live = Live(Still(), lambda node: None)
    node = live.expand(current)
    observer = live.observe(node)
    live.stabilise()
    try:
        return live.output(node)
    finally:
        live.drop(observer)
