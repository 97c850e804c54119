"""The failures within folds.

A fold has the state of its value, so a failure that is caught within it would not be seen. From
each stage that has failed and is not drawn, the search follows the nodes that use it, up to the
folds that hide it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from pycurrent.incr import Node
from pycurrent.term.account import Stage
from pycurrent.term.graph_data import FailedInside
from pycurrent.term.shape import Folded, Term
from pycurrent.term.state import State, failure_of


class Hidden:
    """The failed stages that the folds of a drawing hide. A stage that two folds hide counts for
    both.
    """

    def __init__(self, drawn: Container[Term], folds: Container[Term]) -> None:
        self._drawn = drawn
        self._folds = folds
        self._by_fold: dict[Term, dict[Stage, None]] = {}
        self._around: dict[Stage, tuple[Term, ...]] = {}

    def note(self, stages: Iterable[Stage]) -> None:
        """Note those that have failed and are not drawn."""
        for stage in stages:
            if stage.state is State.FAILED and stage.term not in self._drawn:
                self.add(stage)

    def add(self, stage: Stage) -> tuple[Term, ...]:
        """Take in a failed stage that is not drawn; the folds around it. Twice is fine."""
        if stage not in self._around:
            around = self._around[stage] = tuple(self._folds_around(stage))
            for fold in around:
                self._by_fold.setdefault(fold, {})[stage] = None
        return self._around[stage]

    def remove(self, stage: Stage) -> tuple[Term, ...]:
        """Forget a stage; the folds that hid it. Twice is fine."""
        around = self._around.pop(stage, ())
        for fold in around:
            del self._by_fold[fold][stage]
            if not self._by_fold[fold]:
                del self._by_fold[fold]
        return around

    @property
    def folds(self) -> Iterable[Term]:
        """The folds in which something has failed."""
        return self._by_fold.keys()

    @property
    def stages(self) -> Iterable[Stage]:
        """The stages that were added."""
        return self._around.keys()

    def mark(self, fold: Term) -> FailedInside | None:
        """The mark of a fold; None if nothing has failed in it."""
        stages = self._by_fold.get(fold)
        if stages is None:
            return None
        # Of several, always the same one.
        return FailedInside(len(stages), min(failure_of(stage.absent) or "" for stage in stages))

    def _folds_around(self, start: Stage) -> Iterator[Term]:
        """The folds that a node which is not drawn leads to first."""
        given: set[Term] = set()
        for term in first_drawn(start, self._drawn):
            # One of several currents that are folded together is drawn as the whole of them.
            fold = term.shape.whole if isinstance(term.shape, Folded) else term
            if fold in self._folds and fold not in given:
                given.add(fold)
                yield fold


def first_drawn(start: Stage, drawn: Container[Term]) -> Iterator[Term]:
    """The terms that a node which is not drawn leads to first, of those that are drawn."""
    seen: set[Node] = {start}
    stack: list[Node] = [start]
    while stack:
        for user in stack.pop().get_users():
            if user in seen:
                continue
            seen.add(user)
            term = user.owner
            if isinstance(term, Term) and term in drawn:
                yield term
            else:
                stack.append(user)
