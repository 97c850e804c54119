"""Computing a node in parts, between which a run may stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycurrent.incr.node import Node
from pycurrent.incr.slices import Parts, in_one_go
from pycurrent.incr.unneeded import Unneeded

if TYPE_CHECKING:
    from pycurrent.incr.graph import NodeGraph


class Partwise:
    """The node of a graph in the midst of whose parts a run has stopped, if there is one."""

    __slots__ = ("_begun", "_graph", "_unneeded")

    def __init__(self, graph: NodeGraph, unneeded: Unneeded) -> None:
        self._graph = graph
        self._unneeded = unneeded
        self._begun: tuple[Node, Parts[bool]] | None = None

    @property
    def has_begun(self) -> bool:
        """True if the rest of a node is still to be computed."""
        return self._begun is not None

    def compute(self, node: Node, parts: Parts[bool]) -> bool:
        """Compute a node; True if it has changed. If the budget is used up before the end, the rest
        is left for `resume`.
        """
        return self._compute_rest(node, self._and_then_discard(parts))

    def resume(self) -> bool:
        """Go on with the node that was begun; False if it is not done now."""
        assert self._begun is not None
        (node, parts), self._begun = self._begun, None
        try:
            changed = self._compute_rest(node, parts)
        except BaseException:
            self._graph.push(node)
            raise
        if changed:
            for user in node.get_users():
                self._graph.push(user)
        return self._begun is None

    def give_up(self) -> None:
        """Undo what was begun, and have the node computed from the start in the next run."""
        begun, self._begun = self._begun, None
        if begun is not None:
            node, parts = begun
            parts.close()
            self._graph.push(node)

    def _and_then_discard(self, parts: Parts[bool]) -> Parts[bool]:
        try:
            changed = yield from parts
        except GeneratorExit:
            # The next run drops the nodes that were made.
            raise
        except BaseException:
            in_one_go(self._unneeded.discarding())
            raise
        yield from self._unneeded.discarding()
        return changed

    def _compute_rest(self, node: Node, parts: Parts[bool]) -> bool:
        pace = self._graph.pace
        while True:
            try:
                next(parts)
            except StopIteration as end:
                return end.value is True
            if pace.is_used_up():
                self._begun = node, parts
                pace.grant(0)
                return False
