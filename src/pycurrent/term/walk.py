"""The walk that draws a pipeline: from what it ends in to what that is made from.

The walk gives each term a vertex (see `wiring`): the boxes that lead to what waits for the
term. Many terms have no box and pass on those of their inputs.

The walk does not recurse: a stack holds the steps still to do. A step that finds terms not
walked yet puts itself back, with those on top. Terms form no circles but through contexts, as
a term can be built inside a bind and be an outcome of it; such a circle is cut where the walk
meets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from pycurrent.term import shape as shapes
from pycurrent.term.drawing import Place
from pycurrent.term.graph_data import Fold, NodeKind
from pycurrent.term.output import Active
from pycurrent.term.shape import Shape, Term
from pycurrent.term.state import BLOCKED, OK, status_of_output
from pycurrent.term.walk_lists import ListWalk
from pycurrent.term.wiring import NOTHING


class Walk(ListWalk):
    """One walk over the terms, which makes a drawing. Used once."""

    def _visit(self, term: Term, place: Place) -> None:
        if term not in self._vertices:
            shape = term.shape
            VISITS[type(shape)](self, term, shape, place)

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
        shapes.FailedStagesOf: Walk._pass,
        shapes.Folded: Walk._folded,
        shapes.Gate: Walk._gate,
        shapes.Ignore: Walk._pass,
        shapes.ItemOf: Walk._stray_item,
        shapes.Labelling: Walk._pass,
        shapes.Guard: Walk._pass,
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
