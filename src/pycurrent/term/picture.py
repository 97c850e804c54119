"""A diagram that is kept, and brought up to date by differences.

A step changes little, so `refresh` looks at little:

- the stages that have changed are given to it;
- of everything else that was read when the diagram was drawn (what gates and folds wait for, values
  in labels, outcomes of functions), it looks whether that is still the same object: some fifty
  nanoseconds for each, where drawing a box takes some ten microseconds;
- where the living nodes are linked otherwise than before, it compares what binds and lists have
  made: if that is something else, the diagram is outdated, and has to be drawn again.

A test compares the result with a new drawing, in random pipelines.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pycurrent.incr import Absent, BindResult, Item, Node
from pycurrent.term import shape as shapes
from pycurrent.term.account import Stage
from pycurrent.term.closed import Closing
from pycurrent.term.drawing import Drawing, Wired
from pycurrent.term.graph_data import Graph, GraphNode, NodeKind
from pycurrent.term.hiding import Hiding
from pycurrent.term.latch import Latched
from pycurrent.term.nodes import ListNode
from pycurrent.term.shape import Term
from pycurrent.term.state import BLOCKED, Status
from pycurrent.term.status import Statuses, items_in_order, label_of_empty
from pycurrent.term.term_graph import TermGraph
from pycurrent.term.walk import Walk


class BoxChange(Struct, frozen=True):
    """A box that is shown otherwise than before."""

    before: GraphNode
    now: GraphNode


class Picture:
    """A diagram of a pipeline that lives: see `picture_of`. To be used between two steps."""

    def __init__(self, live: TermGraph, walk: Walk, drawing: Drawing) -> None:
        """Made at the end of the walk; `note` has to be gone through before it is used."""
        self._live = live
        self._statuses = Statuses(live)
        self._walk = walk
        self._drawing = drawing
        self._wired: Wired | None = None
        self._groups = tuple(drawing.groups)
        self._links = live.account.links
        self._is_outdated = False
        self._hiding = Hiding(drawing, walk.drawn)
        self._places = drawing.places
        self._functions = drawing.functions
        # The objects that were read, to be compared by identity.
        self._nodes: dict[Term, Node | None] = {}
        self._absents: dict[Node, Absent | None] = {}
        self._failed: dict[Stage, Absent | None] = {}
        self._passing: dict[Node, Absent | None] = {}
        self._labels: list[tuple[int, list[Node], list[object]]] = []
        self._latches: dict[Latched, int | None] = {}
        self._binds: dict[BindResult, Node | None] = {}
        self._lists: dict[ListNode, tuple[list[Any], list[Item]]] = {}
        # The options whose function raised, so that the item itself is drawn.
        self._options: dict[Item, object] = {}
        # The lists that one box hides.
        self._closed: dict[Term, int] = {}
        # The boxes that show an absence.
        self._users: dict[Node, list[int]] = {}

    @property
    def boxes(self) -> Iterable[GraphNode]:
        """Its boxes, without the points where edges meet."""
        return self._drawing.nodes

    @property
    def closes_lists(self) -> bool:
        """True if a whole list is closed, not only ranges of one."""
        return bool(self._drawing.closed.lists)

    def least(self, closing: Closing) -> int:
        """How many boxes there are at least once these lists are open, and closed are only those
        within them that `closing` closes. Nothing is drawn to find out.
        """
        closed = self._drawing.closed
        shown = sum(closing.least(closed.items[place]) for place in closed.lists)
        return len(self._drawing.nodes) - len(closed.lists) + shown

    @property
    def is_outdated(self) -> bool:
        """True once it has to be drawn again. Its boxes are still there, and stages still shown."""
        return self._is_outdated

    def wire(self) -> None:
        """Choose the edges, which takes a while: in any thread, before `graph` is called."""
        self._wired = self._drawing.wire()

    @property
    def is_wired(self) -> bool:
        return self._wired is not None

    def graph(self) -> Graph:
        """The diagram as of the last refresh."""
        assert self._wired is not None
        nodes = (*self._drawing.nodes, *self._wired.junctions)
        return Graph(nodes, self._wired.edges, self._groups)

    # Looking at what there is

    def refresh(self, changed: Iterable[Stage]) -> list[BoxChange]:
        """Bring the boxes up to date; `changed` are the stages of which steps have told since the
        last call. Twice is fine.
        """
        places: dict[int, None] = {}
        links, self._links = self._links, self._live.account.links
        if not self._is_outdated and self._links != links:
            self._is_outdated = self._is_shaped_otherwise()
            if not self._is_outdated:
                self._look_inside(places)
        for stage in changed:
            self._stage(stage, places)
        for stage in [s for s, absent in self._failed.items() if s.absent is not absent]:
            self._stage(stage, places)
        if not self._is_outdated:
            self._compare(places)
        changes = (self._draw_again(place) for place in places)
        return [change for change in changes if change is not None]

    def _stage(self, stage: Stage, places: dict[int, None]) -> None:
        place = self._places.get(stage.term)
        has_failed = stage.state.is_failure
        if place is not None:
            places[place] = None
        else:
            places.update(dict.fromkeys(self._hiding.put(stage)))
        if has_failed and stage.is_alive and (place is not None or self._hiding.is_needed):
            self._failed[stage] = stage.absent
        else:
            self._failed.pop(stage, None)

    def _compare(self, places: dict[int, None]) -> None:
        """Find the other boxes that differ."""
        absents = self._absents
        for node in [node for node, absent in absents.items() if node.absent is not absent]:
            absents[node] = node.absent
            places.update(dict.fromkeys(self._users[node]))
        passing = self._passing
        for node in [node for node, absent in passing.items() if node.absent is not absent]:
            passing[node] = node.absent
            term: Any = node.owner
            failed = self._own_failure(term) is not None
            if failed is not (term in self._functions):
                self._is_outdated = True
            elif failed:
                places[self._functions[term]] = None
        for place, sources, seen in self._labels:
            if any(a is not b for a, b in zip(_values(sources), seen, strict=True)):
                seen[:] = _values(sources)
                places[place] = None
        for latch, box in self._latches.items():
            if (latch.holds_for is None) is not (box is None):
                self._is_outdated = True
            elif box is not None:
                places[box] = None
        if any(item.item is not seen for item, seen in self._options.items()):
            self._is_outdated = True

    def _is_shaped_otherwise(self) -> bool:
        nodes = self._live.nodes
        return (
            any(nodes.get(term) is not node for term, node in self._nodes.items())
            or any(bind.inner is not inner for bind, inner in self._binds.items())
            or any(self._has_other_items(listing) for listing in self._lists)
            or any(self._hides_otherwise(term) for term in self._walk.used_inside)
        )

    def _has_other_items(self, listing: ListNode) -> bool:
        keys, items = self._lists[listing]
        if listing.keys is keys:
            return False
        if items_in_order(listing) != items:
            return True
        # Only their values are others.
        self._lists[listing] = listing.keys, items
        return False

    def _hides_otherwise(self, term: Term) -> bool:
        """True if a list of which something is hidden is empty now, or uses something else."""
        items = self._statuses.items(term)
        return not items or self._walk.look_inside(term, items) != self._walk.used_inside[term]

    def _look_inside(self, places: dict[int, None]) -> None:
        """Find out again what is hidden: it may have gone, or something else hides it."""
        if not self._hiding.is_needed:
            return
        for stage in [stage for stage in self._failed if not stage.is_alive]:
            del self._failed[stage]
        for term, place in self._closed.items():
            items = len(self._statuses.items(term))
            if self._drawing.closed.items[place] != items:
                self._drawing.closed.items[place] = items
                places[place] = None
        places.update(dict.fromkeys(self._hiding.look_again()))

    def _draw_again(self, place: int) -> BoxChange | None:
        before, term = self._drawing.nodes[place], self._drawing.owners[place]
        if before.kind is NodeKind.LIST:
            return self._changed(place, before, self._hiding.insides.show(before, place))
        status, label, inside = self._status(before, term), before.label, before.failed_inside
        labels = before.labels
        match term.shape:
            case shapes.Component(label=text, sources=sources):
                if text.slots:
                    label = text.show(self._statuses.values(sources))
                labels = self._statuses.labels(term)
            case shapes.BindShape() if before.kind is NodeKind.BIND:
                labels = self._statuses.labels(term)
            case shapes.ListMap() if before.kind is NodeKind.ITEM:
                label = label_of_empty(self._statuses.listing(term))
            case shapes.Collapse():
                inside = self._hiding.mark(term)
        job_id = status.job_id
        link = before.link
        if job_id != before.job_id:
            link = None if job_id is None else self._drawing.job_link(job_id)
        now = replace(
            before,
            label=label,
            state=status.state,
            update=status.update,
            job_id=job_id,
            link=link,
            failure=status.failure,
            failed_inside=inside,
            labels=labels,
            note=status.note,
            hold=status.hold,
        )
        return self._changed(place, before, now)

    def _changed(self, place: int, before: GraphNode, now: GraphNode) -> BoxChange | None:
        if now == before:
            return None
        self._drawing.nodes[place] = now
        return BoxChange(before, now)

    def _status(self, node: GraphNode, term: Term) -> Status:
        statuses = self._statuses
        match node.kind:
            case NodeKind.COMPONENT:
                return statuses.of_component(term)
            case NodeKind.BIND | NodeKind.UNNAMED_BIND:
                return statuses.of_decision(term)
            case NodeKind.LATCH:
                return statuses.of_latch(term) or BLOCKED
            case NodeKind.ITEM:
                return statuses.of_list(statuses.listing(term))
            case NodeKind.FOLD:
                return statuses.of_fold(term)
            case NodeKind.FUNCTION:
                return self._own_failure(term) or BLOCKED
            case _:
                return statuses.of_passing(term)

    def _own_failure(self, term: Term) -> Status | None:
        if not isinstance(term.shape, shapes.BindShape):
            return self._statuses.own_failure(term, term.shape.inputs())
        inside = self._statuses.inside(term)
        return None if inside is None else self._statuses.own_failure(term, (inside,))

    # Noting what there is, when it is drawn

    def note(self) -> Generator[None, None, None]:
        """Note all that was seen, and count what is hidden: that looks at each stage of the
        pipeline, where boxes are closed. Called once; stops now and then.
        """
        for number, term in enumerate(self._walk.drawn, 1):
            found = self._nodes[term] = self._live.nodes.get(term)
            match term.shape:
                case shapes.Collapse() as fold if term in self._drawing.folds:
                    self._note_fold(term, fold, self._drawing.folds[term])
                case shapes.ItemOf(parent=parent, item=item):
                    # It has no node if its function does not use it, or raised.
                    if term in self._places and isinstance(parent.shape, shapes.OptionMap):
                        self._options[item] = item.item
                case _ if found is not None:
                    self._note(term, found)
            if not number % _NOTED:
                yield
        yield from self._hiding.note(self._live)
        for stage in (*self._hiding.failed, *self._drawn_failures()):
            self._failed[stage] = stage.absent

    def _drawn_failures(self) -> Iterator[Stage]:
        for place in self._drawing.failed:
            node = self._nodes[self._drawing.owners[place]]
            found = node.decision if isinstance(node, BindResult) else node
            if isinstance(found, Stage):
                yield found

    def _note(self, term: Term, node: Node) -> None:
        shape, place = term.shape, self._places.get(term)
        match shape:
            case shapes.Map() | shapes.MapMany() | shapes.Cutoff():
                self._passing[node] = node.absent
            case shapes.Component(label=label, sources=sources) if place is not None:
                nodes = [self._live.nodes[sources[slot]] for slot in label.places]
                self._note_text(term, place, nodes)
            case shapes.BindShape():
                assert isinstance(node, BindResult)
                self._binds[node] = node.inner
                self._passing[node] = node.absent
                if place is not None:
                    self._watch(node.decision, place)
                    self._note_text(term, place, [])
            case shapes.Itemwise() if term in self._drawing.closed.places:
                assert place is not None
                self._closed[term] = place
            case shapes.Itemwise():
                self._note_list(term, place)
            case shapes.Latch():
                assert isinstance(node, Latched)
                self._latches[node] = place
            case shapes.Gate() | shapes.StateOf() | shapes.Catch() if place is not None:
                self._watch(node, place)

    def _note_text(self, term: Term, place: int, nodes: list[Node]) -> None:
        """Note the values in the text of a box, which these nodes have, and those in labels."""
        labelling = self._statuses.labelling(term)
        if labelling is not None:
            nodes.append(labelling)
        if nodes:
            self._labels.append((place, nodes, _values(nodes)))

    def _note_list(self, term: Term, place: int | None) -> None:
        listing = self._statuses.listing(term)
        assert listing is not None
        self._lists[listing] = listing.keys, items_in_order(listing)
        if place is not None:
            self._watch(listing, place)
            self._watch(listing.source, place)

    def _note_fold(self, term: Term, shape: shapes.Collapse, place: int) -> None:
        """Note what the state of a fold comes from, even if nobody needs the whole of it."""
        terms = [term, shape.input]
        if term not in self._live.nodes and isinstance(shape.source.shape, shapes.All):
            terms += shape.source.shape.sources
        for each in terms:
            node = self._live.nodes.get(each)
            if node is not None:
                self._watch(node, place)

    def _watch(self, node: Node, place: int) -> None:
        self._absents[node] = node.absent
        self._users.setdefault(node, []).append(place)


_NOTED = 200
"""The number of terms that are noted in one go."""


def _values(nodes: Iterable[Node]) -> list[object]:
    return [seen for node in nodes for seen in (node.absent, node.value)]
