"""One node out of very many members."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.incr import (
    FANOUT,
    Absent,
    Cycle,
    Gather,
    GatherTree,
    LazyList,
    Node,
    NodeGraph,
    Source,
    combine,
)

from ..effort import examples
from .parts import Fault, Parts, Wait, outcome


def check_tree(tree: GatherTree, members: list[Node], names: list[Any], fanout: int) -> None:
    """Assert that the tree has these leaves, that its sizes are right, and its nodes not big."""
    assert tree.members() == members
    assert tree.names() == names

    def size(node: Gather, depth: int) -> int:
        assert node.depth == depth
        assert 0 < len(node.children) <= 2 * fanout
        assert len(node.names or node.children) == len(node.children)
        assert node.get_users()
        below = [size(c, depth - 1) for c in node.children if isinstance(c, Gather)]
        assert node.size == (sum(below) if depth else len(node.children))
        assert bool(below) == bool(depth)
        return node.size

    if tree.root is not None:
        size(tree.root, tree.root.depth)


class Model:
    """A tree beside the plain lists that it should be like: of its members, and of their names."""

    def __init__(self, size: int, *, collect: bool = True, fanout: int = FANOUT) -> None:
        self.graph = Parts(fanout=fanout)
        self.made = 0
        self.members: list[Source] = [self.new() for _ in range(size)]
        self.names = self.new_names(self.members)
        self.tree = GatherTree(collect=collect)
        self.graph.add(self.tree)
        self.tree.fill(self.graph, list(self.members), list(self.names))
        self.observer = self.graph.observe(self.tree)
        self.step()

    def new(self) -> Source:
        self.made += 1
        return self.graph.input(self.made)

    def new_names(self, members: list[Source]) -> list[str]:
        return [f"{place} of {self.made}" for place, _ in enumerate(members)]

    def splice(self, start: int, stop: int, members: list[Source]) -> None:
        names = self.new_names(members)
        self.members[start:stop] = members
        self.names[start:stop] = names
        self.tree.splice(self.graph, start, stop, list(members), names)

    def step(self) -> None:
        before = len(self.graph.gone)
        self.graph.stabilise()
        self.graph.check([self.observer])
        check_tree(self.tree, list(self.members), self.names, self.graph.fanout)
        values = [member.value for member in self.members]
        assert outcome(self.tree) == (values if self.tree.collect else None)
        assert not set(self.graph.gone[before:]) & set(self.members)


PLACES = st.floats(0, 1, exclude_max=True)
SIZES = st.sampled_from([0, 0, 1, 1, 2, 5, FANOUT, 2 * FANOUT + 1, 300])
CHANGES = st.lists(st.tuples(PLACES, SIZES, SIZES, st.booleans()), max_size=5)


@settings(max_examples=examples(120), deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from([0, 1, FANOUT, 200, 3000]),
    st.lists(CHANGES, max_size=5),
    st.sampled_from([2, 3, FANOUT]),
)
def test_a_tree_is_like_the_list_that_is_changed_in_the_same_way(
    size: int, steps: list[list[tuple[float, int, int, bool]]], fanout: int
) -> None:
    """Members come, go and are repeated at any place, in several changes a step; snapshots of
    earlier steps still show those.
    """
    model = Model(min(size, fanout * 100), fanout=fanout)
    snapshots: list[tuple[LazyList, list[Any]]] = []
    for changes in steps:
        for place, removed, added, repeat in changes:
            start = int(place * (len(model.members) + 1))
            stop = min(start + removed, len(model.members))
            members = [model.new() for _ in range(added)]
            if repeat and model.members:
                members[::3] = [model.members[start // 2]] * len(members[::3])
            model.splice(start, stop, members)
        if model.members:
            model.made += 1
            model.members[len(model.members) // 2].set(model.graph, model.made)
        model.step()
        snapshots.append((model.tree.value, [m.value for m in model.members]))
    for rope, values in snapshots:
        assert rope.items() == values


@pytest.mark.parametrize("where", ["front", "middle", "back"])
def test_members_added_and_removed_one_by_one_at_one_place(where: str) -> None:
    """Nodes of the tree split at every depth, and leave it again, down to nothing."""
    model = Model(3000)

    def place() -> int:
        return {"front": 0, "middle": len(model.members) // 2, "back": len(model.members)}[where]

    for _ in range(2500):
        model.splice(place(), place(), [model.new()])
    model.step()
    assert model.tree.root is not None
    assert model.tree.root.depth >= 2
    while len(model.members) > 9:
        start = min(place(), len(model.members) - 1)
        model.splice(start, start + 1, [])
    model.step()
    model.splice(0, 9, [])
    model.step()
    assert model.tree.root is None


@pytest.mark.parametrize("where", ["front", "middle", "back"])
def test_a_tree_that_is_never_made_anew_grows_in_height(where: str) -> None:
    """A root that has too many children gets another one above; the list is right all the way."""
    model = Model(40, fanout=2)
    assert model.tree.root is not None
    depth = model.tree.root.depth
    while len(model.members) < 400:
        size = len(model.members)
        start = {"front": 0, "middle": size // 2, "back": size}[where]
        model.splice(start, start, [model.new() for _ in range(size // 10)])
        model.step()
    assert model.tree.root.depth > depth


@pytest.mark.parametrize("where", ["front", "middle", "back"])
def test_leaves_that_empty_bit_by_bit_leave_the_tree(where: str) -> None:
    """The list is right after each step, down to where the tree is made anew."""
    model = Model(40, fanout=2)
    while len(model.members) > 8:
        last = len(model.members) - 1
        start = {"front": 0, "middle": last // 2, "back": last}[where]
        model.splice(start, start + 1, [])
        model.step()


def nodes_of(tree: GatherTree) -> set[Gather]:
    level = [] if tree.root is None else [tree.root]
    found = set(level)
    while level:
        level = [child for node in level for child in node.children if isinstance(child, Gather)]
        found.update(level)
    return found


def test_nodes_that_leave_the_tree_are_let_go() -> None:
    """None of them stays in the graph, where it would be computed for nobody."""
    model = Model(40, fanout=2)
    seen = nodes_of(model.tree)
    while len(model.members) > 8:
        model.splice(4, 5, [])
        model.step()
        seen |= nodes_of(model.tree)
    left = seen - nodes_of(model.tree)
    assert left
    assert left <= set(model.graph.gone)


def test_a_member_that_stands_several_times_stays_while_it_stands_anywhere() -> None:
    """Within one leaf and in several; it is let go with the last of them, and not before."""
    model = Model(40, fanout=2)
    twice = model.new()
    for place in (10, 10, 11, 25):
        model.splice(place, place, [twice])
        model.step()
    model.splice(12, 12, [model.new() for _ in range(4)])
    model.step()
    for _ in range(4):
        assert twice not in model.graph.gone
        place = model.members.index(twice)
        model.splice(place, place + 1, [])
        model.step()
    assert twice in model.graph.gone
    assert not list(twice.get_users())


def test_a_member_that_comes_again_into_the_same_leaf_is_one_user_of_it() -> None:
    """So it is let go with the last of them."""
    model = Model(40, fanout=4)
    twice = model.new()
    for _ in range(2):
        model.splice(10, 10, [twice])
        model.step()
    for _ in range(2):
        model.splice(10, 11, [])
        model.step()
    assert twice in model.graph.gone


def test_a_member_that_comes_twice_at_once_is_let_go_with_the_last_of_them() -> None:
    """Whether both go at once or one after the other."""
    for parts in ([2], [1, 1]):
        model = Model(40, fanout=4)
        twice = model.new()
        model.splice(10, 10, [twice, twice])
        model.step()
        for count in parts:
            assert twice not in model.graph.gone
            model.splice(10, 10 + count, [])
            model.step()
        assert twice in model.graph.gone


def test_a_member_may_be_replaced_by_itself() -> None:
    """It is needed all the time."""
    model = Model(40, fanout=2)
    for start in (0, 7, 39):
        model.splice(start, start + 1, [model.members[start]])
        model.step()
    assert not [node for node in model.graph.gone if isinstance(node, Source)]


def test_a_refused_member_leaves_no_user_behind() -> None:
    """What stood beside it in vain is let go, what was there already stays."""
    model = Model(40, fanout=2)
    graph = model.graph
    bad = graph.map(lambda x: x, model.tree)
    observer = graph.observe(bad)
    graph.stabilise()
    fine, there = model.new(), model.members[20]
    with pytest.raises(Cycle):
        model.tree.splice(graph, 20, 20, [fine, there, bad], [0, 1, 2])
    graph.drop(observer)
    model.step()
    assert fine in graph.gone
    assert len(list(there.get_users())) == 1


def test_of_several_absences_the_highest_wins_and_then_the_leftmost() -> None:
    """Wherever in the tree they are."""
    model = Model(3000)
    graph, members = model.graph, model.members
    for place, absent, expected in [
        (2000, Wait("late"), Wait("late")),
        (40, Wait("early"), Wait("early")),
        (2999, Fault("", "last"), Fault("", "last")),
        (2100, Fault("", "before"), Fault("", "before")),
    ]:
        members[place].set(graph, None, absent)
        graph.stabilise()
        assert outcome(model.tree) == expected
    for place in (40, 2000, 2100, 2999):
        members[place].set(graph, 0)
    model.step()


@pytest.mark.parametrize("collect", [True, False])
def test_an_empty_tree_has_a_value(collect: bool) -> None:
    """The empty list, or None where nobody collects."""
    model = Model(0, collect=collect)
    assert outcome(model.tree) == ([] if collect else None)


def test_a_list_among_the_members_is_a_plain_one() -> None:
    """However deep it stands: the functions that get the value know of no other."""
    graph = Parts(fanout=2)
    trees: list[Node] = []
    for first in range(5):
        tree = GatherTree(collect=True)
        graph.add(tree)
        tree.fill(graph, [*trees, graph.input(first)])
        trees = [tree]
    graph.observe(trees[0])
    graph.stabilise()
    assert outcome(trees[0]) == [[[[[0], 1], 2], 3], 4]


def test_members_need_no_names() -> None:
    """A list that stays as it is has none."""
    graph = Parts(fanout=2)
    members: list[Node] = [graph.input(n) for n in range(9)]
    tree = GatherTree(collect=True)
    graph.add(tree)
    tree.fill(graph, list(members))
    observer = graph.observe(tree)
    graph.stabilise()
    graph.check([observer])
    check_tree(tree, members, [], 2)
    assert outcome(tree) == list(range(9))


def test_members_without_a_head_are_not_known() -> None:
    """Whatever they are: first the absence of the head counts."""
    graph = Parts(fanout=2)
    head, member = graph.input(True), graph.input(1)
    tree = GatherTree(collect=True, head=head)
    graph.add(tree)
    tree.fill(graph, [member])
    graph.observe(tree)
    graph.stabilise()
    assert outcome(tree) == [1]
    head.set(graph, None, Wait())
    member.set(graph, None, Fault("", "higher"))
    graph.stabilise()
    assert outcome(tree) == Wait()
    head.set(graph, True)
    graph.stabilise()
    assert outcome(tree) == Fault("", "higher")


def test_a_tree_that_collects_nothing_stops_what_does_not_change_it() -> None:
    """Neither the values of members nor members that come and go are seen by its user."""
    model = Model(3000, collect=False)
    graph = model.graph
    seen: list[Any] = []
    graph.observe(graph.map(seen.append, model.tree))
    graph.stabilise()
    model.members[7].set(graph, -1)
    graph.stabilise()
    model.splice(5, 9, [model.new()])
    graph.stabilise()
    assert seen == [None]
    model.members[7].set(graph, None, Wait())
    graph.stabilise()
    assert outcome(model.tree) == Wait()


@pytest.mark.parametrize("size", [0, 3000])
def test_a_member_that_needs_the_tree_is_refused(size: int) -> None:
    """The tree is as it was before, whether the tree is changed or made anew."""
    model = Model(size)
    graph = model.graph
    fine = model.new()
    bad = graph.map(lambda x: x, model.tree)
    observer = graph.observe(bad)
    with pytest.raises(Cycle):
        model.tree.splice(graph, 0, 0, [fine, bad], ["fine", "bad"])
    graph.drop(observer)
    if size:
        # What was made in vain where all is made anew, a run lets go of.
        model.step()
        assert fine in graph.gone


def test_a_rope_is_put_together_once() -> None:
    """All who read it get the same list."""
    rope = LazyList([[1, 2], [3]], 1)
    assert rope.items() is rope.items()
    assert rope == LazyList([[1], [2, 3]], 1)
    assert rope != LazyList([1, 2], 0)
    assert rope != [1, 2, 3]


def test_a_bind_passes_a_long_list_on_without_reading_it() -> None:
    """As long as its inside stays the same, only who wants the list puts it together."""
    model = Model(3000)
    graph = model.graph
    bind = graph.bind(lambda scope, v: model.tree, graph.input(0))
    graph.observe(bind)
    graph.stabilise()
    for value in (-1, -2):
        model.members[5].set(graph, value)
        graph.stabilise()
        assert bind.value is model.tree.value
        assert bind.value._items is None


class Counted(Gather):
    """A gathering of another kind: it names what has no value, and is counted when computed."""

    def recompute(self, graph: NodeGraph) -> bool:
        assert isinstance(graph, Counting)
        graph.computed.append((self.depth, len(self.children)))
        return super().recompute(graph)

    def absence(self) -> Absent | None:
        if self.names is None:
            return combine(self.children)
        without = [
            name
            for name, child in zip(self.names, self.children, strict=True)
            if child.absent is not None
        ]
        return Wait(", ".join(without)) if without else None


class Counting(Parts):
    """A graph that notes which of the nodes above are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.computed: list[tuple[int, int]] = []


def test_a_tree_that_collects_nothing_computes_one_leaf_for_a_new_value() -> None:
    """And none of the nodes above."""
    graph = Counting()
    members = [graph.input(n) for n in range(64 * FANOUT)]
    tree = GatherTree(collect=False, kind=Counted)
    graph.add(tree)
    tree.fill(graph, list(members))
    graph.observe(tree)
    graph.stabilise()
    graph.computed.clear()
    members[5].set(graph, -1)
    graph.stabilise()
    assert graph.computed == [(0, FANOUT)]


def test_nodes_may_be_of_another_kind_and_one_change_computes_one_of_each_depth() -> None:
    """Those that split off are of the same kind, and each leaf has the names of its members."""
    graph = Counting()
    members: list[Node] = [graph.input(n) for n in range(64 * FANOUT)]
    tree = GatherTree(collect=True, kind=Counted)
    graph.add(tree)
    tree.fill(graph, list(members), [f"old {n}" for n in range(64 * FANOUT)])
    observer = graph.observe(tree)
    graph.stabilise()
    graph.computed.clear()
    added = [graph.input(-1) for _ in range(2 * FANOUT)]
    tree.splice(graph, 0, 0, list(added), [f"new {n}" for n in range(2 * FANOUT)])
    graph.stabilise()
    assert sorted(graph.computed) == [(0, FANOUT)] * 3 + [(1, FANOUT + 2), (2, 2)]
    graph.computed.clear()
    added[5].set(graph, None, Wait())
    graph.stabilise()
    assert graph.computed == [(0, FANOUT), (1, FANOUT + 2), (2, 2)]
    assert outcome(tree) == Wait("new 5")
    tree.splice(graph, 4, 5, [], [])
    graph.stabilise()
    assert outcome(tree) == Wait("new 5")
    tree.splice(graph, 4, 5, [], [])
    graph.stabilise()
    assert outcome(tree) == [*[-1] * (2 * FANOUT - 2), *range(64 * FANOUT)]
    graph.check([observer])
