"""The living nodes of a pipeline's terms, in one engine."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from itertools import repeat
from typing import Any

from pycurrent.incr import (
    GAP,
    BindDecision,
    BindResult,
    Budget,
    Const,
    DynamicNode,
    Gather,
    GatherTree,
    Item,
    Map1,
    Node,
    NodeGraph,
    Parts,
    Scope,
    in_one_go,
    materialize,
)
from pycurrent.term.account import Account, Stage
from pycurrent.term.component_nodes import ComponentNode, surrounded
from pycurrent.term.current import Current
from pycurrent.term.example import build, build_for_item
from pycurrent.term.given import check_value
from pycurrent.term.labels import block_to_follow, needed_terms
from pycurrent.term.latch import Latched
from pycurrent.term.node_of import node_of
from pycurrent.term.nodes import DecisionNode, ListNode
from pycurrent.term.output import READY, Active, Failed, Muted, Ok, Output, failed_by
from pycurrent.term.primitive import Services, StageRef
from pycurrent.term.shape import (
    All,
    BindShape,
    Component,
    Constant,
    ItemOf,
    Itemwise,
    ListMap,
    Map,
    OptionMap,
    Placeholder,
    Term,
)
from pycurrent.term.stage_names import full_path
from pycurrent.term.state import Stats
from pycurrent.term.together import NamingGather
from pycurrent.term.unused import UnusedInside

_AT_ONCE = 32
"""The number of terms that are made into nodes in one part: that takes some 0.3 ms."""
_LARGE = 1000
"""The number of terms above which an `all` of them is made in parts."""


class TermGraph(NodeGraph):
    """A graph in which each needed term has one node.

    Terms are templates: an engine makes nodes for those that are needed, and two engines make
    their own. `requested` is called, from any thread, when something asks for a step.
    """

    def __init__(self, runtime: Services, requested: Callable[[Node], None]) -> None:
        super().__init__(failed_by, check_value)
        self.nodes: dict[Term, Node] = {}
        self.account = Account(runtime, requested, self.nodes, self.stages)
        self.unused = UnusedInside()

    # Reading it, between two steps

    def output(self, node: Node) -> Output[Any]:
        match node.absent:
            case None:
                return Ok(materialize(node.value))
            case Failed() | Active() as absent:
                return absent
            case absent:
                raise AssertionError(f"a node without an outcome was read: {absent!r}")

    @property
    def stats(self) -> Stats:
        """How many stages are in each state: O(1)."""
        return self.account.stats

    def take_changed(self) -> list[Stage]:
        """The living stages whose state or metadata has changed since the last call."""
        return self.account.take_changed()

    def take_released(self) -> list[Stage]:
        """The stages that were released since the last call, even if they were never told."""
        return self.account.take_released()

    def ref(self, stage: Stage) -> StageRef:
        """The reference of a living stage, with its path and all its labels."""
        followed, ref = stage.subscription, self.account.ref(stage.term)
        return ref if followed is None else ref.with_labels(followed.labels)

    def find(self, path: str) -> Stage | None:
        """The living stage with a path, as text; None if there is none."""
        term = self.account.paths.find(path)
        return None if term is None else self._stage_of(term)

    def full_path(self, stage: Stage) -> str:
        """The path of a stage, as text, as it is once the stage was told from its twins, whether it
        has any or not: it stays the same when they come and go.
        """
        return str(StageRef(full_path(stage.term)))

    def with_full_path(self, path: str) -> list[Stage]:
        """The living stages with this full path: several if only the order of building tells them
        apart.
        """
        return [self._stage_of(term) for term in self.account.paths.with_full_path(path)]

    def alike(self, path: str) -> list[Stage]:
        """The living stages that have a path, as text, but for what tells them from their twins."""
        return [self._stage_of(term) for term in self.account.paths.alike(path)]

    def _stage_of(self, term: Term) -> Stage:
        node = self.nodes[term]
        found = node.decision if isinstance(node, BindResult) else node
        assert isinstance(found, Stage)
        return found

    def leads_to_stage(self, path: str) -> bool:
        """True if a stage lives below a path, as text. Looks at all nodes if there is none."""
        names = tuple(StageRef.names_in(path))
        size = len(names)
        paths = self.account.paths
        return any(paths.of(stage.term).path[:size] == names for stage in self.stages())

    def take_in_paths(self) -> Iterator[None]:
        """Prepare for `ref` to be asked, which the first call would do in one go."""
        return self.account.paths.take_in()

    def forget_paths(self) -> None:
        """Free what `ref` needs, as the pipeline is about to be dropped. It may still be asked."""
        self.account.paths.forget()

    def stages_of(self, job_id: str) -> Iterator[StageRef]:
        """The stages whose result a job has made, or is making. Looks at all nodes: 10,000 take a
        millisecond.
        """
        for stage in self.stages():
            if stage.metadata is not None and stage.metadata.job_id == job_id:
                yield self.ref(stage)

    def wrongly_marked(self) -> Iterator[Node]:
        """The nodes of failures that are muted and don't show it, or the other way round, as other
        mutes are in force than when they were computed. Looks at all nodes.
        """
        for node in self.nodes.values():
            stage = node.decision if isinstance(node, BindResult) else node
            absent = stage.absent
            if isinstance(stage, Stage) and stage.state.is_failure:
                assert isinstance(absent, Failed)
                if stage.marked(absent, stage.metadata) != absent:
                    yield stage
            elif isinstance(node, Latched) and isinstance(absent, Muted) and absent.mute.is_over:
                yield node

    def stages(self) -> Iterator[Stage]:
        """The stages that are needed now, without those of examples. Looks at all nodes."""
        for node in self.nodes.values():
            found = node.decision if isinstance(node, BindResult) else node
            if isinstance(found, Stage):
                yield found

    # The shape

    def attach(self, source: Node, user: DynamicNode) -> None:
        self.account.links += 1
        super().attach(source, user)

    def unlink(self, source: Node, user: Node) -> None:
        self.account.links += 1
        super().unlink(source, user)

    # Making nodes

    def expand(self, term: Term, scope: Scope | None = None) -> Node:
        """The node of a term; new ones, of its inputs too, are made in the scope."""
        made = self.expanding(term, scope)
        return made if isinstance(made, Node) else in_one_go(made)

    def expand_in_slices(self, term: Term, budget: Budget) -> Parts[Node]:
        """As `expand` does, before anything is computed; pauses where the budget is used up."""
        made = self.expanding(term)
        return made if isinstance(made, Node) else (yield from self.pace.slices(made, budget))

    def expanding(self, term: Term, scope: Scope | None = None) -> Node | Parts[Node]:
        """As `expand` does; of a large term it makes only the first nodes at once, and returns
        parts that make the rest.
        """
        nodes = self.nodes
        found = nodes.get(term)
        if found is not None:
            return found
        self.account.links += 1
        # None stands for the last of those that wait until their inputs are made.
        stack: list[Term | None] = [term]
        waiting: list[Term] = []
        large = self._expand_some(stack, waiting, scope)
        if large is None and not stack:
            return nodes[term]
        return self._expand_rest(term, stack, waiting, scope, large)

    def _expand_rest(
        self,
        term: Term,
        stack: list[Term | None],
        waiting: list[Term],
        scope: Scope | None,
        large: Term | None,
    ) -> Parts[Node]:
        while True:
            if large is not None:
                yield from self._make_large(large, scope)
            if not stack:
                return self.nodes[term]
            if self.pace.spend(_AT_ONCE):
                yield
            large = self._expand_some(stack, waiting, scope)

    def _expand_some(
        self, stack: list[Term | None], waiting: list[Term], scope: Scope | None
    ) -> Term | None:
        """Make some of the nodes that are missing; none is any more if the stack is empty then.
        Stops at a term whose node takes long, and returns it.
        """
        nodes = self.nodes
        for _ in repeat(None, _AT_ONCE):
            if not stack:
                return None
            next_term = stack.pop()
            if next_term is None:
                next_term = waiting.pop()
            elif next_term in nodes:
                continue
            else:
                inputs = needed_terms(next_term)
                if len(inputs) == 1:
                    missing = () if inputs[0] in nodes else inputs
                else:
                    # Made, and so started, in the order in which they are written.
                    missing = [source for source in reversed(inputs) if source not in nodes]
                if missing:
                    waiting.append(next_term)
                    stack.append(None)
                    stack += missing
                    continue
            node = self._make(next_term, scope)
            if node is None:
                return next_term
            nodes[next_term] = node
            node.owner = next_term
        return None

    def released(self, node: Node) -> None:
        term: Any = node.owner
        if term is not None:
            self.nodes.pop(term, None)
            self.account.died(term)

    def _make(self, term: Term, scope: Scope | None) -> Node | None:
        """Make the node of a term whose inputs have theirs, and what else that takes. None for one
        that takes long: see `_make_large`.

        In the order of how many there are of each in large pipelines.
        """
        shape = term.shape
        match shape:
            case Map():
                node: Node = Map1(shape.fn, self.nodes[shape.source], shape.eq)
            case Component():
                return self._component(term, shape, scope)
            case Constant():
                node = _constant(shape.output)
                self.add_known(node, scope)
                return node
            case Placeholder():
                node = Const(None, READY)
            case ItemOf():
                # The function that it was made for does not use it, but something inside does.
                return shape.item
            case BindShape():
                return self._bind(term, shape, scope)
            case All():
                if len(shape.sources) > _LARGE:
                    return None
                return in_one_go(self._all(shape, scope))
            case ListMap() | OptionMap():
                return self._itemwise(term, shape, scope)
            case _:
                node = node_of(shape, self.nodes, self.account)
        self.add(node, scope)
        return node

    def _component(self, term: Term, shape: Component, scope: Scope | None) -> Node:
        nodes, terms = self.nodes, shape.sources
        one = len(terms) == 1
        sources = nodes[terms[0]] if one else tuple([nodes[source] for source in terms])
        node: ComponentNode
        block = block_to_follow(term)
        if block is None:
            node = ComponentNode(self.account, sources)
        else:
            node = surrounded(self.account, sources, block, nodes)
        self.add(node, scope)
        self.account.count(node, term)
        return node

    def _bind(self, term: Term, shape: BindShape, scope: Scope | None) -> Node:
        def build_inside(inside: Scope, *values: Any) -> Node | Parts[Node]:
            part = self.unused.look(shape.fn, build, shape.fn, term, *values)
            return self.expanding(part, inside)

        sources = [self.nodes[source] for source in shape.sources]
        decision: BindDecision
        if shape.name is None:
            decision = BindDecision(build_inside, sources)
            self.add(decision, scope)
        else:
            decision = DecisionNode(self.account, term, build_inside, sources)
            self.add(decision, scope)
            self.account.count(decision, term)
        result = BindResult(decision, shape.eq)
        self.add(result, scope, gap=GAP)
        return result

    def _make_large(self, term: Term, scope: Scope | None) -> Parts[None]:
        """Make the node of an `all` of many, whose inputs have theirs."""
        assert isinstance(term.shape, All)
        node = yield from self._all(term.shape, scope)
        self.nodes[term] = node
        node.owner = term

    def _all(self, shape: All, scope: Scope | None) -> Parts[Node]:
        kind = Gather if shape.labels is None else NamingGather
        tree = GatherTree(collect=shape.collect, kind=kind)
        self.add(tree, scope)
        members = map(self.nodes.__getitem__, shape.sources)
        yield from tree.filling(self, members, shape.labels)
        return tree

    def _itemwise(self, term: Term, shape: ListMap | OptionMap, scope: Scope | None) -> Node:
        source, build_item = self.nodes[shape.source], partial(self._build_item, term)
        key: Callable[[Any], Hashable] | None = _same_key
        kind: type[Gather] = Gather
        if isinstance(shape, ListMap):
            key, kind = shape.key, NamingGather
        else:
            source = Map1(_as_list, source)
            self.add(source, scope)
        items = ListNode(
            self.account, term, source, build_item, key=key, collect=shape.collect, kind=kind
        )
        self.add(items, scope)
        self.add(items.results, scope, gap=GAP)
        if isinstance(shape, ListMap) or not shape.collect:
            return items.results
        result = Map1(_as_option, items.results)
        self.add(result, scope)
        return result

    def _build_item(self, parent: Term, item: Item) -> Node | Parts[Node]:
        """Build the part of one item of a list or an option."""
        shape = parent.shape
        assert isinstance(shape, Itemwise)
        term: Current[Any] = Current(ItemOf(parent, item), parent.context)
        self.nodes[term] = item
        item.owner = term
        built: Node | Parts[Node] | None = None
        try:
            part = self.unused.look(shape.fn, build_for_item, parent, term)
            built = self.expanding(part, item.scope)
        finally:
            if built is None or isinstance(built, Node):
                self._forget_unused(item, built)
        return built if isinstance(built, Node) else self._build_rest(item, built)

    def _build_rest(self, item: Item, parts: Parts[Node]) -> Parts[Node]:
        node: Node | None = None
        try:
            node = yield from parts
        finally:
            self._forget_unused(item, node)
        return node

    def _forget_unused(self, item: Item, node: Node | None) -> None:
        """Forget the term of an item whose function has raised or does not use it: nobody will
        release it.
        """
        if item.users is None and node is not item:
            term: Any = item.owner
            del self.nodes[term]


def _constant(output: Output[Any]) -> Const:
    match output:
        case Ok(value):
            return Const(value)
        case Failed() | Active() as absent:
            return Const(None, absent)


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else [value]


def _as_option(values: list[Any]) -> Any:
    return values[0] if values else None


def _same_key(_: Any) -> Hashable:
    return None
