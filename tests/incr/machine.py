"""A program as nodes, in a graph that checks each call of a function against `naive`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycurrent.incr import (
    Absent,
    BindDecision,
    BindResult,
    Budget,
    Const,
    Duplicate,
    ForEach,
    GatherTree,
    Item,
    Map1,
    MapN,
    Node,
    NodeGraph,
    Observer,
    Parts,
    Scope,
    Source,
    materialize,
)

from .naive import Frame, World
from .program import (
    Apply,
    Block,
    Broken,
    Choose,
    EachOf,
    Expr,
    Fixed,
    Homes,
    Key,
    Listing,
    Name,
    Outcome,
    Program,
    Step,
    Together,
    Value,
    apply,
    chosen,
    key_of,
    listing,
)


class LiveFrame(Frame):
    """A frame whose names have nodes while they are needed."""

    scope: Scope | None = None
    nodes: dict[str, Node]

    def within(self, scope: Scope | None) -> LiveFrame:
        self.scope = scope
        self.nodes = {}
        return self


class Call:
    """A function of one node; asserts at each call that it is due."""

    def __init__(
        self, world: World, frame: Frame, args: tuple[Expr, ...], fn: Callable[[list[Value]], Any]
    ) -> None:
        self.world = world
        self.frame = frame
        self.args = args
        self.fn = fn
        self.called_in = -1
        self.versions: list[Any] = []
        self.is_due = True

    def __call__(self, *values: Value) -> Any:
        world = self.world
        assert self.frame.is_current(), "called though what it belongs to is undone"
        assert list(values) == world.outcomes(self.args, self.frame), "saw different steps"
        assert self.called_in != world.step, "called twice in a step"
        self.notice()
        assert self.is_due, "called though no input has changed"
        self.is_due = False
        self.called_in = world.step
        return self.fn(list(values))

    def notice(self) -> None:
        """Take in what the inputs are now."""
        versions = self.world.versions(self.args, self.frame)
        if versions != self.versions:
            self.versions = versions
            self.is_due = True


class Items:
    """The items of one list; asserts that a part is built only for those that are new."""

    def __init__(self, world: World, frame: Frame, expr: EachOf) -> None:
        self.world = world
        self.frame = frame
        self.expr = expr
        self.kept: set[int] = set()

    def now(self) -> dict[int, int]:
        items = self.world.items(self.expr, self.frame)
        return {} if isinstance(items, Absent) else items

    def take(self, key: int) -> None:
        assert self.frame.is_current(), "built though what it belongs to is undone"
        assert key not in self.kept, "built though it was there"
        self.kept.add(key)

    def notice(self) -> None:
        self.kept = set(self.now())


class _Checked:
    """Counts how often it was released."""

    check: Call | Items
    releases = 0

    def release(self, graph: NodeGraph) -> None:
        self.releases += 1


class OneMap(_Checked, Map1):
    pass


class ManyMap(_Checked, MapN):
    pass


class Choice(_Checked, BindDecision):
    pass


class Every(_Checked, ForEach):
    pass


class Ledger(NodeGraph):
    """Knows which nodes have been added and not released."""

    def __init__(self, fanout: int) -> None:
        super().__init__(_fault, fanout=fanout)
        self.living: set[Node] = set()

    def add(self, node: Node, scope: Scope | None = None, *, gap: int = 0) -> None:
        super().add(node, scope, gap=gap)
        if not isinstance(node, Source | Observer):
            assert node not in self.living
            self.living.add(node)

    def released(self, node: Node) -> None:
        if not isinstance(node, Source | Observer):
            self.living.remove(node)
        if isinstance(node, _Checked):
            assert node.releases == 1
        for frame, name in node.owner or ():  # type: ignore[attr-defined]
            del frame.nodes[name]

    def check_released(self, observers: list[Observer]) -> None:
        """Assert that all that nobody needs has been released, and nothing else."""
        needed: set[Node] = set()
        stack: list[Node] = list(observers)
        while stack:
            node = stack.pop()
            if node not in needed:
                needed.add(node)
                stack.extend(node.inputs())
        assert self.living == {n for n in needed if not isinstance(n, Source | Observer)}


def _fault(error: BaseException) -> Absent:
    if isinstance(error, AssertionError):
        raise error
    return Broken("duplicate" if isinstance(error, Duplicate) else str(error))


class Machine:
    """A program that runs; with a budget in slices, and then blocks are built in parts."""

    def __init__(self, program: Program, budget: Budget | None = None) -> None:
        self.program = program
        self.budget = budget
        self.graph = Ledger(program.fanout)
        self.world = World(program.inputs, program.definitions)
        self.top = LiveFrame(None, self.world.top.names).within(None)
        self.inputs: dict[str, Source] = {}
        self.observers: dict[str, Observer] = {}
        for name, outcome in program.inputs.items():
            node = self.inputs[name] = Source(*_pair(outcome))
            self.graph.add(node)
            self.top.nodes[name] = node

    def run(self, step: Step, between: Callable[[], None] = lambda: None) -> None:
        """Take a step, and assert that all is as it should be; call `between` between slices."""
        self.begin(step)
        while not self.graph.stabilise(self.budget):
            between()
        self.check()

    def begin(self, step: Step) -> None:
        """Do what happens before a run."""
        self.world.change(step.changes)
        self.set(step.changes)
        for name in sorted(step.toggled):
            if name in self.observers:
                self.graph.drop(self.observers.pop(name))
            else:
                self.observers[name] = self.graph.observe(self.node(Name(name), self.top, None))

    def set(self, changes: dict[str, Outcome]) -> None:
        for name, outcome in changes.items():
            self.inputs[name].set(self.graph, *_pair(outcome))

    def check(self) -> None:
        observers = list(self.observers.values())
        self.graph.check(observers)
        self.graph.check_released(observers)
        for name, observer in self.observers.items():
            node = observer.source
            outcome = materialize(node.value) if node.absent is None else node.absent
            assert outcome == self.world.outcome(Name(name), self.top)
        for node in self.graph.living:
            if isinstance(node, _Checked):
                node.check.notice()

    def finish(self) -> None:
        """Drop all observers: nothing may be left."""
        for observer in self.observers.values():
            self.graph.drop(observer)
        assert not self.graph.living

    # From terms to nodes

    def node(self, expr: Expr, frame: LiveFrame, scope: Scope | None) -> Node:
        """The node of a term in a frame; new ones are made in the scope."""
        match expr:
            case Name(name):
                return self._named(name, frame, scope)
            case Fixed(outcome):
                return self._added(Const(*_pair(outcome)), scope)
            case Apply(number, args):
                return self._map(lambda values: apply(number, values), args, frame, scope)
            case Listing(number, args):
                return self._map(lambda values: listing(number, values), args, frame, scope)
            case Choose():
                return self._choose(expr, frame, scope)
            case EachOf():
                return self._for_each(expr, frame, scope)
            case Together(members, collect):
                sources = [self.node(member, frame, scope) for member in members]
                sequence = GatherTree(collect=collect)
                self._added(sequence, scope, gap=self.program.gap)
                sequence.fill(self.graph, sources)
                return sequence
        raise AssertionError(expr)

    def _added(self, node: Node, scope: Scope | None, *, gap: int = 0) -> Node:
        self.graph.add(node, scope, gap=gap)
        return node

    def _named(self, name: str, frame: LiveFrame, scope: Scope | None) -> Node:
        home = frame.find(name)
        assert isinstance(home, LiveFrame)
        node = home.nodes.get(name)
        if node is None:
            expr = home.names[name]
            assert isinstance(expr, Expr)
            if self.program.homes is Homes.DEFINED:
                scope = home.scope
            node = home.nodes[name] = self.node(expr, home, scope)
            node.owner = [(home, name)]
        return node

    def _map(
        self,
        fn: Callable[[list[Value]], Value],
        args: tuple[Expr, ...],
        frame: LiveFrame,
        scope: Scope | None,
    ) -> Node:
        call = Call(self.world, frame, args, fn)
        sources = [self.node(arg, frame, scope) for arg in args]
        node = OneMap(call, sources[0]) if len(sources) == 1 else ManyMap(call, sources)
        node.check = call
        return self._added(node, scope)

    def _block(self, block: Block, frame: LiveFrame, scope: Scope) -> Node | Parts[Node]:
        if self.budget is None:
            return self._built(block, frame, scope)
        return self._building(block, frame, scope)

    def _building(self, block: Block, frame: LiveFrame, scope: Scope) -> Parts[Node]:
        yield
        for name in block.definitions:
            # They may all be made before one of them is used.
            frame.nodes[name] = self._named(name, frame, scope)
            yield
        return self._built(block, frame, scope)

    def _built(self, block: Block, frame: LiveFrame, scope: Scope) -> Node:
        node = self.node(block.result, frame, scope)
        if block.raises:
            raise ValueError("block")
        return node

    def _choose(self, expr: Choose, frame: LiveFrame, scope: Scope | None) -> Node:
        world = self.world
        call = Call(world, frame, expr.args, lambda values: chosen(expr, values))

        def build(inside: Scope, *values: Value) -> Node | Parts[Node]:
            value, block = call(*values)
            names: dict[str, Any] = {expr.name: Fixed(value), **block.definitions}

            def is_current() -> bool:
                return world.outcomes(expr.args, frame) == list(values)

            return self._block(block, LiveFrame(frame, names, is_current).within(inside), inside)

        decision = Choice(build, [self.node(arg, frame, scope) for arg in expr.args])
        decision.check = call
        self._added(decision, scope)
        return self._added(BindResult(decision), scope, gap=self.program.gap)

    def _for_each(self, expr: EachOf, frame: LiveFrame, scope: Scope | None) -> Node:
        items = Items(self.world, frame, expr)

        def build(item: Item) -> Node | Parts[Node]:
            key = item.key
            assert isinstance(key, int)
            items.take(key)
            names: dict[str, Any] = {
                expr.name: lambda: items.now()[key],
                **expr.body.definitions,
            }
            inner = LiveFrame(frame, names, lambda: key in items.now()).within(item.scope)
            inner.nodes[expr.name] = item
            return self._block(expr.body, inner, item.scope)

        source = self.node(expr.source, frame, scope)
        key = None if expr.key is Key.ITEM else (lambda item: key_of(expr.key, item))
        each = Every(source, build, key=key, collect=expr.collect)
        each.check = items
        self._added(each, scope)
        return self._added(each.results, scope, gap=self.program.gap)


def _pair(outcome: Outcome) -> tuple[Value, Absent | None]:
    return (None, outcome) if isinstance(outcome, Absent) else (outcome, None)
