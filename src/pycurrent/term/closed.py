"""Lists that a diagram shows closed, so that its size does not depend on theirs.

A closed list is one box. An open list of many items shows them in ranges, each of which is closed
or open. Drawing does not look into closed boxes: only the stages within are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from pycurrent.incr import Item
from pycurrent.term import shape as shapes
from pycurrent.term.account import Stage
from pycurrent.term.graph_data import FailedInside, GraphNode, Inside
from pycurrent.term.hidden import first_drawn
from pycurrent.term.shape import Context, ContextBlock, LabelBlock, Term
from pycurrent.term.state import BY_CONCERN, State, Stats, failure_of
from pycurrent.term.status import Statuses, part_of

RANGE = 500
"""How many items of a list are shown together, where lists may be closed."""
_ASKED = 3
"""How many items of a closed list are looked into for what they use of the outside."""
_BLOCKS = (ContextBlock, LabelBlock)
_LOOKED_AT = 100
"""How many terms are looked at for that."""


class Range(Struct, frozen=True, eq=False):
    """Some of the items of a long list."""

    first: int
    items: Sequence[Item]

    @property
    def owner(self) -> Term:
        """The term that stands for it: that of its first item."""
        return _term_of(self.items[0])

    @property
    def label(self) -> str:
        return f"{self.first + 1}\N{EN DASH}{self.first + len(self.items)}"


Part: TypeAlias = Item | Range


class Closing:
    """Decides which lists a drawing shows closed."""

    def __init__(
        self,
        depth: int | None = None,
        opened: Collection[str] = frozenset(),
        *,
        size: int = RANGE,
    ) -> None:
        """Lists within `depth` others or more are closed, unless `opened` has their ids; long lists
        are shown in ranges of `size` items, which are closed likewise. None: all is open.
        """
        self._depth = depth
        self._size = size
        self.opened = opened

    def closes(self, id: str, depth: int) -> bool:
        """True if the list with this id, within so many others, is closed."""
        return self._depth is not None and depth >= self._depth and id not in self.opened

    def parts(self, items: Sequence[Item]) -> list[Part]:
        """The items of an open list, or its ranges."""
        if self._depth is None or len(items) <= self._size:
            return [*items]
        starts = range(0, len(items), self._size)
        return [Range(start, items[start : start + self._size]) for start in starts]

    def least(self, items: int) -> int:
        """How many boxes an open list of so many items has at least, while no range is open."""
        return items if self._depth is None or items <= self._size else -(-items // self._size)


def used_inside(
    listing: Term,
    items: Sequence[Item],
    statuses: Statuses,
    is_unfolded: Callable[[str, str], bool],
) -> list[Term]:
    """The terms outside of a list that the first of its items use: the others mostly use the same.

    A bounded number of terms is looked at.
    """
    stack = [part for item in items[:_ASKED] if (part := part_of(item)) is not None]
    seen, found = set(stack), dict[Term, None]()
    while stack and len(seen) < _LOOKED_AT:
        term = stack.pop()
        if not _is_within(term, listing):
            found[term] = None
            continue
        for source in _uses(term, statuses, is_unfolded):
            if source not in seen:
                seen.add(source)
                stack.append(source)
    return [*found]


def _uses(
    term: Term, statuses: Statuses, is_unfolded: Callable[[str, str], bool]
) -> Iterable[Term]:
    match term.shape:
        case shapes.Collapse(key=key, value=value, input=start) if not is_unfolded(key, value):
            return (start,)
        case shapes.Folded(whole=whole) if not _is_open(whole, is_unfolded):
            return (whole,)
        case shapes.BindShape() as bind:
            inside = statuses.inside(term)
            return bind.inputs() if inside is None else (*bind.inputs(), inside)
        case shape:
            return shape.inputs()


def _is_open(whole: Term, is_unfolded: Callable[[str, str], bool]) -> bool:
    fold = whole.shape
    assert isinstance(fold, shapes.Collapse)
    return is_unfolded(fold.key, fold.value)


def _is_within(term: Term, listing: Term) -> bool:
    """True if it is built for an item of the list, or is the fold of one: that stands beside it."""
    fold = term.shape
    parts = (term, fold.input, fold.source) if isinstance(fold, shapes.Collapse) else (term,)
    around = (item for part in parts for item in _items_around(part))
    return any(item.shape.parent is listing for item in around)


def _items_around(term: Term) -> Iterator[Any]:
    """The items of lists and options that a term was built for, or is, from the inside."""
    here: Context = term
    while here is not None:
        if isinstance(here, ContextBlock | LabelBlock):
            here = here.outer
            continue
        if isinstance(here.shape, shapes.ItemOf):
            yield here
        here = here.context


def _term_of(item: Item) -> Term:
    assert isinstance(item.owner, Term)
    return item.owner


class ClosedBoxes(Struct, eq=False):
    """The closed boxes of a drawing."""

    places: dict[Term, int] = field(default_factory=dict)
    """By the lists, or the items of ranges, that they hide."""
    of_lists: dict[Term, int] = field(default_factory=dict)
    """The first closed box of each list."""
    items: dict[int, int] = field(default_factory=dict)
    """How many items they hide, by their places."""
    lists: list[int] = field(default_factory=list)
    """The places of those that hide all of a list."""

    def add(self, place: int, listing: Term, part: Sequence[Item] | Range) -> None:
        """Note what the box at a place hides: all items of a list, or a range of them."""
        self.of_lists.setdefault(listing, place)
        if isinstance(part, Range):
            self.places.update(dict.fromkeys(map(_term_of, part.items), place))
            self.items[place] = len(part.items)
        else:
            self.places[listing] = place
            self.items[place] = len(part)
            self.lists.append(place)


class Insides:
    """Counts the stages within closed boxes by their states; each for one box.

    A stage belongs to the box of the items that it was built for. One that was built elsewhere and
    is used within closed boxes only belongs to the first of these.
    """

    def __init__(
        self, boxes: ClosedBoxes, shown: Mapping[Term, int], drawn: Container[Term]
    ) -> None:
        """`shown` has the terms with boxes of their own, `drawn` those that were walked."""
        self._boxes = boxes
        self._shown = shown
        self._drawn = drawn
        self._counts = {place: [0] * len(State) for place in boxes.items}
        # Of each counted stage, the place times 8, and its state.
        self._counted: dict[Stage, int] = {}
        self._strays: dict[Stage, None] = {}
        # The stages that are within no closed box, as far as was looked.
        self._elsewhere: dict[Stage, None] = {}
        self._failures: dict[int, Counter[str]] = {}
        self._messages: dict[Stage, str] = {}

    @property
    def failed(self) -> Iterable[Stage]:
        """The stages that have failed."""
        return self._messages.keys()

    @property
    def movable(self) -> Iterator[Stage]:
        """The stages that may be elsewhere once nodes are linked otherwise."""
        yield from self._strays
        yield from self._elsewhere

    def put(self, stage: Stage) -> int | None:
        """Count a living stage as it is now; the place of its box, or None. Twice is fine."""
        known = self._counted.get(stage)
        place = self._find(stage) if known is None else known >> 3
        if place is None:
            return None
        if known is not None:
            self._counts[place][known & 7] -= 1
        state = stage.state
        self._counted[stage] = place << 3 | state
        self._counts[place][state] += 1
        if state is State.FAILED or stage in self._messages:
            self._note_failure(stage, place)
        return place

    def take(self, stage: Stage) -> int | None:
        """Count a stage no longer; the place of the box that it was in. Twice is fine."""
        self._strays.pop(stage, None)
        self._elsewhere.pop(stage, None)
        known = self._counted.pop(stage, None)
        if known is None:
            return None
        self._counts[known >> 3][known & 7] -= 1
        self._forget_failure(stage, known >> 3)
        return known >> 3

    def show(self, box: GraphNode, place: int) -> GraphNode:
        """A box with what it hides now."""
        counts = self._counts[place]
        failures = self._failures.get(place)
        return replace(
            box,
            state=next((state for state in BY_CONCERN if counts[state]), State.OK),
            inside=Inside(self._boxes.items[place], Stats(*counts)),
            failed_inside=FailedInside(counts[State.FAILED], min(failures)) if failures else None,
        )

    # Where stages are

    def _find(self, stage: Stage) -> int | None:
        term = stage.term
        if term in self._shown or stage in self._elsewhere:
            return None
        place = self._place_around(term.context)
        if place is not None:
            return place
        place = self._user_of(stage)
        if place is None:
            self._elsewhere[stage] = None
        else:
            self._strays[stage] = None
        return place

    def _place_around(self, here: Context) -> int | None:
        """The closed box of the innermost item with one that something is built for.

        It is asked for each stage of a large pipeline, so it looks only where an item can be.
        """
        places = self._boxes.places
        while here is not None:
            if isinstance(here, _BLOCKS):
                here = here.outer
                continue
            shape = here.shape
            if isinstance(shape, shapes.ItemOf):
                place = places.get(here)
                if place is None:
                    place = places.get(shape.parent)
                if place is not None:
                    return place
            here = here.context
        return None

    def _user_of(self, start: Stage) -> int | None:
        """The first closed box that a stage which is not drawn leads to."""
        of_lists = self._boxes.of_lists
        found = [of_lists[term] for term in first_drawn(start, self._drawn) if term in of_lists]
        return min(found, default=None)

    # Why they have failed

    def _note_failure(self, stage: Stage, place: int) -> None:
        self._forget_failure(stage, place)
        if stage.state is State.FAILED:
            message = self._messages[stage] = failure_of(stage.absent) or ""
            self._failures.setdefault(place, Counter())[message] += 1

    def _forget_failure(self, stage: Stage, place: int) -> None:
        message = self._messages.pop(stage, None)
        if message is None:
            return
        failures = self._failures[place]
        failures[message] -= 1
        if not failures[message]:
            del failures[message]
            if not failures:
                del self._failures[place]
