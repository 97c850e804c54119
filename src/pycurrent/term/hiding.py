"""The stages that a drawing does not show: failures in folds, and all that closed lists hide."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from pycurrent.term.account import Stage
from pycurrent.term.closed import Insides
from pycurrent.term.drawing import Drawing
from pycurrent.term.graph_data import FailedInside
from pycurrent.term.hidden import Hidden
from pycurrent.term.shape import Term
from pycurrent.term.state import State
from pycurrent.term.term_graph import TermGraph

_NOTED = 200
"""How many stages are noted in one go."""


class Hiding:
    """Keeps account of what the folds and the closed lists of a drawing hide."""

    def __init__(self, drawing: Drawing, drawn: Collection[Term]) -> None:
        """Made once all boxes are drawn; `drawn` are the terms that were walked."""
        self._drawing = drawing
        self._drawn = drawn
        self._hidden = Hidden(drawn, drawing.folds)
        self._insides = Insides(drawing.closed, drawing.places, drawn)
        self._has_closed = bool(drawing.closed.items)

    @property
    def is_needed(self) -> bool:
        """False if the drawing hides nothing."""
        return self._has_closed or bool(self._drawing.folds)

    @property
    def failed(self) -> Iterator[Stage]:
        """The failed stages that are hidden."""
        yield from self._hidden.stages
        yield from self._insides.failed

    def note(self, live: TermGraph) -> Iterator[None]:
        """Look at all stages, and mark the boxes that hide some. Stops now and then."""
        if not self._has_closed and not (self._drawing.folds and live.stats.failed):
            return
        # Nodes may come and go meanwhile only if somebody takes the pipeline away.
        for number, stage in enumerate(list(live.stages()), 1):
            if stage.term not in self._drawn:
                self._put(stage)
            if not number % _NOTED:
                yield
        self._drawing.mark(self._hidden)
        nodes = self._drawing.nodes
        for place in self._drawing.closed.items:
            nodes[place] = self._insides.show(nodes[place], place)

    def put(self, stage: Stage) -> Iterable[int]:
        """Note a stage that is not shown as it is now: the places of the boxes around it. Twice is
        fine.
        """
        if stage.is_alive:
            return self._put(stage)
        place = self._insides.take(stage)
        return () if place is None else (place,)

    def _put(self, stage: Stage) -> Iterable[int]:
        if self._has_closed:
            place = self._insides.put(stage)
            if place is not None:
                return (place,)
        folds = self._drawing.folds
        if not folds:
            return ()
        has_failed = stage.state is State.FAILED
        around = self._hidden.add(stage) if has_failed else self._hidden.remove(stage)
        return [folds[fold] for fold in around]

    def look_again(self) -> set[int]:
        """Find out again what hides the stages whose users may be others now: the places of the
        boxes concerned.
        """
        if not self.is_needed:
            return set()
        folds, before = self._drawing.folds, self._hidden
        places = {folds[fold] for fold in before.folds}
        self._hidden = Hidden(self._drawn, folds)
        again = [*dict.fromkeys([*before.stages, *self._insides.movable])]
        for stage in again:
            place = self._insides.take(stage)
            if place is not None:
                places.add(place)
        for stage in again:
            if stage.is_alive:
                places.update(self._put(stage))
        return places

    def mark(self, fold: Term) -> FailedInside | None:
        """The mark of a fold; None if nothing has failed in it."""
        return self._hidden.mark(fold)

    @property
    def insides(self) -> Insides:
        """The stages within closed lists."""
        return self._insides
