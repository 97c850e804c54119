"""The walk that draws a pipeline: from what it ends in to what that is made from.

The walk gives each term a vertex (see `wiring`): the boxes that lead to what waits for the
term. Many terms have no box and pass on those of their inputs.

The walk does not recurse: a stack holds the steps still to do. A step that finds terms not
walked yet puts itself back, with those on top. Terms form no circles but through contexts, as
a term can be built inside a bind and be an outcome of it; such a circle is cut where the walk
meets it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from pycurrent.incr import Item
from pycurrent.term import shape as shapes
from pycurrent.term.drawing import Drawing, Place
from pycurrent.term.example import Example, identity, item_label, shows_example
from pycurrent.term.graph_data import Fold, GroupKind, NodeKind
from pycurrent.term.output import Active
from pycurrent.term.shape import ContextBlock, LabelBlock, Shape, Term, around, leading
from pycurrent.term.state import BLOCKED, OK, Status, status_of, status_of_output
from pycurrent.term.status import Statuses, items_in_order, label_of_empty, part_of
from pycurrent.term.wiring import NOTHING

_STEPS = 100
"""How many steps are made at once: they take about a millisecond."""
_ITEMS = 10
"""How many items of a list a step takes in."""
_STAGES = frozenset({NodeKind.COMPONENT, NodeKind.BIND})


# Longer than our classes are, as it has one method for each kind of term: see `VISITS`.
class Walk:
    """One walk over the terms, which makes a drawing. Used once."""

    def __init__(
        self, statuses: Statuses, is_unfolded: Callable[[str, str], bool], drawing: Drawing
    ) -> None:
        """`is_unfolded` says of the key and the value of a fold whether it is shown open."""
        self._statuses = statuses
        self._is_unfolded = is_unfolded
        self._drawing = drawing
        # Of the terms that are done.
        self._vertices: dict[Term, int] = {}
        # Terms that wait for others; and what their insides start from, if these are walked.
        self._entered: set[Term] = set()
        self._origins: dict[Term, int] = {}
        self._contexts: dict[ContextBlock | LabelBlock | Term, int] = {}
        # Of the items that stand for each item of lists without items.
        self._placeholders: dict[Term, int] = {}
        self._steps: list[tuple[Callable[[Any, Place], None], Any, Place]] = []

    def run(self, root: Term) -> Iterator[None]:
        """Walk, and stop now and then, when nothing else may change what is drawn."""
        yield from self._statuses.take_in_paths()
        steps = self._steps
        steps.append((self._visit, root, Place(None)))
        while steps:
            for _ in range(_STEPS):
                step, subject, place = steps.pop()
                step(subject, place)
                if not steps:
                    return
            yield

    @property
    def drawn(self) -> Collection[Term]:
        """The terms that the walk has met; those within folds are not among them."""
        return self._vertices.keys()

    def _visit(self, term: Term, place: Place) -> None:
        if term not in self._vertices:
            shape = term.shape
            VISITS[type(shape)](self, term, shape, place)

    # For all terms

    def _awaits(
        self, term: Term, place: Place, inputs: Iterable[Term], *, context: bool = False
    ) -> bool:
        """True if the term has to wait for some of these; it will then be visited again."""
        missing = [source for source in inputs if source not in self._vertices]
        if context:
            here = term.context
            while here is not None and here not in self._contexts:
                leader, here = leading(here), around(here)
                if leader is not None and leader not in self._vertices:
                    missing.append(leader)
        missing = [source for source in missing if source not in self._entered]
        if not missing:
            return False
        self._entered.add(term)
        self._steps.append((self._visit, term, place))
        self._steps.extend((self._visit, source, place) for source in reversed(missing))
        return True

    def _vertex(self, term: Term) -> int:
        vertex = self._vertices.get(term)
        return self._origins.get(term, NOTHING) if vertex is None else vertex

    def _union(self, terms: Sequence[Term], place: Place) -> int:
        if len(terms) == 1:
            return self._vertex(terms[0])
        return self._drawing.bundle([self._vertex(term) for term in terms], place.group)

    def _context(self, term: Term, place: Place) -> int:
        """All that leads to what is built in the term's context, which has been awaited."""
        new: list[ContextBlock | LabelBlock | Term] = []
        here = term.context
        while here is not None and here not in self._contexts:
            new.append(here)
            here = around(here)
        vertex = NOTHING if here is None else self._contexts[here]
        for here in reversed(new):
            leader = leading(here)
            if leader is not None:
                vertex = self._drawing.bundle((self._vertex(leader), vertex), place.group)
            self._contexts[here] = vertex
        return vertex

    def _box(
        self,
        term: Term,
        place: Place,
        kind: NodeKind,
        label: str,
        status: Status,
        inputs: Iterable[int] = (),
        *,
        control: int = NOTHING,
        opaque: bool = False,
    ) -> int:
        """Draw a box, the context of the term having been awaited."""
        if term.context is not None:
            inputs = (*inputs, self._context(term, place))
        vertex = self._drawing.wiring.box(inputs, control=control, opaque=opaque)
        path = self._statuses.path(term) if kind in _STAGES else None
        self._drawing.box(vertex, kind, label, status, place.group, term, path)
        return vertex

    def _after(self, outcome: int, origin: int, place: Place) -> int:
        """The vertex of an inside, joined with its origin if nothing leads from there to it."""
        if self._drawing.wiring.leads(origin, outcome):
            return outcome
        return self._drawing.bundle((outcome, origin), place.group)

    # Constants and what passes its inputs on

    def _constant(self, term: Term, shape: shapes.Constant, place: Place) -> None:
        if self._awaits(term, place, (), context=True):
            return
        status = status_of_output(shape.output)
        if status is not OK and not self._statuses.is_shown_alive(term):
            status = BLOCKED
        if shape.label is not None:
            vertex = self._box(term, place, NodeKind.CONSTANT, shape.label, status)
        elif status is OK:
            vertex = self._context(term, place)
        elif isinstance(shape.output, Active):
            vertex = self._box(term, place, NodeKind.INPUT, "(input)", status)
        else:
            vertex = self._box(term, place, NodeKind.CONSTANT, "(const)", status)
        self._vertices[term] = vertex

    def _pass(self, term: Term, shape: Shape, place: Place) -> None:
        """Draw a box only if the term's own function failed."""
        inputs = shape.inputs()
        if self._awaits(term, place, inputs):
            return
        vertex = self._union(inputs, place)
        failure = self._statuses.own_failure(term, inputs)
        if vertex == NOTHING or failure is not None:
            if self._awaits(term, place, (), context=True):
                return
            if vertex == NOTHING:
                vertex = self._context(term, place)
        if failure is not None:
            label = "cutoff" if isinstance(shape, shapes.Cutoff) else "map"
            vertex = self._box(term, place, NodeKind.FUNCTION, label, failure, (vertex,))
        self._vertices[term] = vertex

    def _latch(self, term: Term, shape: shapes.Latch, place: Place) -> None:
        status = self._statuses.of_latch(term)
        if status is None:
            self._pass(term, shape, place)
            return
        if self._awaits(term, place, shape.inputs(), context=True):
            return
        inputs = (self._vertex(shape.source),)
        label = "(earlier result)"
        self._vertices[term] = self._box(term, place, NodeKind.LATCH, label, status, inputs)

    # Boxes

    def _component(self, term: Term, shape: shapes.Component, place: Place) -> None:
        if self._awaits(term, place, shape.sources, context=True):
            return
        label = shape.label.show(self._statuses.values(shape.sources))
        inputs = [self._vertex(source) for source in shape.sources]
        status = self._statuses.of_component(term)
        self._vertices[term] = self._box(term, place, NodeKind.COMPONENT, label, status, inputs)

    def _gate(self, term: Term, shape: shapes.Gate, place: Place) -> None:
        if self._awaits(term, place, shape.inputs(), context=True):
            return
        status = self._statuses.of_passing(term)
        self._vertices[term] = self._box(
            term,
            place,
            NodeKind.GATE,
            "",
            status,
            (self._vertex(shape.source),),
            control=self._vertex(shape.on),
        )

    def _state(self, term: Term, shape: shapes.StateOf | shapes.Catch, place: Place) -> None:
        if shape.hidden:
            self._pass(term, shape, place)
            return
        if self._awaits(term, place, shape.inputs(), context=True):
            return
        kind = NodeKind.STATE if isinstance(shape, shapes.StateOf) else NodeKind.CATCH
        status = self._statuses.of_passing(term)
        inputs = (self._vertex(shape.source),)
        # It has a value even where its input has none, so who needs both waits for both.
        self._vertices[term] = self._box(term, place, kind, kind.value, status, inputs, opaque=True)

    # Binds

    def _bind(self, term: Term, shape: shapes.BindShape, place: Place) -> None:
        if self._awaits(term, place, shape.sources, context=True):
            return
        inside = self._statuses.inside(term)
        inputs = [self._vertex(source) for source in shape.sources]
        status = self._statuses.of_decision(term)
        if shape.name is not None:
            origin = self._box(term, place, NodeKind.BIND, shape.name, status, inputs)
        elif inside is None:
            origin = self._box(term, place, NodeKind.UNNAMED_BIND, "bind", status, inputs)
        else:
            origin = self._drawing.bundle((*inputs, self._context(term, place)), place.group)
        if inside is None:
            self._vertices[term] = origin
            return
        self._entered.add(term)
        self._origins[term] = origin
        self._steps.append((partial(self._end_bind, inside), term, place))
        self._steps.append((self._visit, inside, place))

    def _end_bind(self, inside: Term, term: Term, place: Place) -> None:
        vertex = self._after(self._vertex(inside), self._origins[term], place)
        failure = self._statuses.own_failure(term, (inside,))
        if failure is not None:
            # The comparison with the last value.
            vertex = self._box(term, place, NodeKind.FUNCTION, "bind", failure, (vertex,))
        self._vertices[term] = vertex

    # Lists and options

    def _dynamic(self, term: Term, shape: shapes.Itemwise, place: Place) -> None:
        if self._awaits(term, place, (shape.source,), context=True):
            return
        origin = self._vertex(shape.source)
        self._origins[term] = self._context(term, place) if origin == NOTHING else origin
        self._entered.add(term)
        is_option = isinstance(shape, shapes.OptionMap)
        kind = GroupKind.OPTION if is_option else GroupKind.LIST
        group = self._drawing.group(kind, shape.label, place.group, term)
        listing = self._statuses.listing(term)
        if listing is None or not listing.order:
            self._example(term, place, group)
            return
        inner = Place(group)
        items = items_in_order(listing)
        self._steps.append((partial(self._end_items, items, []), term, place))
        self._steps.extend((self._item, item, inner) for item in reversed(items))

    def _item(self, item: Item, place: Place) -> None:
        """Draw an item, and what is done for it."""
        term = item.owner
        assert isinstance(term, Term)
        shape = term.shape
        assert isinstance(shape, shapes.ItemOf)
        vertex = self._origins[shape.parent]
        part = part_of(item)
        if part is None or isinstance(shape.parent.shape, shapes.ListMap):
            status = OK if part is not None else status_of(item.output.absent)
            label = item_label(term)
            vertex = self._box(term, place, NodeKind.ITEM, label, status, (vertex,))
        self._vertices[term] = vertex
        if part is not None:
            self._steps.append((self._visit, part, place))

    def _end_items(
        self, items: Sequence[Item], outcomes: list[int], term: Term, place: Place
    ) -> None:
        """Take in the outcomes of some of the items, and then of the others."""
        for item in items[len(outcomes) : len(outcomes) + _ITEMS]:
            part = part_of(item)
            origin = self._vertex(item.owner)  # type: ignore[arg-type]
            outcome = origin if part is None else self._vertex(part)
            outcomes.append(self._after(outcome, origin, place))
        if len(outcomes) < len(items):
            self._steps.append((partial(self._end_items, items, outcomes), term, place))
        else:
            self._vertices[term] = self._drawing.bundle(outcomes, place.group)

    def _example(self, term: Term, place: Place, group: str) -> None:
        """Draw what would be done for each item."""
        shape = term.shape
        listing = self._statuses.listing(term)
        origin = self._origins[term]
        inner = Place(group, () if listing is not None else place.enclosing)
        if isinstance(shape, shapes.ListMap):
            label, status = label_of_empty(listing), self._statuses.of_list(listing)
            origin = self._box(term, inner, NodeKind.ITEM, label, status, (origin,))
        if inner.enclosing and not shows_example(term, inner.enclosing):
            self._vertices[term] = origin
            return
        inner = Place(group, (*inner.enclosing, identity(term)))
        example = self._statuses.examples.of(term)
        self._placeholders[example.item] = origin
        self._steps.append((partial(self._end_example, example), term, place))
        self._steps.append((self._visit, example.part, inner))

    def _end_example(self, example: Example, term: Term, place: Place) -> None:
        origin = self._placeholders[example.item]
        self._vertices[term] = self._after(self._vertex(example.part), origin, place)

    def _placeholder(self, term: Term, shape: shapes.Placeholder, place: Place) -> None:
        self._vertices[term] = self._placeholders.get(term, NOTHING)

    def _stray_item(self, term: Term, shape: shapes.ItemOf, place: Place) -> None:
        """An item that is met outside of its list: somebody kept hold of it."""
        parent = shape.parent.shape
        assert isinstance(parent, shapes.Itemwise)
        if self._awaits(term, place, (parent.source,), context=True):
            return
        vertex = self._vertex(parent.source)
        if isinstance(parent, shapes.ListMap):
            vertex = self._box(term, place, NodeKind.ITEM, item_label(term), OK, (vertex,))
        self._vertices[term] = vertex

    # Folds

    def _collapse(self, term: Term, shape: shapes.Collapse, place: Place) -> None:
        if self._is_unfolded(shape.key, shape.value):
            self._pass(term, shape, place)
            return
        if self._awaits(term, place, (shape.input,), context=True):
            return
        inputs = (self._vertex(shape.input), self._context(term, place))
        vertex = self._vertices[term] = self._drawing.wiring.box(inputs)
        status = self._statuses.of_fold(term)
        self._drawing.fold(vertex, Fold(shape.key, shape.value), status, place.group, term)

    def _folded(self, term: Term, shape: shapes.Folded, place: Place) -> None:
        whole = shape.whole.shape
        assert isinstance(whole, shapes.Collapse)
        shown = shape.source if self._is_unfolded(whole.key, whole.value) else shape.whole
        if not self._awaits(term, place, (shown,)):
            self._vertices[term] = self._vertex(shown)


VISITS: Mapping[type[Shape], Callable[[Walk, Term, Any, Place], None]] = MappingProxyType(
    {
        shapes.BindShape: Walk._bind,
        shapes.Catch: Walk._state,
        shapes.Collapse: Walk._collapse,
        shapes.Component: Walk._component,
        shapes.Constant: Walk._constant,
        shapes.Cutoff: Walk._pass,
        shapes.All: Walk._pass,
        shapes.Folded: Walk._folded,
        shapes.Gate: Walk._gate,
        shapes.Ignore: Walk._pass,
        shapes.ItemOf: Walk._stray_item,
        shapes.Labelling: Walk._pass,
        shapes.Latch: Walk._latch,
        shapes.ListMap: Walk._dynamic,
        shapes.Map: Walk._pass,
        shapes.MapError: Walk._pass,
        shapes.MapMany: Walk._pass,
        shapes.MetadataOf: Walk._pass,
        shapes.OptionMap: Walk._dynamic,
        shapes.Placeholder: Walk._placeholder,
        shapes.StateOf: Walk._state,
    }
)
"""How each kind of term is visited."""
