"""The failures within folds.

A fold has the state of its value, so a failure that is caught within it would not be seen. The
stages that have failed and are not drawn are found among the living nodes; from each of them the
search follows the nodes that use it, up to the folds that hide it.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator

from pycurrent.incr import Node
from pycurrent.term.account import Stage
from pycurrent.term.graph_data import FailedInside
from pycurrent.term.shape import Folded, Term
from pycurrent.term.state import State, failure_of
from pycurrent.term.term_graph import TermGraph


def failed_inside(
    graph: TermGraph, drawn: Container[Term], folds: Container[Hashable]
) -> dict[Hashable, FailedInside]:
    """Return what has failed within each of the folds in which something has.

    Looks at all living nodes. A stage that two folds hide counts for both.
    """
    found: dict[Hashable, FailedInside] = {}
    for stage in graph.stages():
        if stage.state is not State.FAILED or stage.term in drawn:
            continue
        for fold in _folds_around(stage, drawn, folds):
            known = found.get(fold)
            if known is None:
                found[fold] = FailedInside(1, failure_of(stage.absent) or "")
            else:
                found[fold] = FailedInside(known.stages + 1, known.failure)
    return found


def _folds_around(
    start: Stage, drawn: Container[Term], folds: Container[Hashable]
) -> Iterator[Hashable]:
    """The folds that a node which is not drawn leads to first."""
    seen: set[Node] = {start}
    stack: list[Node] = [start]
    given: set[Hashable] = set()
    while stack:
        for user in stack.pop().get_users():
            if user in seen:
                continue
            seen.add(user)
            term = user.owner
            if not isinstance(term, Term) or term not in drawn:
                stack.append(user)
                continue
            # One of several currents that are folded together is drawn as the whole of them.
            fold = term.shape.whole if isinstance(term.shape, Folded) else term
            if fold in folds and fold not in given:
                given.add(fold)
                yield fold
