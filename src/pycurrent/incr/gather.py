"""One node out of very many, at O(log n) for each that changes.

The members are the leaves of a tree of `Gather` nodes, each with a bounded number of children,
with a `Sequence` on top that stays the same node while the tree changes its shape. Leaves are
split when they grow over twice the `FANOUT` and removed when they are empty; they are never
merged, so the depth is logarithmic in the largest size that the sequence has had since it was
last filled.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as AbstractSequence
from typing import Any

from pycurrent.incr.graph import Graph
from pycurrent.incr.heights import Cycle
from pycurrent.incr.node import Absent, Dynamic, Node
from pycurrent.incr.nodes import combine
from pycurrent.incr.rope import Rope, plain

FANOUT = 32
"""Children of a tree node when it is made: 16 to 64 measure alike."""


class Gather(Dynamic):
    """A node of the tree: the values of its children, or why there are none."""

    __slots__ = ("children", "collect", "depth", "size")

    def __init__(self, children: list[Node], depth: int, size: int, collect: bool) -> None:
        super().__init__()
        self.children = children
        self.depth = depth
        self.size = size
        self.collect = collect

    def inputs(self) -> Iterable[Node]:
        return dict.fromkeys(self.children)

    def recompute(self, graph: Graph) -> bool:
        absent = self.absence()
        if absent is None and self.collect:
            if self.depth:
                self.value = [child.value for child in self.children]
            else:
                self.value = [plain(child.value) for child in self.children]
            self.absent = None
            return True
        return self.publish(None, absent)

    def absence(self) -> Absent | None:
        return combine(self.children)

    def sibling(self, children: list[Node], size: int) -> Gather:
        """A node of the same kind and depth for some of the children."""
        return Gather(children, self.depth, size, self.collect)


class Sequence(Dynamic):
    """The members of a list as one node: their values as a rope, or None where nobody collects.

    With a `head`, the members are known only while that has a value.
    """

    __slots__ = ("collect", "head", "root", "shown")

    def __init__(self, *, collect: bool, head: Node | None = None) -> None:
        super().__init__()
        self.collect = collect
        self.head = head
        self.root: Gather | None = None
        # The root of the value.
        self.shown: Gather | None = None

    def inputs(self) -> Iterable[Node]:
        return [node for node in (self.head, self.root) if node is not None]

    def recompute(self, graph: Graph) -> bool:
        absent = None if self.head is None else self.head.absent
        if absent is None and self.root is not None:
            absent = self.root.absent
        if absent is not None or not self.collect:
            return self.publish(None, absent)
        chunks: list[Any] = [] if self.root is None else self.root.value
        value = Rope(chunks, 0 if self.root is None else self.root.depth)
        shown, self.shown = self.shown, self.root
        if shown is not self.root:
            # The tree was made anew, which takes as long as comparing all the values does.
            return self.settle(graph, value)
        self.value = value
        self.absent = None
        return True

    def members(self) -> list[Node]:
        """All members in order: O(n)."""
        level: list[Node] = [] if self.root is None else [self.root]
        while level and isinstance(level[0], Gather):
            level = [child for node in level if isinstance(node, Gather) for child in node.children]
        return level

    def fill(self, graph: Graph, members: list[Node], *, leaves: list[Node] | None = None) -> None:
        """Replace all members. `leaves` are ready-made lowest nodes of the tree over them."""
        level = leaves if leaves is not None else list(self._level(graph, members, 0))
        depth = 0
        while len(level) > 1:
            depth += 1
            level = list(self._level(graph, level, depth))
        self._replace_root(graph, level[0] if level else None)

    def splice(self, graph: Graph, start: int, stop: int, members: list[Node]) -> None:
        """Replace the members from `start` up to `stop`: O(log n) for each of them.

        Raises `Cycle`, and changes nothing, if one of them needs the sequence.
        """
        size = 0 if self.root is None else self.root.size
        if (stop - start + len(members)) * 8 > size:
            everything = self.members()
            everything[start:stop] = members
            self.fill(graph, everything)
            return
        # New ones first, so that what both have in common is needed all the time.
        if members:
            self._insert(graph, stop, members)
        if stop > start:
            self._delete(graph, start, stop - start)

    def _level(self, graph: Graph, below: list[Node], depth: int) -> Iterable[Node]:
        for start in range(0, len(below), FANOUT):
            children = below[start : start + FANOUT]
            size = (
                sum(child.size for child in children if isinstance(child, Gather))
                if depth
                else len(children)
            )
            node = Gather(children, depth, size, self.collect)
            graph.add(node)
            yield node

    def _replace_root(self, graph: Graph, root: Node | None) -> None:
        old = self.root
        if root is old:
            return
        assert root is None or isinstance(root, Gather)
        if root is not None:
            graph.attach(root, self)
        self.root = root
        if old is not None:
            graph.unlink(old, self)
        graph.push(self)

    def _find(self, index: int, *, after: bool) -> tuple[Gather, int]:
        """The leaf and the place in it of a member, or (`after`) of the gap before one."""
        node = self.root
        assert node is not None
        while node.depth:
            for child in node.children:
                assert isinstance(child, Gather)
                if index < child.size or (after and index == child.size):
                    node = child
                    break
                index -= child.size
        return node, index

    def _resize(self, graph: Graph, leaf: Gather, difference: int) -> None:
        """Tell a leaf and all above it that its size has changed."""
        node: Any = leaf
        while node is not self:
            node.size += difference
            node = node.users
        graph.push(leaf)

    def _insert(self, graph: Graph, index: int, members: list[Node]) -> None:
        leaf, place = self._find(index, after=True)
        present = set(leaf.children)
        attached: list[Node] = []
        try:
            for member in dict.fromkeys(members):
                if member not in present:
                    graph.attach(member, leaf)
                    attached.append(member)
        except Cycle:
            for member in attached:
                graph.unlink(member, leaf)
            raise
        leaf.children[place:place] = members
        self._resize(graph, leaf, len(members))
        self._split(graph, leaf)

    def _split(self, graph: Graph, node: Gather) -> None:
        while len(node.children) > 2 * FANOUT:
            pieces = [
                node.children[i : i + FANOUT] for i in range(FANOUT, len(node.children), FANOUT)
            ]
            siblings = [node.sibling(piece, _size(piece, node.depth)) for piece in pieces]
            for sibling in siblings:
                graph.add(sibling)
            del node.children[FANOUT:]
            kept = set(node.children)
            for child in dict.fromkeys(child for piece in pieces for child in piece):
                if child not in kept:
                    graph.unlink(child, node)
            node.size = _size(node.children, node.depth)
            graph.push(node)
            parent = node.users
            if parent is self:
                size = node.size + sum(sibling.size for sibling in siblings)
                root = Gather([node, *siblings], node.depth + 1, size, self.collect)
                graph.add(root)
                self._replace_root(graph, root)
                return
            assert isinstance(parent, Gather)
            place = parent.children.index(node) + 1
            parent.children[place:place] = siblings
            for sibling in siblings:
                graph.attach(sibling, parent)
            graph.push(parent)
            node = parent

    def _delete(self, graph: Graph, index: int, count: int) -> None:
        while count:
            leaf, place = self._find(index, after=False)
            removed = leaf.children[place : place + count]
            del leaf.children[place : place + count]
            count -= len(removed)
            kept = set(leaf.children)
            for member in dict.fromkeys(removed):
                if member not in kept:
                    graph.unlink(member, leaf)
            self._resize(graph, leaf, -len(removed))
            self._prune(graph, leaf)

    def _prune(self, graph: Graph, node: Gather) -> None:
        """Remove an empty node and what becomes empty by that; shorten the tree."""
        while not node.children:
            parent = node.users
            if parent is self:
                self._replace_root(graph, None)
                return
            assert isinstance(parent, Gather)
            parent.children.remove(node)
            graph.unlink(node, parent)
            graph.push(parent)
            node = parent
        root = self.root
        while root is not None and root.depth and len(root.children) == 1:
            self._replace_root(graph, root.children[0])
            root = self.root


def _size(children: AbstractSequence[Node], depth: int) -> int:
    if not depth:
        return len(children)
    return sum(child.size for child in children if isinstance(child, Gather))
