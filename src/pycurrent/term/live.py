"""The living nodes of a pipeline's terms, in one engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pycurrent.incr import BindResult, Item, Node, NodeGraph, Scope, materialize
from pycurrent.term.context import Context
from pycurrent.term.current import Current, fail
from pycurrent.term.example import build, build_for_item, illustrate
from pycurrent.term.given import check_value
from pycurrent.term.nodes import Decision, ListNode, Stage
from pycurrent.term.output import Active, Failed, Ok, Output, failed_by
from pycurrent.term.primitive import NoEngine, Runtime
from pycurrent.term.shape import ItemOf
from pycurrent.term.state import State, Stats
from pycurrent.term.unused import noting

T = TypeVar("T")


class TermGraph(NodeGraph):
    """A graph in which each needed term has one node.

    Terms are templates: an engine makes nodes for those that are needed, and two engines make
    their own. Besides the nodes it keeps account of the stages: how many are in which state
    (`stats`, O(1)), and which have changed since somebody last asked (`take_changed`).

    `requested` is called, from any thread, when something asks for a step.
    """

    def __init__(self, runtime: Runtime, requested: Callable[[Node], None]) -> None:
        super().__init__(failed_by, check_value)
        self.runtime = runtime
        self.nodes: dict[Current[Any], Node] = {}
        self._requested = requested
        self._counts = [0] * len(State)
        self._changed: dict[Stage | Decision, None] = {}
        # How many lists and options show each term only as an illustration.
        self._illustrated: Counter[Current[Any]] = Counter()
        # The lists and options whose illustration leads into each living term ...
        self._borders: dict[Current[Any], dict[ListNode, None]] = {}
        # ... and those for which such a term has died since the stages were last counted.
        self._outdated: dict[ListNode, None] = {}

    # Making nodes

    def expand(self, term: Current[Any], scope: Scope | None = None) -> Node:
        """The node of a term; new ones, of its inputs too, are made in the scope."""
        nodes = self.nodes
        found = nodes.get(term)
        if found is not None:
            return found
        # None stands for the last of those that wait until their inputs are made.
        stack: list[Current[Any] | None] = [term]
        waiting: list[Current[Any]] = []
        while stack:
            next_term = stack.pop()
            if next_term is None:
                next_term = waiting.pop()
            elif next_term in nodes:
                continue
            else:
                missing = next_term.shape.inputs()
                if len(missing) != 1 or missing[0] in nodes:
                    missing = [source for source in missing if source not in nodes]
                if missing:
                    waiting.append(next_term)
                    stack.append(None)
                    # What is written first is made first, and so it is started first.
                    stack += reversed(missing)
                    continue
            node = nodes[next_term] = next_term.shape.node(self, next_term, scope)
            node.owner = next_term
        return nodes[term]

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
        node: Node | None = None
        try:
            node = self.expand(build_for_item(parent, term), item.scope)
        finally:
            if item.users is None and node is not item:
                # Its function raised or does not use it, so nobody will release it.
                del self.nodes[term]
        return node

    def released(self, node: Node) -> None:
        term: Any = node.owner
        if term is not None:
            self.nodes.pop(term, None)
            if self._borders:
                self._outdated.update(self._borders.get(term, {}))

    # Steps

    def wake(self, node: Node) -> None:
        """An outside source has changed: have its node computed in the next step."""
        self._requested(node)

    def output(self, node: Node) -> Output[Any]:
        match node.absent:
            case None:
                return Ok(materialize(node.value))
            case Failed() | Active() as absent:
                return absent
            case absent:
                raise AssertionError(f"a node without an outcome was read: {absent!r}")

    # The account of stages

    @property
    def stats(self) -> Stats:
        while self._outdated:
            listing, _ = self._outdated.popitem()
            self.unillustrate(listing)
            self.illustrate(listing)
        return Stats(*self._counts)

    def stages(self) -> Iterator[Stage | Decision]:
        """The stages that are needed now, without those that are only illustrated. O(nodes)."""
        for node in self.nodes.values():
            if isinstance(node, Stage):
                yield node
            elif isinstance(node, BindResult) and isinstance(node.decision, Decision):
                yield node.decision

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
        term = stage.owner if isinstance(stage, Stage) else stage.result and stage.result.owner
        if self._illustrated.get(term):  # type: ignore[call-overload]
            self._counts[State.BLOCKED] += 1

    def illustrate(self, listing: ListNode) -> None:
        """A list or an option without items shows what would be done for one."""
        illustration = listing.illustration = illustrate(listing.term, self.nodes)
        for term in illustration.stages:
            self._illustrated[term] += 1
            if self._illustrated[term] == 1 and term not in self.nodes:
                self._counts[State.BLOCKED] += 1
        for term in illustration.border:
            self._borders.setdefault(term, {})[listing] = None

    def unillustrate(self, listing: ListNode) -> None:
        """It does so no longer. Twice is fine."""
        illustration, listing.illustration = listing.illustration, None
        if illustration is None:
            return
        for term in illustration.stages:
            self._illustrated[term] -= 1
            if not self._illustrated[term]:
                del self._illustrated[term]
                if term not in self.nodes:
                    self._counts[State.BLOCKED] -= 1
        for term in illustration.border:
            del self._borders[term][listing]
            if not self._borders[term]:
                del self._borders[term]
        self._outdated.pop(listing, None)


class OfflineRuntime(Runtime):
    """The runtime of a pipeline that is only evaluated: nothing runs."""

    def service(self, kind: Callable[[Any], T]) -> T:
        raise NoEngine


def evaluate(current: Current[T]) -> Output[T]:
    """What a current amounts to without an engine.

    Nothing is started: operations and monitors are ready, and what waits for them has no
    value. Constants and variables have theirs.
    """
    live = TermGraph(OfflineRuntime(), lambda node: None)
    node = live.expand(current)
    observer = live.observe(node)
    try:
        live.stabilise()
        return live.output(node)
    finally:
        live.drop(observer)


def build_pipeline(pipeline: Callable[[], Current[Any]]) -> tuple[Current[Any], list[str]]:
    """The term of a pipeline, and what it has built and does not use. One that raises while it
    is built is a failure that shows where.

    `sys.exit` leaves the program, as nothing runs yet that it could break off.
    """
    try:
        with noting() as made:
            term = build(pipeline, None)
        return term, made.unused()
    except SystemExit:
        raise
    except BaseException as error:
        failure = failed_by(error)
        details = "" if failure.traceback is None else f"\n{failure.traceback}"
        return fail(f"{failure.message}{details}"), []
