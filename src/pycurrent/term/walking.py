"""The common parts of the walk that draws a pipeline: see `walk`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from pycurrent.term.closed import Closing, Range
from pycurrent.term.drawing import Drawing, Place
from pycurrent.term.graph_data import NodeKind
from pycurrent.term.shape import ContextBlock, LabelBlock, Term, around, leading
from pycurrent.term.state import Status
from pycurrent.term.status import Statuses
from pycurrent.term.wiring import NOTHING

_STEPS = 100
"""How many steps are made at once: they take about a millisecond."""
_STAGES = frozenset({NodeKind.COMPONENT, NodeKind.BIND})


class Walking:
    """The steps of a walk that are still to do, and the vertices found so far. Used once."""

    def __init__(
        self,
        statuses: Statuses,
        is_unfolded: Callable[[str, str], bool],
        drawing: Drawing,
        closing: Closing,
    ) -> None:
        """`is_unfolded` says of the key and the value of a fold whether it is shown open, and
        `closing` which lists are not.
        """
        self._closing = closing
        self._statuses = statuses
        self._is_unfolded = is_unfolded
        self._drawing = drawing
        # Of the terms that are done.
        self._vertices: dict[Term, int] = {}
        # Terms that wait for others; and what their insides start from, if these are walked.
        self._entered: set[Term] = set()
        self._origins: dict[Term, int] = {}
        self._contexts: dict[ContextBlock | LabelBlock | Term, int] = {}
        self.used_inside: dict[Term, list[Term]] = {}
        """Of lists that are closed in whole or in part, what `look_inside` gave."""
        # And what leads to what they hide.
        self._origins_of_hidden: dict[Term, tuple[int, ...]] = {}
        self._ranges: dict[Range, int] = {}
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
        raise NotImplementedError

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
        path = labels = None
        if kind in _STAGES:
            path, labels = self._statuses.path(term), self._statuses.labels(term)
        self._drawing.box(vertex, kind, label, status, place.group, term, path, labels)
        return vertex

    def _after(self, outcome: int, origin: int, place: Place) -> int:
        """The vertex of an inside, joined with its origin if nothing leads from there to it."""
        if self._drawing.wiring.leads(origin, outcome):
            return outcome
        return self._drawing.bundle((outcome, origin), place.group)
