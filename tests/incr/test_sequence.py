"""One node out of very many members."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.incr import FANOUT, Cycle, Gather, Graph, Input, Node, Rope, Sequence

from .parts import Fault, Parts, Wait, outcome


def check_tree(sequence: Sequence, members: list[Node]) -> None:
    """Assert that the tree has these leaves, that its sizes are right, and its nodes not big."""
    assert sequence.members() == members

    def size(node: Gather, depth: int) -> int:
        assert node.depth == depth
        assert 0 < len(node.children) <= 2 * FANOUT
        assert node.get_users()
        below = [size(c, depth - 1) for c in node.children if isinstance(c, Gather)]
        assert node.size == (sum(below) if depth else len(node.children))
        assert bool(below) == bool(depth)
        return node.size

    if sequence.root is not None:
        size(sequence.root, sequence.root.depth)


class Model:
    """A sequence beside the plain list that it should be like."""

    def __init__(self, size: int, *, collect: bool = True) -> None:
        self.graph = Parts()
        self.made = 0
        self.members: list[Input] = [self.new() for _ in range(size)]
        self.sequence = Sequence(collect=collect)
        self.graph.add(self.sequence)
        self.sequence.fill(self.graph, list(self.members))
        self.observer = self.graph.observe(self.sequence)
        self.step()

    def new(self) -> Input:
        self.made += 1
        return self.graph.input(self.made)

    def splice(self, start: int, stop: int, members: list[Input]) -> None:
        self.members[start:stop] = members
        self.sequence.splice(self.graph, start, stop, list(members))

    def step(self) -> None:
        self.graph.stabilise()
        self.graph.check([self.observer])
        check_tree(self.sequence, list(self.members))
        values = [member.value for member in self.members]
        assert outcome(self.sequence) == (values if self.sequence.collect else None)
        assert not set(self.graph.gone) & set(self.members)


PLACES = st.floats(0, 1, exclude_max=True)
SIZES = st.sampled_from([0, 0, 1, 1, 2, 5, FANOUT, 2 * FANOUT + 1, 300])
CHANGES = st.lists(st.tuples(PLACES, SIZES, SIZES, st.booleans()), max_size=5)


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(st.sampled_from([0, 1, FANOUT, 200, 3000]), st.lists(CHANGES, max_size=5))
def test_a_sequence_is_like_the_list_that_is_changed_in_the_same_way(
    size: int, steps: list[list[tuple[float, int, int, bool]]]
) -> None:
    """Members come, go and are repeated at any place, in several changes a step; snapshots of
    earlier steps still show those.
    """
    model = Model(size)
    snapshots: list[tuple[Rope, list[Any]]] = []
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
        snapshots.append((model.sequence.value, [m.value for m in model.members]))
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
    assert model.sequence.root is not None
    assert model.sequence.root.depth >= 2
    while len(model.members) > 9:
        start = min(place(), len(model.members) - 1)
        model.splice(start, start + 1, [])
    model.step()
    model.splice(0, 9, [])
    model.step()
    assert model.sequence.root is None


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
        assert outcome(model.sequence) == expected
    for place in (40, 2000, 2100, 2999):
        members[place].set(graph, 0)
    model.step()


@pytest.mark.parametrize("collect", [True, False])
def test_an_empty_sequence_has_a_value(collect: bool) -> None:
    """The empty list, or None where nobody collects."""
    model = Model(0, collect=collect)
    assert outcome(model.sequence) == ([] if collect else None)


def test_a_sequence_that_collects_nothing_stops_what_does_not_change_it() -> None:
    """Neither the values of members nor members that come and go are seen by its user."""
    model = Model(3000, collect=False)
    graph = model.graph
    seen: list[Any] = []
    graph.observe(graph.map(seen.append, model.sequence))
    graph.stabilise()
    model.members[7].set(graph, -1)
    graph.stabilise()
    model.splice(5, 9, [model.new()])
    graph.stabilise()
    assert seen == [None]
    model.members[7].set(graph, None, Wait())
    graph.stabilise()
    assert outcome(model.sequence) == Wait()


@pytest.mark.parametrize("size", [0, 3000])
def test_a_member_that_needs_the_sequence_is_refused(size: int) -> None:
    """The sequence is as it was before, whether the tree is changed or made anew."""
    model = Model(size)
    graph = model.graph
    fine = model.new()
    bad = graph.map(lambda x: x, model.sequence)
    observer = graph.observe(bad)
    with pytest.raises(Cycle):
        model.sequence.splice(graph, 0, 0, [fine, bad])
    graph.drop(observer)
    if size:
        # What was made in vain where all is made anew, a run lets go of.
        model.step()
        assert fine in graph.gone


def test_a_rope_is_put_together_once() -> None:
    """All who read it get the same list."""
    rope = Rope([[1, 2], [3]], 1)
    assert rope.items() is rope.items()
    assert rope == Rope([[1], [2, 3]], 1)
    assert rope != Rope([1, 2], 0)
    assert rope != [1, 2, 3]


def test_a_bind_passes_a_long_list_on_without_reading_it() -> None:
    """As long as its inside stays the same, only who wants the list puts it together."""
    model = Model(3000)
    graph = model.graph
    bind = graph.bind(lambda scope, v: model.sequence, graph.input(0))
    graph.observe(bind)
    graph.stabilise()
    for value in (-1, -2):
        model.members[5].set(graph, value)
        graph.stabilise()
        assert bind.value is model.sequence.value
        assert bind.value._items is None


class Labelled(Gather):
    """A leaf of another kind; keeps count of how often one is computed."""

    def __init__(self, children: list[Node], size: int, computed: list[int]) -> None:
        super().__init__(children, 0, size, collect=True)
        self.computed = computed

    def sibling(self, children: list[Node], size: int) -> Gather:
        return Labelled(children, size, self.computed)

    def recompute(self, graph: Graph) -> bool:
        super().recompute(graph)
        self.computed.append(self.size)
        self.value = [("labelled", value) for value in self.value]
        return True


def test_leaves_may_be_of_another_kind_and_one_change_computes_one() -> None:
    """They are given ready-made, and their siblings are of the same kind."""
    graph = Parts()
    members: list[Node] = [graph.input(n) for n in range(64 * FANOUT)]
    computed: list[int] = []
    leaves: list[Node] = []
    for start in range(0, len(members), FANOUT):
        leaves.append(Labelled(members[start : start + FANOUT], FANOUT, computed))
        graph.add(leaves[-1])
    sequence = Sequence(collect=True)
    graph.add(sequence)
    sequence.fill(graph, list(members), leaves=leaves)
    observer = graph.observe(sequence)
    graph.stabilise()
    computed.clear()
    added = [graph.input(-1) for _ in range(2 * FANOUT)]
    sequence.splice(graph, 0, 0, list(added))
    graph.stabilise()
    assert computed == [FANOUT] * 3
    computed.clear()
    added[5].set(graph, -2)
    graph.stabilise()
    assert computed == [FANOUT]
    values = [*[-1] * 5, -2, *[-1] * (2 * FANOUT - 6), *range(64 * FANOUT)]
    assert outcome(sequence) == [("labelled", value) for value in values]
    graph.check([observer])
