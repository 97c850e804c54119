"""The nodes that were made while another node was computed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pycurrent.incr.node import Node


class Scope:
    """The nodes that a dynamic node (a bind, an item of a list) made for one of its inputs.

    They must be higher than the `owner`: when its input and theirs change in the same step, it has
    to undo them before a function for the old input is called with new values. Only the `roots`
    are kept, the nodes that use no other node of the scope; all others are higher anyway. The graph
    adds nodes, and removes them when they are released.
    """

    __slots__ = ("_roots", "owner")

    def __init__(self, owner: Node) -> None:
        self.owner: Node | None = owner
        # In the order in which they came; a dictionary, for they leave one by one.
        self._roots: dict[Node, None] = {}

    def close(self) -> None:
        """Close it, because the owner has undone it. Nodes that somebody else still needs go on,
        and need not be higher than the owner any more. Twice is fine.
        """
        self.owner = None
        self._roots.clear()

    @property
    def roots(self) -> Iterable[Node]:
        return list(self._roots)

    def enter(self, node: Node) -> None:
        self._roots[node] = None

    def leave(self, node: Node) -> None:
        """Remove a root. Twice is fine."""
        self._roots.pop(node, None)

    def lower_than(self, height: int) -> list[Node]:
        """The roots below a height."""
        return [root for root in self._roots if root.height < height]
