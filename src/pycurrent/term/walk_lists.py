"""How the walk that draws a pipeline goes through lists and options: see `walk`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from pycurrent.incr import Item
from pycurrent.term import shape as shapes
from pycurrent.term.closed import Part, Range, used_inside
from pycurrent.term.drawing import Place
from pycurrent.term.example import Example, identity, item_label, shows_example
from pycurrent.term.graph_data import GroupKind, NodeKind
from pycurrent.term.shape import Term
from pycurrent.term.state import OK, status_of
from pycurrent.term.status import label_of_empty, part_of
from pycurrent.term.walking import Walking
from pycurrent.term.wiring import NOTHING

_ITEMS = 10
"""How many items of a list a step takes in."""


class ListWalk(Walking):
    """Walks lists and options, closed ones and those without items included."""

    def _dynamic(self, term: Term, shape: shapes.Itemwise, place: Place) -> None:
        closing = self._closing
        items = self._statuses.items(term)
        is_list = isinstance(shape, shapes.ListMap)
        kind = GroupKind.LIST if is_list else GroupKind.OPTION
        id = self._drawing.box_ids.of(term, kind)
        is_closed = is_list and bool(items) and closing.closes(id, place.depth)
        parts = closing.parts(items)
        hides = is_closed or len(parts) < len(items)
        used = self.look_inside(term, items) if hides else []
        if self._awaits(term, place, (shape.source, *used), context=True):
            return
        origin = self._vertex(shape.source)
        origin = self._context(term, place) if origin == NOTHING else origin
        self._origins[term] = origin
        if hides:
            self.used_inside[term] = used
            self._origins_of_hidden[term] = (origin, *map(self._vertex, used))
        if is_closed:
            vertex = self._vertices[term] = self._hide(term, place)
            self._drawing.close(vertex, shape.label or "", place.group, term, items)
            return
        self._entered.add(term)
        self._drawing.group(id, kind, shape.label, place.group)
        if not items:
            self._example(term, place, id)
            return
        self._parts(term, parts, Place(id, depth=place.depth + is_list))

    def look_inside(self, term: Term, items: Sequence[Item]) -> list[Term]:
        """The terms outside of a list that its items use, as far as is looked."""
        return used_inside(term, items, self._statuses, self._is_unfolded)

    def _parts(self, term: Term, parts: Sequence[Part], place: Place) -> None:
        """Draw the items of a list, or its ranges."""
        steps: list[tuple[Callable[[Any, Place], None], Any, Place]] = []
        shown: list[Part] = []
        ids = self._drawing.box_ids
        opened = ids.opened_ranges(term, self._closing.opened)
        for part in parts:
            if isinstance(part, Item):
                shown.append(part)
                steps.append((self._item, part, place))
            elif (group := ids.opening(part.items, term, opened)) is not None:
                self._drawing.group(group, GroupKind.RANGE, part.label, place.group)
                shown += part.items
                steps += [(self._item, item, replace(place, group=group)) for item in part.items]
            else:
                shown.append(part)
                steps.append((partial(self._range, part), term, place))
        self._steps.append((partial(self._end_parts, shown, []), term, place))
        self._steps.extend(reversed(steps))

    def _range(self, part: Range, term: Term, place: Place) -> None:
        """Draw a range of items as one box."""
        vertex = self._ranges[part] = self._hide(term, place)
        self._drawing.close(vertex, part.label, place.group, term, part)

    def _hide(self, term: Term, place: Place) -> int:
        """The vertex of a box that hides items of a list."""
        inputs = (*self._origins_of_hidden[term], self._context(term, place))
        return self._drawing.wiring.box(inputs)

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

    def _end_parts(
        self, parts: Sequence[Part], outcomes: list[int], term: Term, place: Place
    ) -> None:
        """Take in the outcomes of some of the items or ranges, and then of the others."""
        for part in parts[len(outcomes) : len(outcomes) + _ITEMS]:
            if isinstance(part, Range):
                outcomes.append(self._ranges[part])
                continue
            inside = part_of(part)
            origin = self._vertex(part.owner)  # type: ignore[arg-type]
            outcome = origin if inside is None else self._vertex(inside)
            outcomes.append(self._after(outcome, origin, place))
        if len(outcomes) < len(parts):
            self._steps.append((partial(self._end_parts, parts, outcomes), term, place))
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
