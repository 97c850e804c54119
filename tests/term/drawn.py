"""Tools for tests of diagrams: a diagram as what it shows."""

import re
from collections import Counter
from typing import Any

from pycurrent.term import Current, Stats, TermGraph
from pycurrent.term.diagram import dot_of, graph_of
from pycurrent.term.draw import Unfold
from pycurrent.term.graph_data import EdgeKind, Graph, GraphNode, NodeKind
from pycurrent.term.state import State

from .dotparser import parse

STAGES = (NodeKind.COMPONENT, NodeKind.BIND)


class Drawn:
    """A diagram whose labels are all different; its text is checked, too."""

    def __init__(
        self, current: Current[Any], live: TermGraph | None = None, unfold: Unfold | None = None
    ) -> None:
        self.graph = graph_of(current, live, unfold={} if unfold is None else unfold)
        parse(dot_of(self.graph))
        check(self.graph)
        self._names = {node.id: node.label or node.kind.value for node in self.graph.nodes}

    @property
    def labels(self) -> list[str]:
        return list(self._names.values())

    @property
    def edges(self) -> set[str]:
        """As "a -> b", or "a ~> b" where it is only for control."""
        found = [
            f"{self._names[edge.source]} {'->' if edge.kind is EdgeKind.VALUE else '~>'}"
            f" {self._names[edge.target]}"
            for edge in self.graph.edges
        ]
        assert len(found) == len(set(found))
        return set(found)

    @property
    def states(self) -> dict[str, State | None]:
        return {self._names[node.id]: node.state for node in self.graph.nodes}

    def __getitem__(self, label: str) -> GraphNode:
        found = [node for node in self.graph.nodes if self._names[node.id] == label]
        assert len(found) == 1, f"{len(found)} boxes {label!r} among {self.labels}"
        return found[0]

    def group_of(self, label: str) -> str | None:
        """The label of the group that a box is in."""
        groups = {group.id: group.label for group in self.graph.groups}
        group = self[label].group
        return None if group is None else groups[group]


def is_of_no_stage(id: str) -> bool:
    """True if it has a `%` that begins no escape, which no path has."""
    return re.search("%(?!25|2F)", id) is not None


def check(graph: Graph) -> None:
    """What holds for any diagram."""
    boxes = [node for node in graph.nodes if node.kind is not NodeKind.JUNCTION]
    assert len({node.id for node in graph.nodes}) == len(graph.nodes)
    assert len({group.id for group in graph.groups}) == len(graph.groups)
    for node in graph.nodes:
        assert node.path == (None if is_of_no_stage(node.id) else node.id)
    assert all(is_of_no_stage(group.id) for group in graph.groups)
    order = {node.id: i for i, node in enumerate(boxes)}
    for edge in graph.edges:
        if edge.source in order and edge.target in order:
            assert order[edge.source] < order[edge.target]
    known: set[str | None] = {None}
    for group in graph.groups:
        assert group.parent in known
        known.add(group.id)
    for node in graph.nodes:
        assert node.group in known
        assert (node.state is None) == (node.kind is NodeKind.JUNCTION)
        assert node.failure is None or node.state is State.FAILED


def counted(graph: Graph) -> Stats:
    """The stages that a diagram shows, by their state."""
    counts = Counter(node.state for node in graph.nodes if node.kind in STAGES)
    return Stats(*[counts[state] for state in State])
