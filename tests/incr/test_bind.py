"""Parts of the graph that are made while it runs, by binds."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from pycurrent.incr import Cycle, Node, Scope

from .parts import Fault, Interrupt, Parts, outcome

CYCLE = Fault("Cycle", str(Cycle()))


def chain(graph: Parts, node: Node, length: int, scope: Scope | None = None) -> Node:
    for _ in range(length):
        node = graph.map(lambda x: x, node, scope=scope)
    return node


@pytest.mark.parametrize("gap", [0, 1, 1000])
def test_a_bind_is_raised_above_a_deep_inside(gap: int) -> None:
    """And all that comes after it, so that each is computed once in a step."""
    graph = Parts()
    source, depth = graph.input(1), graph.input(0)
    calls: list[Any] = []
    bind = graph.bind(lambda scope, n: chain(graph, source, n, scope), depth, gap=gap)
    side = graph.map(lambda x: -x, source)
    join = graph.map(lambda *xs: calls.append(xs), bind, side, chain(graph, bind, 3))
    observer = graph.observe(join)
    graph.stabilise()
    for step, length in enumerate((300, 7, 900), 2):
        depth.set(graph, length)
        source.set(graph, step)
        graph.stabilise()
        graph.check([observer])
    assert calls == [(n, -n, n) for n in range(1, 5)]


def test_the_inside_is_undone_before_its_functions_see_new_values() -> None:
    """A function that was made for the old value is not called with anything new."""
    graph = Parts()
    source = graph.input(1)
    seen: list[tuple[int, int]] = []

    def build(scope: Scope, made_for: int) -> Node:
        def fn(x: int) -> int:
            seen.append((made_for, x))
            return x

        return graph.map(fn, source, scope=scope)

    deep = chain(graph, source, 50)
    observer = graph.observe(graph.bind(build, deep))
    for value in (1, 2, 3):
        source.set(graph, value)
        graph.stabilise()
        graph.check([observer])
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_the_inside_stays_above_a_bind_that_is_raised() -> None:
    """When the input of a bind becomes deeper, what it made before is raised with it."""
    graph = Parts()
    source, depth = graph.input(1), graph.input(0)
    seen: list[tuple[int, int]] = []

    def build(scope: Scope, made_for: int) -> Node:
        def fn(x: int) -> int:
            seen.append((made_for, x))
            return x

        return graph.map(fn, source, scope=scope)

    lower = graph.bind(lambda scope, n: chain(graph, source, n, scope), depth, gap=0)
    observer = graph.observe(graph.bind(build, lower, gap=0))
    graph.stabilise()
    depth.set(graph, 500)
    graph.stabilise()
    graph.check([observer])
    source.set(graph, 2)
    graph.stabilise()
    assert seen == [(1, 1), (2, 2)]


def test_what_a_build_raises_is_the_outcome_and_the_inside_is_gone() -> None:
    """What it had made until then is neither kept nor computed."""
    graph = Parts()
    source = graph.input(1)
    calls: list[int] = []

    def build(scope: Scope, value: int) -> Node:
        node = graph.map(calls.append, source, scope=scope)
        if value == 2:
            raise ValueError("two")
        return node

    bind = graph.bind(build, source)
    observer = graph.observe(bind)
    graph.stabilise()
    source.set(graph, 2)
    graph.stabilise()
    assert outcome(bind) == Fault("ValueError", "two")
    assert len(graph.gone) == 2
    assert calls == [1]
    source.set(graph, 3)
    graph.stabilise()
    assert outcome(bind) is None
    assert calls == [1, 3]
    graph.check([observer])


def test_what_an_inside_does_not_use_is_not_computed() -> None:
    """It is let go of when the inside is done."""
    graph = Parts()
    source = graph.input(1)
    calls: list[int] = []

    def build(scope: Scope, value: int) -> Node:
        graph.map(calls.append, graph.map(abs, source, scope=scope), scope=scope)
        return source

    observer = graph.observe(graph.bind(build, source))
    for value in (1, 2):
        source.set(graph, value)
        graph.stabilise()
        graph.check([observer])
    assert calls == []
    assert len(graph.gone) == 4


def test_an_inside_that_stays_the_same_is_not_touched() -> None:
    """The bind leads to the same node again: nothing after it is computed."""
    graph = Parts()
    source, shared = graph.input(1), graph.input("shared")
    calls: list[str] = []
    observer = graph.observe(graph.map(calls.append, graph.bind(lambda _, v: shared, source)))
    for value in (1, 2, 3):
        source.set(graph, value)
        graph.stabilise()
        graph.check([observer])
    assert calls == ["shared"]
    assert graph.gone == []


def test_what_two_insides_have_in_common_goes_on() -> None:
    """A node that the old and the new inside use is not released in between."""
    graph = Parts()
    source = graph.input(1)
    calls: list[int] = []

    def fn(x: int) -> int:
        calls.append(x)
        return x

    shared = graph.map(fn, graph.input(7))
    observer = graph.observe(
        graph.bind(lambda scope, v: graph.map(lambda x: x + v, shared, scope=scope), source)
    )
    for value in (1, 2, 3):
        source.set(graph, value)
        graph.stabilise()
        graph.check([observer])
    assert calls == [7]
    assert shared not in graph.gone


def handed_over(graph: Parts, first: int, second: int) -> tuple[Any, Node, Any, list[Any]]:
    """A deep node that one bind leaves while another, at another height, takes it up."""
    switch, source = graph.input(0), graph.input(0)
    calls: list[int] = []
    nothing = graph.input(None)

    def fn(x: int) -> int:
        calls.append(x)
        return x

    shared = chain(graph, graph.map(fn, source), 5)
    one = graph.bind(lambda _, v: nothing if v else shared, chain(graph, switch, first))
    other = graph.bind(lambda _, v: shared if v else nothing, chain(graph, switch, second))
    graph.observe(one)
    graph.observe(other)
    graph.stabilise()
    return switch, other, source, calls


@pytest.mark.parametrize(("first", "second"), [(0, 20), (0, 3), (3, 3), (20, 0)])
def test_a_node_that_is_left_and_taken_up_in_one_step_goes_on(first: int, second: int) -> None:
    """Without a call, if nothing changed; with one, if its input changed in the same step."""
    graph = Parts()
    switch, other, source, calls = handed_over(graph, first, second)
    switch.set(graph, 1)
    graph.stabilise()
    assert outcome(other) == 0
    assert calls == [0]
    switch.set(graph, 0)
    source.set(graph, 1)
    graph.stabilise()
    switch.set(graph, 1)
    source.set(graph, 2)
    graph.stabilise()
    assert outcome(other) == 2
    assert calls == [0, 1, 2]
    assert graph.gone == []


def test_what_is_woken_low_is_computed_before_what_waits_higher() -> None:
    """A join of old and woken nodes, all of them changed, is computed once, and last."""
    graph = Parts()
    switch, source = graph.input(0), graph.input(1)
    nothing = graph.input(None)
    seen: list[Any] = []

    def join(a: int, b: int) -> int:
        seen.append((a, b))
        return a

    # To be computed already when it is left; woken by a switch that is as high as it is.
    high = graph.map(join, graph.map(lambda x: x * 2, chain(graph, source, 4)), source)
    one = graph.bind(lambda _, v: nothing if v else high, switch)
    late = chain(graph, switch, high.height - 1)
    other = graph.bind(lambda _, v: high if v else nothing, late)
    assert other.decision.height == high.height
    observers = [graph.observe(one), graph.observe(other)]
    graph.stabilise()
    switch.set(graph, 1)
    source.set(graph, 5)
    graph.stabilise()
    assert seen == [(2, 1), (10, 5)]
    assert outcome(other) == 10
    graph.check(observers)


def test_what_it_needs_may_have_been_raised_while_a_node_slept() -> None:
    """It is raised when it wakes, and with it what is independent but was made by it."""
    graph = Parts()
    which, source = graph.input(0), graph.input(1)
    nothing = graph.input(None)
    made: list[Node] = []
    deep = graph.bind(lambda scope, v: chain(graph, source, v, scope), chain(graph, which, 2))

    def build(scope: Scope, value: int) -> Node:
        if not made:
            made.append(graph.map(lambda x: x, source, scope=scope))
        return made[0]

    asleep = chain(graph, graph.bind(build, deep, gap=0), 3)
    early = graph.bind(lambda _, v: nothing if v else asleep, which)
    late = graph.bind(
        lambda scope, v: graph.map(max, made[-1], asleep, scope=scope) if v else nothing,
        chain(graph, which, 4),
    )
    observers = [graph.observe(node) for node in (deep, early, late)]
    graph.stabilise()
    made.append(chain(graph, made[0], 10))
    observers.append(graph.observe(made[1]))
    graph.stabilise()
    which.set(graph, 500)
    graph.stabilise()
    assert outcome(late) == 1
    assert asleep not in graph.gone
    graph.check(observers)


def test_an_inside_may_need_what_was_made_for_a_later_bind() -> None:
    """A node made in the scope of a bind, but independent of it, may become an input of it;
    what uses that node in the scope stays above the bind.
    """
    graph = Parts()
    source, which = graph.input(3), graph.input(0)
    constant = graph.input(4)
    made: list[Node] = []
    builds: list[int] = []

    def later(scope: Scope, value: int) -> Node:
        builds.append(value)
        if not made:
            made.append(graph.map(lambda x: x + 1, source, scope=scope))
        return graph.map(lambda x: x + value, made[0], scope=scope)

    first = graph.bind(lambda _, v: made[0] if v else constant, which)
    second = graph.bind(later, first)
    observer = graph.observe(second)
    graph.stabilise()
    which.set(graph, 1)
    graph.stabilise()
    assert builds == [4]
    graph.check([observer])
    source.set(graph, 4)
    graph.stabilise()
    assert builds == [4, 5]
    assert outcome(second) == 10
    graph.check([observer])


def test_what_goes_on_after_its_inside_was_undone_is_independent_of_the_bind() -> None:
    """The bind may be raised above it."""
    graph = Parts()
    which, source = graph.input(0), graph.input(1)
    made: list[Node] = []

    def build(scope: Scope, value: int) -> Node:
        if value:
            return source
        made.append(graph.map(lambda x: x, source, scope=scope))
        return made[0]

    lower = graph.bind(lambda scope, n: chain(graph, which, n, scope), which)
    observers = [graph.observe(graph.bind(build, lower))]
    graph.stabilise()
    observers.append(graph.observe(made[0]))
    for value in (1, 500):
        which.set(graph, value)
        graph.stabilise()
        graph.check(observers)
    assert made[0] not in graph.gone


def test_a_scope_keeps_only_what_uses_nothing_else_of_it() -> None:
    """The rest is above that anyway."""
    graph = Parts()
    source = graph.input(1)
    scopes: list[Scope] = []

    def build(scope: Scope, value: int) -> Node:
        scopes.append(scope)
        return chain(graph, source, 50, scope)

    observer = graph.observe(graph.bind(build, source))
    graph.stabilise()
    assert len(list(scopes[0].roots)) == 1
    graph.check([observer])


def test_a_bind_that_leads_to_itself_has_no_outcome() -> None:
    """Directly or through maps; it works again when it no longer does."""
    graph = Parts()
    which = graph.input(0)
    binds: list[Node] = []

    def build(scope: Scope, value: int) -> Node:
        match value:
            case 0:
                return which
            case 1:
                return binds[0]
            case _:
                return chain(graph, binds[0], value, scope)

    binds.append(graph.bind(build, which))
    after = graph.map(lambda x: x, binds[0])
    observer = graph.observe(after)
    for value in (1, 0, 2, 3, 400, 1, 0):
        which.set(graph, value)
        graph.stabilise()
        assert outcome(after) == (CYCLE if value else 0)
        graph.check([observer])


def test_binds_that_lead_to_each_other_have_no_outcome() -> None:
    """The graph stays usable, and they work again when they no longer do."""
    graph = Parts()
    which = graph.input(0)
    binds: list[Node] = []

    def to_next(place: int, scope: Scope, value: int) -> Node:
        if not value:
            return which
        return graph.map(lambda x: x, binds[(place + 1) % 3], scope=scope)

    binds.extend(graph.bind(partial(to_next, place), which) for place in range(3))
    users = [graph.map(lambda x: x, bind) for bind in binds]
    observers = [graph.observe(node) for node in users]
    for value in (0, 1, 0, 1, 0):
        which.set(graph, value)
        graph.stabilise()
        assert [outcome(node) for node in users] == [CYCLE if value else 0] * 3
        graph.check(observers)


def test_a_refused_cycle_leaves_the_users_of_the_bind_in_order() -> None:
    """Their heights are what they were: each is computed once, after all of its inputs."""
    graph = Parts()
    which, source = graph.input(0), graph.input(0)
    binds: list[Node] = []

    def build(scope: Scope, value: int) -> Node:
        return chain(graph, binds[0], 500, scope) if value else source

    binds.append(graph.bind(build, which))
    calls: list[Any] = []
    join = graph.map(lambda *xs: calls.append(xs), binds[0], chain(graph, source, 5))
    observers = [graph.observe(join), *(graph.observe(chain(graph, binds[0], n)) for n in range(9))]
    graph.stabilise()
    for value in (1, 0):
        which.set(graph, value)
        source.set(graph, value + 1)
        graph.stabilise()
        graph.check(observers)
    assert calls == [(0, 0), (1, 1)]


def test_a_node_asleep_that_needs_the_bind_is_a_cycle_too() -> None:
    """It was left by another bind in this step, and the heights of its inputs have changed."""
    graph = Parts()
    which, source = graph.input(0), graph.input(7)
    nothing = graph.input(None)
    binds: list[Node] = []

    def build(scope: Scope, value: int) -> Node:
        return needs[0] if value == 2 else chain(graph, source, value * 300, scope)

    binds.append(graph.bind(build, chain(graph, which, 10)))
    needs = [graph.map(lambda x: x, binds[0])]
    leaving = graph.bind(lambda _, v: nothing if v == 2 else needs[0], which)
    observers = [graph.observe(leaving), graph.observe(binds[0])]
    for value in (0, 1, 2):
        which.set(graph, value)
        graph.stabilise()
        graph.check(observers)
    assert outcome(binds[0]) == CYCLE
    assert needs[0] in graph.gone


def test_binds_that_overtake_each_other_go_on() -> None:
    """Each is in turn made from the other; the heights grow, but not beyond all measure."""
    graph = Parts()
    turn, source = graph.input(0), graph.input(1)
    binds: list[Node] = []

    def build(place: int, scope: Scope, whose: int | None) -> Node:
        return chain(graph, binds[1 - place], 3, scope) if whose == place else source

    binds.extend(graph.bind(partial(build, place), turn) for place in range(2))
    observers = [graph.observe(bind) for bind in binds]
    for step in range(200):
        turn.set(graph, (None, 0, None, 1)[step % 4])
        graph.stabilise()
        assert [outcome(bind) for bind in binds] == [1, 1]
    graph.check(observers)
    assert max(bind.height for bind in binds).bit_length() < 64


def test_an_interrupted_build_is_built_again() -> None:
    """Until then the old inside stays; what the interrupted one had made is let go of."""
    graph = Parts()
    source = graph.input(0)
    strikes = [Interrupt()]

    def build(scope: Scope, value: int) -> Node:
        node = graph.map(lambda x: x * 10, source, scope=scope)
        if value and strikes:
            raise strikes.pop()
        return node

    bind = graph.bind(build, source)
    observer = graph.observe(bind)
    graph.stabilise()
    source.set(graph, 1)
    with pytest.raises(Interrupt):
        graph.stabilise()
    graph.stabilise()
    assert outcome(bind) == 10
    assert len(graph.gone) == 2
    graph.check([observer])
