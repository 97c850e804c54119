"""The nodes of a graph that nobody needs now: put to sleep, woken, and released.

A node that loses its last user within a step becomes *dormant*: neither it nor the nodes that only
it needs are computed. If somebody needs it again in the same step it goes on as if nothing had
happened, and is computed only if an input has changed meanwhile. Dormant nodes are released at the
end of the step.
"""

from __future__ import annotations

from collections import deque
from itertools import repeat
from typing import TYPE_CHECKING

from pycurrent.incr.node import UNSET, Node, Observer
from pycurrent.incr.slices import Parts

if TYPE_CHECKING:
    from pycurrent.incr.graph import NodeGraph

_AT_ONCE = 256
"""The number of nodes that are put to sleep in one part: that takes some 0.3 ms."""


class Unneeded:
    """The nodes of a graph that have no users, and the new ones that may not find any."""

    __slots__ = ("_graph", "_leaving", "_retiring", "dormant", "dropped", "fresh", "given_up")

    def __init__(self, graph: NodeGraph) -> None:
        self._graph = graph
        self.dormant: dict[Node, list[tuple[object, object]] | None] = {}
        """The state of its inputs that each dormant node saw; None if it was pending anyway."""
        self.fresh: deque[Node] = deque()
        """Made in this run, and not yet known to be used."""
        self.dropped: list[Observer] = []
        """Dropped in this run."""
        # Without users, and to be put to sleep unless they find one, from the last on.
        self._retiring: list[Node] = []
        # The dormant nodes that are being released, from the last on.
        self._leaving: list[Node] = []
        self.given_up = False
        """True if `fresh` is of a run that was given up: then `tidy` comes first."""

    def give_up_run(self) -> None:
        """Release no more in this run, and leave what it has made for the next one to `tidy`."""
        self._leaving.clear()
        self.given_up = True

    def tidy(self) -> bool:
        """Discard what a run has made that was given up; False if the budget is used up."""
        for _ in self.discarding():
            if self._graph.pace.is_used_up():
                return False
        self.given_up = False
        return True

    def discarding(self) -> Parts[None]:
        """Put to sleep all nodes made in this run that have found no user, so that no unused node
        is computed or stays; and what else has lost its last one.
        """
        fresh = self.fresh
        while fresh or self._retiring:
            for _ in repeat(None, _AT_ONCE):
                if not fresh or self._retiring:
                    break
                node = fresh.popleft()
                if node.users is None and not isinstance(node, Observer):
                    self.retire(node)
            self._retire_some()
            if fresh or self._retiring:
                yield

    def retire(self, node: Node) -> None:
        """Put a node to sleep, and what only it needs. Of very many, the rest is left for later:
        until then nothing is computed, and one that finds a user goes on. Twice is fine.
        """
        self._retiring.append(node)
        self._retire_some()

    def _retire_some(self) -> None:
        stack, dormant = self._retiring, self.dormant
        for _ in repeat(None, _AT_ONCE):
            if not stack:
                return
            node = stack.pop()
            if node.users is not None or node in dormant:
                continue
            inputs = list(node.inputs())
            if node.pending or node.absent is UNSET:
                dormant[node] = None
            else:
                dormant[node] = [(i.value, i.absent) for i in inputs]
            node.pending = False
            stack.extend(source for source in reversed(inputs) if source.lose(node))

    def revive(self, node: Node) -> None:
        """Wake a dormant node that is needed again, and what it needs."""
        graph, dormant = self._graph, self.dormant
        stack = [node]
        while stack:
            node = stack.pop()
            seen = dormant.pop(node)
            inputs = list(node.inputs())
            for source in inputs:
                # One by one, so that there is always a valid order: heights may be out of date.
                graph.keep_above(node, source)
                users = source.users
                if users is None:
                    if source in dormant:
                        stack.append(source)
                    source.users = node
                elif type(users) is dict:
                    users[node] = None
                else:
                    source.users = {users: None, node: None}  # type: ignore[dict-item]
            if seen is None or any(
                i.value is not value or i.absent is not absent
                for i, (value, absent) in zip(inputs, seen, strict=True)
            ):
                graph.push(node)

    def release(self) -> bool:
        """Release the nodes that nobody needs any more; False if the budget is used up."""
        if self.given_up and not self.tidy():
            return False
        dormant = self.dormant
        while self.dropped or self._retiring or dormant:
            dropped, self.dropped = self.dropped, []
            for observer in dropped:
                if observer in observer.source.get_users():
                    self._graph.unlink(observer.source, observer)
            while self._retiring:
                self._retire_some()
                if self._graph.pace.is_used_up():
                    return False
            self._leaving = self._leaving or list(reversed(dormant))
            try:
                if not self._release_those(self._leaving):
                    return False
            except BaseException:
                self._leaving.clear()
                raise
        return True

    def _release_those(self, leaving: list[Node]) -> bool:
        graph, dormant = self._graph, self.dormant
        pace = graph.pace
        while leaving:
            node = leaving.pop()
            del dormant[node]
            _release(graph, node)
            if pace.spend() and pace.is_used_up():
                return False
        return True

    def check(self) -> None:
        """Assert that nothing is left."""
        assert not self.dormant
        assert not self.fresh
        assert not self._retiring


def _release(graph: NodeGraph, node: Node) -> None:
    if node.home is not None:
        node.home.leave(node)
        node.home = None
    try:
        node.release(graph)
    finally:
        graph.released(node)
