"""The diagram of a running pipeline, and what changes in it.

Drawing a large pipeline takes longer than a step, so drawings are kept. Two things keep them up to
date:

- the stages that a step has changed are reported to followers, and put into the drawings, at the
pace
  of `TOLD_EVERY`: the cost is proportional to the change;
- a *redraw* draws everything again, and reports the differences: boxes that are not stages (gates,
  folds, items of lists) or are new, labels, edges. It happens while somebody follows, after a
  change, and so seldom that it takes only a small part of the time. A request for a drawing whose
  structure is known to have changed gets a new one.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from types import MappingProxyType
from typing import Literal, TypeAlias

from pycurrent.cache import Cache
from pycurrent.engine import OpenEngine, Step
from pycurrent.engine.collector import paused_collector
from pycurrent.service.events import (
    Event,
    EventHub,
    EventId,
    NodeState,
    OverviewChanged,
    StatesChanged,
    StructureChanged,
)
from pycurrent.service.naming import Names
from pycurrent.service.throttled import Throttled
from pycurrent.term import (
    Graph,
    GraphNode,
    Stage,
    Stats,
    Status,
    dot_of,
    graph_of,
    job_page,
    status_of_output,
)

TOLD_EVERY = 0.1
"""Seconds between two batches of states, at least."""
PART_OF_TIME = 0.1
"""How much of the time redraws may take."""
_TOLD_TWICE = 100
"""How many batches who has read a snapshot may be told of that came before that."""
_DRAWINGS = 8
"""How many drawings are kept: one for each set of folds that somebody has open."""

Unfold: TypeAlias = Mapping[str, Collection[str]] | Literal["all"]
_Folds: TypeAlias = frozenset[tuple[str, str]] | Literal["all"]

NOTHING_UNFOLDED: Unfold = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The diagram at one time. The same one, until something has changed."""

    graph: Graph
    version: int
    """Changes with the structure."""
    stats: Stats
    last_event: EventId
    """A follower of the events after this one misses nothing that the snapshot lacks."""


class _Drawing:
    """A drawing that is kept, of these terms. The states of its boxes are kept up to date."""

    def __init__(self, graph: Graph, terms: Collection[Hashable]) -> None:
        self.terms = terms
        self.nodes = {node.id: node for node in graph.nodes}
        self.edges = graph.edges
        self.groups = graph.groups
        self._snapshot: Snapshot | None = None

    def snapshot(self, version: int, stats: Stats, last_event: EventId) -> Snapshot:
        """The last one, if that is how things still are, and what was told since is not much."""
        last = self._snapshot
        if (
            last is None
            or (last.version, last.stats) != (version, stats)
            or last_event.number - last.last_event.number > _TOLD_TWICE
        ):
            graph = Graph(tuple(self.nodes.values()), self.edges, self.groups)
            last = self._snapshot = Snapshot(graph, version, stats, last_event)
        # Later reports are in the diagram, or not about it: hearing them again does no harm.
        return last

    def show(self, states: Mapping[str, NodeState]) -> None:
        for id, state in states.items():
            node = self.nodes.get(id)
            if node is not None:
                self.nodes[id] = _with_state(node, state)
                self._snapshot = None

    def has_structure_of(self, other: _Drawing) -> bool:
        return (
            self.edges == other.edges
            and self.groups == other.groups
            and self.nodes.keys() == other.nodes.keys()
            and all(_same_box(node, other.nodes[id]) for id, node in self.nodes.items())
        )

    def states_unlike(self, other: _Drawing) -> Iterator[tuple[str, NodeState]]:
        """Of the boxes that the other one shows otherwise, or doesn't show."""
        for id, node in self.nodes.items():
            state = _state_of(node)
            old = other.nodes.get(id)
            if state is not None and (old is None or _state_of(old) != state):
                yield id, state


class PipelineFeed:
    """Draws the pipeline of an engine, and tells its followers what changes.

    Made at any time while it is open. Belongs to the event loop's thread.
    """

    def __init__(self, engine: OpenEngine, hub: EventHub) -> None:
        self._engine = engine
        self._hub = hub
        self._names = Names()
        self._drawings: dict[_Folds, _Drawing] = {}
        self._changed: dict[Stage, None] = {}
        self._version = 0
        self._stages = 0
        self._whole: OverviewChanged | None = None
        # Whether boxes have come or gone, or anything at all has changed, since the last redraw.
        self._other_structure = False
        self._other = False
        self._telling = Throttled(self._tell)
        self._redrawing = Throttled(self._redraw)
        engine.listen(self._stepped)
        self._forget_problems = engine.problems.listen(self._telling.request)
        hub.on_follow(self._redrawing.request)

    def snapshot(self, unfold: Unfold = NOTHING_UNFOLDED) -> Snapshot:
        """The diagram, with these folds open. Not to be called in the middle of a step."""
        self._tell()
        if self._other_structure or (self._other and not self._hub.followers):
            self._redraw_all()
        folds = _folds(unfold)
        drawing = self._drawings.pop(folds, None) or self._draw(folds)
        self._drawings[folds] = drawing
        if len(self._drawings) > _DRAWINGS:
            del self._drawings[next(iter(self._drawings))]
        return drawing.snapshot(self._version, self._engine.stats, self._hub.last)

    def dot(self, unfold: Unfold = NOTHING_UNFOLDED) -> str:
        """The diagram as Graphviz text."""
        return dot_of(self.snapshot(unfold).graph)

    def close(self) -> None:
        """Nothing is told any more. Twice is fine."""
        self._forget_problems()
        self._telling.close()
        self._redrawing.close()

    # Telling what steps have changed

    def _stepped(self, step: Step) -> None:
        self._changed.update(dict.fromkeys(step.changed))
        # Nodes change in silence, too: a gate opens, and no stage is another than before.
        self._other = True
        self._telling.request()

    def _tell(self) -> float:
        changed, self._changed = self._changed, {}
        states = dict(self._states(changed))
        stages = self._engine.stats.total
        if stages != self._stages:
            self._stages = stages
            self._other_structure = True
        self._show(states, *self._overview())
        self._names.tidy(self._in_use)
        if self._hub.followers:
            self._redrawing.request()
        return TOLD_EVERY

    def _states(self, changed: Collection[Stage]) -> Iterator[tuple[str, NodeState]]:
        for stage in changed:
            if not stage.is_alive:
                continue
            if stage.term not in self._names:
                self._other_structure = True
            yield self._names.of(stage.term), _state(stage.status)

    def _overview(self) -> Iterator[OverviewChanged]:
        """The whole, if it is otherwise than it was told last."""
        engine = self._engine
        result = status_of_output(engine.output)
        jobs = engine.service(Cache).job_count
        problems = tuple(engine.problems)
        now = OverviewChanged(result.state, result.failure, engine.stats, jobs, problems)
        if now != self._whole:
            self._whole = now
            yield now

    def _show(self, states: Mapping[str, NodeState], *more: Event) -> None:
        """Put states into the drawings, and tell of them."""
        if states:
            for drawing in self._drawings.values():
                drawing.show(states)
            more = (StatesChanged(states), *more)
        self._hub.publish(*more)

    # Drawing

    def _draw(self, folds: _Folds) -> _Drawing:
        engine, drawn = self._engine, set[Hashable]()

        def name(term: Hashable) -> str:
            drawn.add(term)
            return self._names.of(term)

        with paused_collector():
            graph = graph_of(engine.pipeline, engine.live, unfold=_unfold(folds), name=name)
        return _Drawing(graph, drawn)

    def _redraw(self) -> float:
        if not self._other or not self._hub.followers:
            return TOLD_EVERY
        began = perf_counter()
        self._redraw_all()
        return max(TOLD_EVERY, (perf_counter() - began) / PART_OF_TIME)

    def _redraw_all(self) -> None:
        """Draw everything again, and report the differences."""
        self._other = self._other_structure = False
        states: dict[str, NodeState] = {}
        restructured = False
        for folds, old in list(self._drawings.items()):
            new = self._drawings[folds] = self._draw(folds)
            states.update(new.states_unlike(old))
            restructured = restructured or not new.has_structure_of(old)
        if restructured:
            self._version += 1
            self._hub.publish(StructureChanged(self._version))
        self._show(states)

    def _in_use(self) -> Iterator[Hashable]:
        yield from self._engine.live.nodes
        for drawing in self._drawings.values():
            yield from drawing.terms


def _folds(unfold: Unfold) -> _Folds:
    if isinstance(unfold, str):
        return unfold
    return frozenset((key, value) for key, values in unfold.items() for value in values)


def _unfold(folds: _Folds) -> Unfold:
    if isinstance(folds, str):
        return folds
    unfold: dict[str, list[str]] = {}
    for key, value in folds:
        unfold.setdefault(key, []).append(value)
    return unfold


def _state(status: Status) -> NodeState:
    return NodeState(status.state, status.update, status.job_id, status.failure)


def _state_of(node: GraphNode) -> NodeState | None:
    if node.state is None:
        return None
    return NodeState(node.state, node.update, node.job_id, node.failure, node.failed_inside)


def _with_state(node: GraphNode, state: NodeState) -> GraphNode:
    link = None if state.job_id is None else job_page(state.job_id)
    return replace(
        node,
        state=state.state,
        update=state.update,
        job_id=state.job_id,
        failure=state.failure,
        failed_inside=state.failed_inside,
        link=link,
    )


def _same_box(one: GraphNode, other: GraphNode) -> bool:
    return (one.kind, one.label, one.group, one.fold) == (
        other.kind,
        other.label,
        other.group,
        other.fold,
    )
