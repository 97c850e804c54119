"""A diagram that is being drawn, box by box."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from pycurrent.incr import Item
from pycurrent.term.box_ids import BoxIds
from pycurrent.term.closed import ClosedBoxes, Range
from pycurrent.term.graph_data import (
    Edge,
    EdgeKind,
    Fold,
    Graph,
    GraphNode,
    Group,
    GroupKind,
    NodeKind,
)
from pycurrent.term.hidden import Hidden
from pycurrent.term.shape import Term
from pycurrent.term.state import State, Status
from pycurrent.term.wiring import Wiring


class Wired(Struct, frozen=True):
    """The edges of a drawing."""

    junctions: tuple[GraphNode, ...]
    edges: tuple[Edge, ...]


class Place(Struct, frozen=True):
    """Where something is drawn: the group, and the lists that it is an example within."""

    group: str | None
    enclosing: tuple[object, ...] = ()
    depth: int = 0
    """How many lists it is in."""


class Drawing(Struct):
    """The boxes, groups and edges drawn so far."""

    job_link: Callable[[str], str | None]
    fold_link: Callable[[str, str], str | None]
    box_ids: BoxIds
    wiring: Wiring = field(default_factory=Wiring)
    nodes: list[GraphNode] = field(default_factory=list)
    # Of the boxes, in the same order.
    owners: list[Term] = field(default_factory=list)
    # The places of the boxes by their owners, but those of functions that failed.
    places: dict[Term, int] = field(default_factory=dict)
    functions: dict[Term, int] = field(default_factory=dict)
    # The places of those that were drawn as failed.
    failed: list[int] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    # The ids of the boxes, and the groups that the bundles were made in, by their vertices.
    ids: dict[int, str] = field(default_factory=dict)
    # The places of the folds among the nodes, by their owners.
    folds: dict[Term, int] = field(default_factory=dict)
    closed: ClosedBoxes = field(default_factory=ClosedBoxes)
    bundled_in: dict[int, str | None] = field(default_factory=dict)

    def box(
        self,
        vertex: int,
        kind: NodeKind,
        label: str,
        status: Status,
        group: str | None,
        owner: Term,
        path: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        id = self.ids[vertex] = path or self.box_ids.of(owner, kind)
        job_id = status.job_id
        link = None if job_id is None else self.job_link(job_id)
        node = GraphNode(
            *(id, kind, label, status.state, group, status.update, job_id, link, status.failure),
            path=path,
            labels=labels,
            note=status.note,
            hold=status.hold,
        )
        self._put(node, owner)

    def fold(self, vertex: int, fold: Fold, status: Status, group: str | None, owner: Term) -> None:
        id = self.ids[vertex] = self.box_ids.of(owner, NodeKind.FOLD)
        link = self.fold_link(fold.key, fold.value)
        self.folds[owner] = len(self.nodes)
        node = GraphNode(
            id,
            NodeKind.FOLD,
            "+",
            status.state,
            group,
            link=link,
            failure=status.failure,
            fold=fold,
        )
        self._put(node, owner)

    def close(
        self,
        vertex: int,
        label: str,
        group: str | None,
        listing: Term,
        part: Sequence[Item] | Range,
    ) -> None:
        """Draw a box for all items of a list, or for a range of them."""
        if isinstance(part, Range):
            owner, kind = part.owner, GroupKind.RANGE
        else:
            owner, kind = listing, GroupKind.LIST
        id = self.ids[vertex] = self.box_ids.of(owner, kind)
        self.closed.add(len(self.nodes), listing, part)
        self._put(GraphNode(id, NodeKind.LIST, label, State.OK, group), owner)

    def _put(self, node: GraphNode, owner: Term) -> None:
        places = self.functions if node.kind is NodeKind.FUNCTION else self.places
        places[owner] = len(self.nodes)
        if node.state is not None and node.state.is_failure:
            self.failed.append(len(self.nodes))
        self.nodes.append(node)
        self.owners.append(owner)

    def mark(self, hidden: Hidden) -> None:
        """Mark the folds that hide failures."""
        for owner in hidden.folds:
            place = self.folds[owner]
            self.nodes[place] = replace(self.nodes[place], failed_inside=hidden.mark(owner))

    def group(self, id: str, kind: GroupKind, label: str | None, parent: str | None) -> None:
        self.groups.append(Group(id, kind, label or "", parent))

    def bundle(self, members: Iterable[int], group: str | None) -> int:
        vertex = self.wiring.bundle(members)
        if vertex not in self.ids:
            self.bundled_in.setdefault(vertex, group)
        return vertex

    def graph(self) -> Graph:
        wired = self.wire()
        return Graph((*self.nodes, *wired.junctions), wired.edges, tuple(self.groups))

    def wire(self) -> Wired:
        """Choose the edges, with the points where many meet. To be called once; may be called in
        another thread once all boxes are there.
        """
        wires = self.wiring.wires()
        ids = self.ids
        junctions: list[GraphNode] = []
        for vertex in wires.points:
            # Points come after those that they are made from.
            sources = [ids[source] for source in wires.sources[vertex]]
            id = ids[vertex] = self.box_ids.of_junction(sources)
            group = self.bundled_in[vertex]
            junctions.append(GraphNode(id, NodeKind.JUNCTION, "", None, group))
        edges = [
            Edge(ids[source], ids[target])
            for target, sources in enumerate(wires.sources)
            if target not in wires.dashed
            for source in sources
        ]
        for target, dashed in wires.dashed.items():
            for source in wires.sources[target]:
                kind = EdgeKind.CONTROL if source in dashed else EdgeKind.VALUE
                edges.append(Edge(ids[source], ids[target], kind))
        return Wired(tuple(junctions), tuple(edges))
