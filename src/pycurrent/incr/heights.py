"""Raises nodes above the nodes that they need.

Heights have gaps. A dynamic node leaves a gap below itself for the nodes that it will make (`GAP`).
If it has to be raised nevertheless, it is raised by a few gaps more; every 2nd gets a larger gap,
every 4th a still larger one, and so on (`gap_sizes`). So in deep nests and long rows of binds,
where each raises everything above it, most raises end at one of the next nodes, and cost O(n log n)
instead of O(n²).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import chain, count

from pycurrent.incr.errors import Cycle
from pycurrent.incr.node import DynamicNode, Node

GAP = 64
"""The gap that a dynamic node leaves below itself for the nodes that it will make."""

_MOST = 1 << 16


def gap_sizes() -> Iterator[int]:
    """How many gaps each next dynamic node is raised by: 1, 4, 1, 16, 1, 4, 1, 64, ..."""
    return (min(number & -number, _MOST) ** 2 for number in count(1))


def raise_above(user: Node, source: Node) -> Iterable[Node]:
    """Raise `user` above its new input `source`, and all nodes that must be above `user`.

    Returns the raised nodes. Raises `Cycle`, and changes nothing, if the source needs the user. If
    the source was only made in a scope whose owner needs the user, it leaves the scope.
    """
    while True:
        before: dict[Node, int] = {}
        reached = _lift(user, source, before)
        if reached is None:
            return before
        for node, height in before.items():
            node.height = height
        _leave_scope(_scoped_on_the_way(source, reached))


def _lift(user: Node, source: Node, before: dict[Node, int]) -> dict[Node, Node] | None:
    """Raise the nodes, and store their old heights in `before`; stop at the source.

    In that case it returns, for each node, the node from which it was reached. It works from the
    lowest node up, so that each is raised only once: following the edges takes exponential time if
    many paths lead from one node to another.
    """
    heights = {user: source.height + 1}
    waiting = [(user.height, 0, user)]
    reached: dict[Node, Node] = {}
    order = count(1)
    while waiting:
        node = heappop(waiting)[2]
        if node is source:
            return reached
        height = heights.pop(node)
        if isinstance(node, DynamicNode):
            height += node.headroom
        before.setdefault(node, node.height)
        node.height = height
        height += 1
        for above in _above(node, height):
            if above not in heights:
                # Nodes can't be compared; numbers are.
                heappush(waiting, (above.height, next(order), above))
                reached[above] = node
                heights[above] = height
            elif heights[above] < height:
                heights[above] = height
    return None


def _above(node: Node, height: int) -> Iterable[Node]:
    """The nodes that must be above the node, but are below the height."""
    users = [user for user in node.get_users() if user.height < height]
    return chain(users, *(scope.lower_than(height) for scope in node.scopes()))


def _scoped_on_the_way(source: Node, reached: dict[Node, Node]) -> Node:
    """The last node on the path that is above its predecessor only because the predecessor owns its
    scope.
    """
    node = source
    while node in reached:
        below = reached[node]
        if below not in node.inputs():
            return node
        node = below
    raise Cycle


def _leave_scope(root: Node) -> None:
    """Let a node be lower than the owner of its scope; its users there may not be lower."""
    scope = root.home
    assert scope is not None
    scope.leave(root)
    root.home = None
    for user in root.get_users():
        if user.home is scope:
            scope.enter(user)
