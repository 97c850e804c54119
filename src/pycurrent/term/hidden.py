"""The failures within folds.

A fold has the state of its value, so a failure that is caught within it would not be seen. The
stages that have failed and are not drawn are found among the living nodes; from each of them the
search follows the nodes that use it, up to the folds that hide it.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator
from typing import Any

from pycurrent.incr import BindResult, Node
from pycurrent.term.current import Current
from pycurrent.term.graph_data import FailedInside
from pycurrent.term.live import TermGraph
from pycurrent.term.nodes import Decision, Stage
from pycurrent.term.shape import Folded
from pycurrent.term.state import State
from pycurrent.term.status import failure_of


def failed_inside(
    live: TermGraph, drawn: Container[Current[Any]], folds: Container[Hashable]
) -> dict[Hashable, FailedInside]:
    """Return what has failed within each of the folds in which something has.

    Looks at all living nodes. A stage that two folds hide counts for both.
    """
    found: dict[Hashable, FailedInside] = {}
    for term, node in live.nodes.items():
        stage = _stage_of(node)
        if stage is None or stage.state is not State.FAILED or term in drawn:
            continue
        for fold in _folds_around(node, drawn, folds):
            known = found.get(fold)
            if known is None:
                found[fold] = FailedInside(1, failure_of(stage.absent) or "")
            else:
                found[fold] = FailedInside(known.stages + 1, known.failure)
    return found


def _stage_of(node: Node) -> Stage | Decision | None:
    if isinstance(node, BindResult):
        return node.decision if isinstance(node.decision, Decision) else None
    return node if isinstance(node, Stage) else None


def _folds_around(
    start: Node, drawn: Container[Current[Any]], folds: Container[Hashable]
) -> Iterator[Hashable]:
    """The folds that a node which is not drawn leads to first."""
    seen = {start}
    stack = [start]
    given: set[Hashable] = set()
    while stack:
        for user in stack.pop().get_users():
            if user in seen:
                continue
            seen.add(user)
            term = user.owner
            if not isinstance(term, Current) or term not in drawn:
                stack.append(user)
                continue
            # One of several currents that are folded together is drawn as the whole of them.
            fold = term.shape.whole if isinstance(term.shape, Folded) else term
            if fold in folds and fold not in given:
                given.add(fold)
                yield fold
