"""Sizes that must not cost more than they should. The limits are several times what it takes."""

from __future__ import annotations

import gc
import time
from typing import Any

from pycurrent.incr import GAP, BindDecision, BindResult, Node, Scope

from .parts import Parts, outcome


def increment(x: int) -> int:
    return x + 1


class Stopwatch:
    """Seconds of the processor's time since it was made."""

    def __init__(self) -> None:
        self._start = time.process_time()

    def seconds(self) -> float:
        return time.process_time() - self._start


def test_a_chain_of_a_million_maps_is_built_changed_and_released() -> None:
    """Without a RecursionError, at any time of its life."""
    graph = Parts()
    source = graph.input(0)
    node: Node = source
    for _ in range(1_000_000):
        node = graph.map(increment, node)
    observer = graph.observe(node)
    graph.stabilise()
    source.set(graph, 1)
    graph.stabilise()
    assert outcome(node) == 1_000_001
    graph.drop(observer)
    assert len(graph.gone) == 1_000_001
    graph.gone.clear()
    del node, observer, source


def test_a_chain_that_a_bind_leaves_and_another_takes_up_does_not_recurse() -> None:
    """Going to sleep, waking up and being raised take no deep calls."""
    graph = Parts()
    which, source = graph.input(0), graph.input(0)
    nothing = graph.input(None)
    deep = graph.bind(lambda _, v: source if v < 2 else low, which)
    shared: Node = deep
    for _ in range(50_000):
        shared = graph.map(increment, shared)
    low: Node = nothing
    for _ in range(2_000):
        low = graph.map(lambda _: 0, low)
    one = graph.bind(lambda _, v: nothing if v else shared, which)
    other = graph.bind(lambda _, v: shared if v else nothing, graph.map(lambda x: x, which))
    observers = [graph.observe(one), graph.observe(other)]
    for value in (0, 1, 2, 0):
        which.set(graph, value)
        graph.stabilise()
        assert outcome(other if value else one) == 50_000
    graph.check(observers)


def test_binds_nested_five_thousand_deep() -> None:
    """Each inside is one more bind; all of them are undone and made anew by one change."""
    graph = Parts()
    source = graph.input(0)

    def build(depth: int, scope: Scope, value: int) -> Node:
        if not depth:
            return source
        decision = BindDecision(lambda inside, v: build(depth - 1, inside, v), (source,))
        graph.add(decision, scope)
        bind = BindResult(decision)
        graph.add(bind, scope, gap=GAP)
        return bind

    outer = graph.bind(lambda scope, v: build(5_000, scope, v), source)
    observer = graph.observe(outer)
    stopwatch = Stopwatch()
    graph.stabilise()
    source.set(graph, 1)
    graph.stabilise()
    assert outcome(outer) == 1
    assert stopwatch.seconds() < 6
    graph.check([observer])


def test_five_thousand_binds_in_a_row_with_insides_that_grow() -> None:
    """Each raises all that come after it, time and again."""
    graph = Parts()
    source = graph.input(0)
    node: Node = source

    def build(scope: Scope, value: int) -> Node:
        inner: Node = source
        for _ in range(depth):
            inner = graph.map(lambda x: x, inner, scope=scope)
        return graph.map(lambda x: x + value, inner, scope=scope)

    for _ in range(5_000):
        node = graph.bind(lambda scope, v: build(scope, 1), node)
    observer = graph.observe(node)
    stopwatch = Stopwatch()
    for depth in (1, 70):
        source.set(graph, depth)
        graph.stabilise()
        assert outcome(node) == depth + 1
    assert stopwatch.seconds() < 8
    graph.check([observer])


def test_raising_many_ways_that_join_again_takes_each_node_once() -> None:
    """A ladder has exponentially many ways through it."""
    graph = Parts()
    which, source = graph.input(0), graph.input(1)

    def build(scope: Scope, depth: int) -> Node:
        node: Node = source
        for _ in range(depth):
            node = graph.map(lambda x: x, node, scope=scope)
        return node

    lower: Node = graph.bind(build, which, gap=0)
    upper = graph.map(lambda x: x, lower)
    for _ in range(200):
        lower, upper = upper, graph.map(lambda x, y: (x + y) % 1000, lower, upper)
    observer = graph.observe(upper)
    graph.stabilise()
    which.set(graph, 5_000)
    graph.stabilise()
    graph.check([observer])


def test_a_hundred_thousand_toggles_of_a_bind_leave_memory_flat() -> None:
    """What was made for a value is gone with it, also where it made a list or another bind."""
    graph = Parts()
    source, items = graph.input(False), graph.input([1, 2])

    def build(scope: Scope, value: Any) -> Node:
        if value:
            return graph.map(lambda x: x, source, scope=scope)
        return graph.map(lambda x: not x, source, scope=scope)

    outer = graph.bind(
        lambda scope, v: graph.bind(build, source, scope=scope) if v else build(scope, v), source
    )
    each = graph.each(
        lambda item: graph.map(lambda x, y: (x, y), item, source, scope=item.scope), items
    )
    observers = [graph.observe(outer), graph.observe(each)]

    def toggle(times: int) -> None:
        for step in range(times):
            source.set(graph, not step % 2)
            items.set(graph, [step % 2, 2])
            graph.stabilise()
            graph.gone.clear()

    toggle(100)
    gc.collect()
    before = len(gc.get_objects())
    height = max(outer.height, each.height)
    toggle(100_000)
    gc.collect()
    assert len(gc.get_objects()) < before + 50
    assert max(outer.height, each.height) == height
    graph.check(observers)


def test_what_an_inside_makes_for_a_scope_outside_it_does_not_stay() -> None:
    """A node that is made and released again and again leaves nothing in a scope that stays."""
    graph = Parts()
    source, outside = graph.input(0), graph.input(0)
    scopes: list[Scope] = []

    def inner(scope: Scope, value: int) -> Node:
        made = graph.map(lambda x: x, outside, scope=scopes[0])
        return graph.map(lambda x: x + value, made, scope=scope)

    def build(scope: Scope, value: int) -> Node:
        scopes.append(scope)
        return graph.bind(inner, source, scope=scope)

    observer = graph.observe(graph.bind(build, outside))
    for value in range(100):
        source.set(graph, value)
        graph.stabilise()
    graph.check([observer])
    assert len(list(scopes[0].roots)) < 5


def test_one_change_below_very_many_items_takes_no_time() -> None:
    """It does not read the others: a thousand changes of one of 50,000 take well under a second."""
    graph = Parts()
    source = graph.input(list(range(50_000)))
    changing = graph.input(0)

    def build(item: Any) -> Node:
        return graph.map(max, item, changing, scope=item.scope) if item.item == 123 else item

    sequence = graph.each(build, source)
    graph.observe(sequence)
    graph.stabilise()
    stopwatch = Stopwatch()
    for value in range(1000):
        changing.set(graph, value)
        graph.stabilise()
    assert stopwatch.seconds() < 1
    assert outcome(sequence)[123] == 999
