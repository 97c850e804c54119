"""A part of the graph for each item of a list."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.incr import ForEach, GatherTree, Item, Node

from ..effort import examples
from .parts import Fault, Interrupt, Parts, Wait, outcome


def head(sequence: GatherTree) -> ForEach:
    assert isinstance(sequence.head, ForEach)
    return sequence.head


def items(nodes: list[Node]) -> list[Any]:
    return [node.item for node in nodes if isinstance(node, Item)]


def test_an_item_that_stays_keeps_its_part() -> None:
    """Wherever it goes; a new one gets a new one, and a removed one is released."""
    graph = Parts()
    source = graph.input(["a", "b", "c"])
    built: list[str] = []
    calls: list[str] = []

    def build(item: Item) -> Node:
        built.append(item.item)
        return graph.map(lambda x: calls.append(x) or x * 2, item, scope=item.scope)  # type: ignore[func-returns-value]

    sequence = graph.each(build, source)
    observer = graph.observe(sequence)
    graph.stabilise()
    source.set(graph, ["c", "new", "a"])
    graph.stabilise()
    assert outcome(sequence) == ["cc", "newnew", "aa"]
    assert built == calls == ["a", "b", "c", "new"]
    assert items(graph.gone) == ["b"]
    graph.check([observer])


def test_equal_items_share_one_part() -> None:
    """It goes when the last of them does."""
    graph = Parts()
    source = graph.input([1, 2, 1])
    built: list[int] = []

    def build(item: Item) -> Node:
        built.append(item.item)
        return item

    sequence = graph.each(build, source)
    graph.observe(sequence)
    graph.stabilise()
    assert outcome(sequence) == [1, 2, 1]
    source.set(graph, [2, 1])
    graph.stabilise()
    assert built == [1, 2]
    assert items(graph.gone) == []
    source.set(graph, [2])
    graph.stabilise()
    assert items(graph.gone) == [1]


def test_an_item_with_the_same_key_keeps_its_part_and_shows_its_new_value() -> None:
    """Also when it goes to another place in the same step."""
    graph = Parts()
    source = graph.input([("a", 1), ("b", 1)])
    built: list[tuple[str, int]] = []

    def build(item: Item) -> Node:
        built.append(item.item)
        return graph.map(lambda pair: f"{pair[0]}{pair[1]}", item, scope=item.scope)

    sequence = graph.each(build, source, key=lambda pair: pair[0])
    observer = graph.observe(sequence)
    graph.stabilise()
    source.set(graph, [("b", 2), ("c", 1), ("a", 1)])
    graph.stabilise()
    assert outcome(sequence) == ["b2", "c1", "a1"]
    assert built == [("a", 1), ("b", 1), ("c", 1)]
    graph.check([observer])


def test_two_different_items_with_one_key_are_refused() -> None:
    """The message names them; nothing stays of what was made, and the list may recover."""
    graph = Parts()
    source = graph.input([("a", 1)])
    calls: list[Any] = []

    def build(item: Item) -> Node:
        return graph.map(calls.append, item, scope=item.scope)

    sequence = graph.each(build, source, key=lambda pair: pair[0])
    observer = graph.observe(sequence)
    graph.stabilise()
    source.set(graph, [("n", 0), ("a", 2), ("m", 0), ("a", 3)])
    graph.stabilise()
    assert outcome(sequence) == Fault(
        "Duplicate", "two different items have the key 'a': ('a', 2) and ('a', 3)"
    )
    assert calls == [("a", 1)]
    assert not head(sequence).items
    graph.check([observer])
    source.set(graph, [("a", 2)])
    graph.stabilise()
    assert calls == [("a", 1), ("a", 2)]
    graph.check([observer])


def test_a_part_that_cannot_be_built_is_the_outcome_of_its_item() -> None:
    """The others go on; what it had made is let go of."""
    graph = Parts()
    source = graph.input([1, 2])
    calls: list[int] = []

    def build(item: Item) -> Node:
        node = graph.map(calls.append, item, scope=item.scope)
        if item.item == 2:
            raise ValueError("two")
        return node

    sequence = graph.each(build, source)
    observer = graph.observe(sequence)
    graph.stabilise()
    assert outcome(sequence) == Fault("ValueError", "two")
    assert calls == [1]
    graph.check([observer])
    source.set(graph, [1, 3])
    graph.stabilise()
    assert outcome(sequence) == [None, None]
    assert calls == [1, 3]


@pytest.mark.parametrize("key", [None, lambda item: [item]])
def test_what_is_not_hashable_does_not_tell_items_apart(key: Any) -> None:
    """The message says what to do."""
    graph = Parts()
    sequence = graph.each(lambda item: item, graph.input([[1]]), key=key)
    observer = graph.observe(sequence)
    graph.stabilise()
    assert outcome(sequence) == Fault(
        "Unhashable",
        "the key of an item is not hashable: [[1]]"
        if key
        else "an item that is not hashable needs a key= to tell it from others: [1]",
    )
    graph.check([observer])


def test_outcomes_that_are_equal_on_the_whole_stop_there() -> None:
    """Where the list is made anew, as much of it has changed."""
    graph = Parts()
    source = graph.input([1, 2])
    calls: list[Any] = []
    parities = graph.each(lambda i: graph.map(lambda x: x % 2, i, scope=i.scope), source)
    graph.observe(graph.map(calls.append, parities))
    for value in ([1, 2], [3, 4], [5, 6, 7], [7, 8, 9]):
        source.set(graph, value)
        graph.stabilise()
    assert calls == [[1, 0], [1, 0, 1]]


@pytest.mark.parametrize("bad", [[[1]], 5, None])
def test_a_list_that_cannot_be_followed_has_no_outcome(bad: Any) -> None:
    """Items that can't be told apart, or no list at all; it recovers."""
    graph = Parts()
    source = graph.input([1])
    sequence = graph.each(lambda item: item, source)
    observer = graph.observe(sequence)
    for value in (bad, [1, 2], bad, [3]):
        source.set(graph, value)
        graph.stabilise()
        graph.check([observer])
        if value is bad:
            assert isinstance(sequence.absent, Fault)
        else:
            assert outcome(sequence) == value


def test_an_absent_list_releases_all_items() -> None:
    """And its absence is that of the outcomes."""
    graph = Parts()
    source = graph.input([1, 2])
    sequence = graph.each(lambda item: graph.map(str, item, scope=item.scope), source)
    observer = graph.observe(sequence)
    graph.stabilise()
    source.set(graph, None, Wait("soon"))
    graph.stabilise()
    assert outcome(sequence) == Wait("soon")
    assert items(graph.gone) == [1, 2]
    graph.check([observer])


def test_an_item_that_is_used_only_at_times_is_up_to_date_when_it_is() -> None:
    """By a bind inside its part; it may change while nobody uses it."""
    graph = Parts()
    source, use = graph.input([("a", 1)]), graph.input(False)

    def build(item: Item) -> Node:
        def inside(scope: Any, used: bool) -> Node:
            return graph.map(lambda pair: pair[1], item, scope=scope) if used else use

        return graph.bind(inside, use, scope=item.scope)

    sequence = graph.each(build, source, key=lambda pair: pair[0])
    observer = graph.observe(sequence)
    for value, used in [(1, False), (2, False), (2, True), (3, True), (4, False), (5, True)]:
        source.set(graph, [("a", value)])
        use.set(graph, used)
        graph.stabilise()
        assert outcome(sequence) == [value if used else False]
        graph.check([observer])


def test_a_part_that_needs_the_outcomes_is_a_cycle() -> None:
    """The list has no outcome, whether the tree is changed or made anew, and recovers."""
    graph = Parts()
    source = graph.input(list(range(100)))
    sequences: list[GatherTree] = []

    def build(item: Item) -> Node:
        if item.item >= 0:
            return item
        return graph.map(lambda x: x, sequences[0], scope=item.scope)

    sequences.append(graph.each(build, source))
    observer = graph.observe(sequences[0])
    for value in ([*range(50), -1, *range(50, 100)], list(range(5)), [-1], [1]):
        source.set(graph, value)
        graph.stabilise()
        graph.check([observer])
        if -1 in value:
            assert isinstance(sequences[0].absent, Fault)
            assert sequences[0].absent.kind == "Cycle"
        else:
            assert outcome(sequences[0]) == value


@pytest.mark.parametrize("back", [False, True])
def test_an_interrupted_list_goes_on(back: bool) -> None:
    """With the list that was interrupted, or with the one before."""
    graph = Parts()
    first = [("a", 1), ("b", 1), ("b", 1), ("c", 1)]
    second = [("b", 2), ("a", 2), ("d", 1), ("e", 1), ("a", 2)]
    source = graph.input(first)
    strikes = [Interrupt()]
    built: list[str] = []

    def build(item: Item) -> Node:
        if item.key == "e" and strikes:
            raise strikes.pop()
        built.append(item.item[0])
        return graph.map(lambda pair: pair, item, scope=item.scope)

    sequence = graph.each(build, source, key=lambda pair: pair[0])
    observer = graph.observe(sequence)
    graph.stabilise()
    source.set(graph, second)
    with pytest.raises(Interrupt):
        graph.stabilise()
    last = first if back else second
    source.set(graph, last)
    graph.stabilise()
    assert outcome(sequence) == last
    assert built == (["a", "b", "c", "d"] if back else ["a", "b", "c", "d", "d", "e"])
    assert len(head(sequence).items) == len(set(last))
    graph.check([observer])


ITEMS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400)), max_size=4)


@settings(max_examples=examples(120), deadline=None, derandomize=True, database=None)
@given(st.integers(0, 300), st.lists(ITEMS, min_size=1, max_size=6))
def test_a_long_list_is_followed_through_small_changes(
    size: int, steps: list[list[tuple[int, int]]]
) -> None:
    """Items are inserted, removed and moved; each part is built once while it stays."""
    graph = Parts()
    listed = list(range(size))
    source = graph.input(listed)
    alive: set[int] = set()

    def build(item: Item) -> Node:
        assert item.item not in alive
        alive.add(item.item)
        return graph.map(lambda x: -x, item, scope=item.scope)

    sequence = graph.each(build, source)
    observer = graph.observe(sequence)
    graph.stabilise()
    for changes in steps:
        listed = list(listed)
        for kind, where in changes:
            place = where % (len(listed) + 1)
            if kind < 4 or not listed:
                listed.insert(place, where)
            elif kind < 8:
                listed.pop(place - 1)
            else:
                listed.insert(where * 7 % len(listed), listed.pop(place - 1))
        graph.gone.clear()
        source.set(graph, listed)
        graph.stabilise()
        alive -= set(items(graph.gone))
        assert alive == set(listed)
        assert outcome(sequence) == [-item for item in listed]
        graph.check([observer])
