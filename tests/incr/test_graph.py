"""What a run does with nodes of a fixed shape."""

from __future__ import annotations

from typing import Any

import pytest

from pycurrent.incr import UNSET, Const, Map1, Node, NodeGraph, Source

from .parts import Fault, Interrupt, Parts, Wait, outcome


def counted(calls: list[Any], value: Any = None) -> Any:
    """A function that keeps a list of its calls."""

    def fn(*args: Any) -> Any:
        calls.append(args)
        return args[0] if value is None else value

    return fn


def test_a_node_has_no_outcome_before_the_first_run() -> None:
    """Until it has been computed a node is absent as unset."""
    graph = Parts()
    node = graph.map(str, graph.input(1))
    graph.observe(node)
    assert node.absent is UNSET
    graph.stabilise()
    assert outcome(node) == "1"


def test_the_join_of_a_diamond_is_computed_once_a_step() -> None:
    """It sees both sides of the same step, and is called once."""
    graph = Parts()
    calls: list[Any] = []
    source = graph.input(1)
    left = graph.map(lambda x: x + 1, source)
    right = graph.map(lambda x: x * 10, graph.map(lambda x: x, source))
    observer = graph.observe(graph.map(counted(calls), left, right))
    graph.stabilise()
    source.set(graph, 2)
    graph.stabilise()
    assert calls == [(2, 10), (3, 20)]
    graph.check([observer])


def test_the_same_node_may_be_given_twice() -> None:
    """A function gets the value in both places."""
    graph = Parts()
    source = graph.input(2)
    product = graph.map(lambda a, b: a * b, source, source)
    observer = graph.observe(product)
    graph.stabilise()
    assert outcome(product) == 4
    graph.drop(observer)
    assert set(graph.gone) == {product, source}


def test_a_change_that_is_equal_stops() -> None:
    """By ==: what comes after is not called again."""
    graph = Parts()
    calls: list[Any] = []
    source = graph.input(1)
    parity = graph.map(lambda x: x % 2, source)
    graph.observe(graph.map(counted(calls), parity))
    graph.stabilise()
    source.set(graph, 3)
    graph.stabilise()
    assert calls == [(1,)]


@pytest.mark.parametrize("width", [1, 2])
def test_a_change_that_eq_calls_equal_stops(width: int) -> None:
    """The old value stays, and what comes after is not called again."""
    graph = Parts()
    calls: list[Any] = []
    source = graph.input(1)
    near = graph.map(
        lambda *xs: xs[0], *[source] * width, eq=lambda old, new: bool(abs(old - new) < 5)
    )
    graph.observe(graph.map(counted(calls), near))
    for value in (1, 4, 5, 6):
        source.set(graph, value)
        graph.stabilise()
    assert calls == [(1,), (6,)]


def test_the_eq_of_a_bind_stops_a_change() -> None:
    """Also where the inside stays and only its value changes."""
    graph = Parts()
    calls: list[Any] = []
    source = graph.input(1)
    bind = graph.bind(lambda _, v: source, graph.input(0), eq=lambda a, b: bool(abs(a - b) < 5))
    graph.observe(graph.map(counted(calls), bind))
    for value in (1, 4, 6):
        source.set(graph, value)
        graph.stabilise()
    assert calls == [(1,), (6,)]


class Unequal:
    """Cannot be compared."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no ==")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("width", [1, 2])
def test_an_equality_that_raises(width: int) -> None:
    """By ==, it tells nothing, so the value has changed; the function given is told."""
    graph = Parts()
    source = graph.input(1)

    def eq(old: int, new: int) -> bool:
        raise LookupError("no eq")

    sources = [source] * width
    compared = graph.map(lambda *xs: Unequal(), *sources)
    given = graph.map(lambda *xs: xs[0], *sources, eq=eq)
    graph.observe(compared)
    graph.observe(given)
    graph.stabilise()
    assert outcome(given) == 1
    source.set(graph, 2)
    graph.stabilise()
    assert isinstance(outcome(compared), Unequal)
    assert outcome(given) == Fault("LookupError", "no eq")
    source.set(graph, 3)
    graph.stabilise()
    assert outcome(given) == 3


def test_what_a_function_raises_is_the_outcome_and_an_equal_one_stops() -> None:
    """The exception becomes an absence once; the same again changes nothing."""
    graph = Parts()
    calls: list[Any] = []
    source = graph.input(1)

    def fail(x: int) -> int:
        raise ValueError("always")

    failed = graph.map(fail, source)
    seen = _Reader(failed, calls)
    graph.add(seen)
    graph.observe(seen)
    graph.stabilise()
    source.set(graph, 2)
    graph.stabilise()
    assert calls == [Fault("ValueError", "always")]


class _Reader(Node):
    """Keeps a list of the outcomes it saw."""

    def __init__(self, source: Node, seen: list[Any]) -> None:
        super().__init__()
        self.source = source
        self.seen = seen

    def inputs(self) -> tuple[Node]:
        return (self.source,)

    def recompute(self, graph: NodeGraph) -> bool:
        self.seen.append(outcome(self.source))
        return self.publish(None, None)


def test_of_several_absences_the_highest_wins_and_then_the_leftmost() -> None:
    """And the function is not called."""
    graph = Parts()
    low, other = graph.input(None, Wait("low")), graph.input(None, Wait("other"))
    high = graph.input(None, Fault("", "high"))
    late = graph.input(None, Fault("", "late"))
    waits = graph.map(max, graph.input(1), low, other)
    fails = graph.map(max, low, high, late)
    graph.observe(waits)
    graph.observe(fails)
    graph.stabilise()
    assert outcome(waits) == Wait("low")
    assert outcome(fails) == Fault("", "high")


def test_what_is_no_longer_observed_is_released_at_once_and_once() -> None:
    """What somebody else needs stays; dropping twice does no harm to the others."""
    graph = Parts()
    source = graph.input(1)
    shared = graph.map(lambda x: x, source)
    one, other = graph.map(str, shared), graph.map(repr, shared)
    first, second = graph.observe(one), graph.observe(other)
    graph.stabilise()
    graph.drop(first)
    assert graph.gone == [one]
    graph.drop(first)
    assert graph.gone == [one]
    source.set(graph, 2)
    graph.stabilise()
    assert outcome(other) == "2"
    graph.drop(second)
    graph.drop(second)
    assert graph.gone == [one, other, shared, source]


def test_an_observer_dropped_twice_leaves_a_single_other_user_alone() -> None:
    """The node goes on for it."""
    graph = Parts()
    source = graph.input(1)
    first = graph.observe(source)
    second = graph.observe(source)
    graph.drop(first)
    graph.drop(first)
    assert graph.gone == []
    source.set(graph, 2)
    graph.stabilise()
    assert outcome(source) == 2
    graph.check([second])


def test_an_observer_dropped_by_a_function_is_gone_at_the_end_of_the_run() -> None:
    """Even if the function is that of what is observed."""
    graph = Parts()
    source = graph.input(0)
    drops: list[Any] = []

    def fn(x: int) -> int:
        for observer in drops:
            graph.drop(observer)
        return x

    node = graph.map(fn, source)
    bind = graph.bind(lambda scope, x: graph.map(fn, source, scope=scope), source)
    observers = [graph.observe(node), graph.observe(bind)]
    graph.stabilise()
    drops.extend(observers)
    source.set(graph, 1)
    graph.stabilise()
    assert {node, bind, source} < set(graph.gone)
    assert len(graph.gone) == len(set(graph.gone)) == 6
    graph.check([])


class Held(Map1):
    """Calls a function when it is released."""

    on_release: Any = None

    def release(self, graph: NodeGraph) -> None:
        self.on_release()


def test_a_release_may_drop_observers_and_set_inputs() -> None:
    """A row of them as well, however long; the inputs are seen by the next run."""
    graph = Parts()
    source, told = graph.input(0), graph.input(0)
    graph.observe(told)
    drop = graph.observe(graph.map(str, source))
    for _ in range(3000):
        node = Held(str, source)
        node.on_release = lambda observer=drop: graph.drop(observer)
        graph.add(node)
        drop = graph.observe(node)

    def tell() -> None:
        graph.drop(drop)
        told.set(graph, 1)

    last = Held(str, source)
    last.on_release = tell
    graph.add(last)
    observer = graph.observe(last)
    graph.stabilise()
    graph.drop(observer)
    assert len(graph.gone) == 3003
    assert outcome(told) == 0
    graph.stabilise()
    assert outcome(told) == 1


def test_a_release_that_raises_does_not_keep_the_others() -> None:
    """The exception comes out, and the rest is released by the next call."""
    graph = Parts()
    source = graph.input(0)
    middle = graph.map(str, source)
    node = Held(str, middle)

    def fail() -> None:
        raise RuntimeError("no release")

    node.on_release = fail
    graph.add(node)
    observer = graph.observe(node)
    graph.stabilise()
    with pytest.raises(RuntimeError, match="no release"):
        graph.drop(observer)
    graph.stabilise()
    assert graph.gone == [node, middle, source]
    graph.check([])


def test_an_input_may_be_used_again_after_it_was_released() -> None:
    """It shows what it was set to before, in between, and in the step of its leaving."""
    graph = Parts()
    source = graph.input(1)
    for value in (2, 3):
        observer = graph.observe(graph.map(str, source))
        graph.stabilise()
        source.set(graph, value)
        graph.drop(observer)
        node = graph.map(str, source)
        kept = graph.observe(node)
        graph.stabilise()
        assert outcome(node) == str(value)
        graph.drop(kept)
        source.set(graph, value + 10)
        node = graph.map(str, source)
        kept = graph.observe(node)
        graph.stabilise()
        assert outcome(node) == str(value + 10)
        graph.drop(kept)


@pytest.mark.parametrize("width", [1, 2])
def test_an_interrupted_run_goes_on_where_it_was(width: int) -> None:
    """Nothing is computed twice, and nothing is left out."""
    graph = Parts()
    source = graph.input(0)
    before: list[Any] = []
    strikes = [Interrupt()]

    def strike(*xs: int) -> int:
        if strikes and xs[0]:
            raise strikes.pop()
        return xs[0]

    first = graph.map(counted(before), source)
    struck = graph.map(strike, *[first] * width)
    beside = graph.map(str, first)
    after = graph.map(lambda a, b: (a, b), struck, beside)
    observer = graph.observe(after)
    graph.stabilise()
    source.set(graph, 1)
    with pytest.raises(Interrupt):
        graph.stabilise()
    graph.stabilise()
    assert outcome(after) == (1, "1")
    assert before == [(0,), (1,)]
    graph.check([observer])


def test_inputs_may_change_and_observers_go_after_an_interrupt() -> None:
    """Before the interrupted run goes on."""
    graph = Parts()
    source = graph.input(0)
    strikes = [Interrupt()]

    def strike(x: int) -> int:
        if strikes:
            raise strikes.pop()
        return x

    struck = graph.map(strike, source)
    other = graph.map(str, source)
    dropped, kept = graph.observe(struck), graph.observe(other)
    with pytest.raises(Interrupt):
        graph.stabilise()
    source.set(graph, 5)
    graph.drop(dropped)
    graph.stabilise()
    assert outcome(other) == "5"
    assert graph.gone == [struck]
    graph.check([kept])


def test_a_constant_is_read_like_anything_else() -> None:
    """Whether it has a value or not."""
    graph = Parts()
    one, none = Const(1), Const(None, Wait("never"))
    graph.add(one)
    graph.add(none)
    with_value, without = graph.map(str, one), graph.map(str, none)
    observers = [graph.observe(with_value), graph.observe(without)]
    graph.stabilise()
    assert outcome(with_value) == "1"
    assert outcome(without) == Wait("never")
    graph.check(observers)


def test_an_input_that_is_set_twice_shows_the_last() -> None:
    """Steps are taken by `stabilise`, not by `set`."""
    graph = Parts()
    calls: list[Any] = []
    source: Source = graph.input(0)
    graph.observe(graph.map(counted(calls), source))
    graph.stabilise()
    source.set(graph, 1)
    source.set(graph, 2)
    graph.stabilise()
    source.set(graph, 3)
    source.set(graph, 2)
    graph.stabilise()
    assert calls == [(0,), (2,)]
