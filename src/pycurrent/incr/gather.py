"""One node that gathers many, in O(log n) for each that changes.

The members are the leaves of a tree of `Gather` nodes, each with a bounded number of children,
with a `GatherTree` on top that stays the same node while the tree changes its shape. Leaves are
split when they grow over twice the graph's fan-out and removed when they are empty; they are
never merged, so the depth is logarithmic in the largest size that the tree has had since it was
last filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from pycurrent.incr.errors import Cycle
from pycurrent.incr.graph import NodeGraph
from pycurrent.incr.node import Absent, DynamicNode, LazyList, Node, materialize
from pycurrent.incr.nodes import combine
from pycurrent.incr.slices import Parts, in_one_go


class Gather(DynamicNode):
    """A node of the tree: the values of its children, or the absence of one of them.

    `names` are the names of the members, in a leaf of a tree whose members have names.
    """

    __slots__ = ("children", "collect", "depth", "names", "size")

    def __init__(
        self, children: list[Node], depth: int, collect: bool, names: list[Any] | None = None
    ) -> None:
        super().__init__()
        self.children = children
        self.names = names
        self.depth = depth
        self.size = _size(children, depth)
        self.collect = collect

    def inputs(self) -> Iterable[Node]:
        return dict.fromkeys(self.children)

    def recompute(self, graph: NodeGraph) -> bool:
        absent = self.absence()
        if absent is None and self.collect:
            if self.depth:
                self.value = [child.value for child in self.children]
            else:
                self.value = [materialize(child.value) for child in self.children]
            self.absent = None
            return True
        return self.publish(None, absent)

    def absence(self) -> Absent | None:
        return self.unless_excused(combine(self.children))

    def unless_excused(self, absent: Absent | None) -> Absent | None:
        """The absence, unless it is excused and nobody collects the values."""
        if absent is not None and absent.is_excused and not self.collect:
            return None
        return absent

    def replace(
        self, start: int, stop: int, children: Sequence[Node], names: Sequence[Any]
    ) -> None:
        """Replace some of the children; the caller sets the size."""
        self.children[start:stop] = children
        if self.names is not None:
            self.names[start:stop] = names

    def siblings(self, fanout: int) -> list[Gather]:
        """New nodes of this kind and depth for the children after the first `fanout`."""
        return [
            type(self)(
                self.children[start : start + fanout],
                self.depth,
                self.collect,
                None if self.names is None else self.names[start : start + fanout],
            )
            for start in range(fanout, len(self.children), fanout)
        ]


class GatherTree(DynamicNode):
    """The members of a list as one node: their values as a lazy list, or None if nobody collects
    them.

    With a `head`, the members are known only while that has a value. `kind` is the class of the
    tree's nodes: a subclass of `Gather` may combine absences differently. Either all members have
    names or none.
    """

    __slots__ = ("collect", "head", "kind", "root", "shown")

    def __init__(
        self, *, collect: bool, head: Node | None = None, kind: type[Gather] = Gather
    ) -> None:
        super().__init__()
        self.collect = collect
        self.head = head
        self.kind = kind
        self.root: Gather | None = None
        # The root of the value.
        self.shown: Gather | None = None

    def inputs(self) -> Iterable[Node]:
        return [node for node in (self.head, self.root) if node is not None]

    def recompute(self, graph: NodeGraph) -> bool:
        absent = None if self.head is None else self.head.absent
        if absent is None and self.root is not None:
            absent = self.root.absent
        if absent is not None or not self.collect:
            return self.publish(None, absent)
        chunks: list[Any] = [] if self.root is None else self.root.value
        value = LazyList(chunks, 0 if self.root is None else self.root.depth)
        shown, self.shown = self.shown, self.root
        if shown is not self.root:
            # The tree was rebuilt, which takes as long as comparing all the values.
            return self.accept(graph, value)
        self.value = value
        self.absent = None
        return True

    def members(self) -> list[Node]:
        """All members in order: O(n)."""
        level: list[Node] = [] if self.root is None else [self.root]
        while level and isinstance(level[0], Gather):
            level = [child for node in level if isinstance(node, Gather) for child in node.children]
        return level

    def names(self) -> list[Any]:
        """The names of all members in order, if they have any: O(n)."""
        level: list[Gather] = [] if self.root is None else [self.root]
        while level and level[0].depth:
            level = [
                child for node in level for child in node.children if isinstance(child, Gather)
            ]
        return [name for leaf in level for name in leaf.names or ()]

    def fill(self, graph: NodeGraph, members: list[Node], names: list[Any] | None = None) -> None:
        """Replace all members."""
        in_one_go(self.filling(graph, members, names))

    def filling(
        self, graph: NodeGraph, members: Iterable[Node], names: list[Any] | None = None
    ) -> Parts[None]:
        """As `fill` does, in parts; the members are replaced at the end."""
        level = yield from self._level(graph, members, 0, names)
        depth = 0
        while len(level) > 1:
            depth += 1
            level = yield from self._level(graph, level, depth)
        self._replace_root(graph, level[0] if level else None)

    def splice(
        self,
        graph: NodeGraph,
        start: int,
        stop: int,
        members: list[Node],
        names: list[Any],
    ) -> None:
        """Replace the members from `start` up to `stop`: O(log n) for each of them. For a tree
        whose members have names.

        Raises `Cycle`, and changes nothing, if one of them needs the tree.
        """
        in_one_go(self.splicing(graph, start, stop, members, names))

    def splicing(
        self,
        graph: NodeGraph,
        start: int,
        stop: int,
        members: list[Node],
        names: list[Any],
    ) -> Parts[None]:
        """As `splice` does, in parts if there are many; closed between two, it changes nothing."""
        size = 0 if self.root is None else self.root.size
        if (stop - start + len(members)) * 8 > size:
            all_members, all_names = self.members(), self.names()
            all_members[start:stop] = members
            all_names[start:stop] = names
            yield from self.filling(graph, all_members, all_names)
            return
        # New ones first, so that nodes in both are needed all the time.
        if members:
            self._insert(graph, stop, members, names)
        self._delete(graph, start, stop - start)

    def _level(
        self, graph: NodeGraph, below: Iterable[Node], depth: int, names: list[Any] | None = None
    ) -> Parts[list[Gather]]:
        fanout = graph.fanout
        level: list[Gather] = []
        rest, start = iter(below), 0
        while children := list(islice(rest, fanout)):
            node = self.kind(children, depth, self.collect, names and names[start : start + fanout])
            graph.add(node)
            level.append(node)
            start += fanout
            if graph.pace.spend():
                yield
        return level

    def _replace_root(self, graph: NodeGraph, root: Gather | None) -> None:
        old = self.root
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

    def _resize(self, graph: NodeGraph, leaf: Gather, difference: int) -> None:
        """Tell a leaf and all above it that its size has changed."""
        node: Any = leaf
        while node is not self:
            node.size += difference
            node = node.users
        graph.push(leaf)

    def _insert(self, graph: NodeGraph, index: int, members: list[Node], names: list[Any]) -> None:
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
        leaf.replace(place, place, members, names)
        self._resize(graph, leaf, len(members))
        self._split(graph, leaf)

    def _split(self, graph: NodeGraph, node: Gather) -> None:
        fanout = graph.fanout
        while len(node.children) > 2 * fanout:
            siblings = node.siblings(fanout)
            for sibling in siblings:
                graph.add(sibling)
            moved = node.children[fanout:]
            node.replace(fanout, len(node.children), (), ())
            _unlink_all(graph, moved, node)
            node.size = _size(node.children, node.depth)
            parent = node.users
            if parent is self:
                root = self.kind([node, *siblings], node.depth + 1, self.collect)
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

    def _delete(self, graph: NodeGraph, index: int, count: int) -> None:
        while count:
            leaf, place = self._find(index, after=False)
            removed = leaf.children[place : place + count]
            leaf.replace(place, place + count, (), ())
            count -= len(removed)
            _unlink_all(graph, removed, leaf)
            self._resize(graph, leaf, -len(removed))
            self._prune(graph, leaf)

    def _prune(self, graph: NodeGraph, node: Gather) -> None:
        """Remove an empty node, and those that become empty thereby; shorten the tree."""
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
            child = root.children[0]
            assert isinstance(child, Gather)
            self._replace_root(graph, child)
            root = self.root


def _unlink_all(graph: NodeGraph, removed: Iterable[Node], user: Gather) -> None:
    """Stop a node from reading the removed children, except those that it still has elsewhere."""
    kept = set(user.children)
    for node in dict.fromkeys(removed):
        if node not in kept:
            graph.unlink(node, user)


def _size(children: Sequence[Node], depth: int) -> int:
    if not depth:
        return len(children)
    return sum(child.size for child in children if isinstance(child, Gather))
