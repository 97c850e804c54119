"""What a step and a pipeline cost: by what changed, and without limits of the interpreter."""

import gc
import sys
from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest

from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Ok,
    Output,
    Primitive,
    Stats,
    Var,
    all,
    component,
    constant,
    seq,
)

from .steps import Calls, Steps, Tap


def increment(x: int) -> int:
    return x + 1


def test_a_chain_of_300_000_terms_has_no_recursion_limit() -> None:
    """It is built, changed and let go."""
    var = Var("v", 0)
    term = reduce(lambda term, _: term.map(increment), range(300_000), var.get())
    steps = Steps(term, check=False)
    assert steps.output == Ok(300_000)
    var.set(1)
    assert steps.step() == Ok(300_001)
    steps.stop()


@pytest.mark.parametrize(
    "link",
    [
        lambda term: term.bind(constant),
        lambda term: term.bind(lambda x: constant(x).map(abs)),
        lambda term: term.state().map(lambda output: output.value),
        lambda term: component("c", Primitive.constant, term),
        lambda term: seq([term]).map(sum),
        lambda term: term.option_map(lambda x: x),
    ],
)
def test_a_chain_of_any_kind_has_no_recursion_limit(
    link: Callable[[Current[Any]], Current[Any]],
) -> None:
    """Ten thousand of each, one after the other."""
    var = Var("v", 1)
    term: Current[int] = reduce(lambda term, _: link(term), range(10_000), var.get())
    steps = Steps(term, check=False)
    assert steps.output == Ok(1)
    var.set(2)
    assert steps.step() == Ok(2)
    steps.stop()


def bind_within_binds(depth: Current[int]) -> Current[Any]:
    return depth.bind(lambda d: constant("end") if d == 0 else bind_within_binds(constant(d - 1)))


def list_within_lists(depth: Current[int]) -> Current[Any]:
    below = depth.map(lambda d: [d - 1] if d else [])
    return below.list_map(list_within_lists).map(lambda inner: inner[0] if inner else "end")


@pytest.mark.parametrize("nest", [bind_within_binds, list_within_lists])
def test_nests_have_no_recursion_limit(nest: Callable[[Current[int]], Current[Any]]) -> None:
    """Each decides on the next, inside of it."""
    deep = sys.getrecursionlimit() + 1
    var = Var("v", deep)
    steps = Steps(nest(var.get()), check=False)
    assert steps.output == Ok("end")
    var.set(deep // 2)
    assert steps.step() == Ok("end")
    steps.stop()


Parts = Callable[[list[Var[int]]], Current[object]]


def a_list(variables: list[Var[int]], *, collect: bool) -> Current[object]:
    currents = [var.get() for var in variables]
    indices = constant(range(len(variables)))

    def each(index: Current[int]) -> Current[int]:
        return index.bind(lambda place: currents[place])

    return indices.list_map(each) if collect else indices.list_iter(each)


PARTS: dict[str, Parts] = {
    "all": lambda variables: all([var.get() for var in variables]),
    "labels": lambda variables: all({var.name: var.get() for var in variables}),
    "seq": lambda variables: seq([var.get() for var in variables]),
    "list_map": lambda variables: a_list(variables, collect=True),
    "list_iter": lambda variables: a_list(variables, collect=False),
    "list_map in a bind": lambda variables: constant(0).bind(
        lambda _: a_list(variables, collect=True)
    ),
}


def cost_of_a_step(parts: Parts, size: int) -> int:
    """The most function calls of a step in which one of very many inputs changes."""
    variables = [Var(str(i), 0) for i in range(size)]
    steps = Steps(parts(variables), check=False)
    costs = []
    outputs: list[Output[int]] = [Ok(1), Failed("why"), Active(Activity.READY), Ok(2)]
    for place in (0, size // 2, size - 1):
        for output in outputs:
            variables[place].set(output)
            costs.append(count_calls(steps.step))
    return max(costs)


def count_calls(fn: Callable[[], object]) -> int:
    count = 0

    def profile(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        fn()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS.keys())
def test_one_change_of_very_many_costs_what_changed(parts: Parts) -> None:
    """With twenty times as many inputs, less than three times as much, wherever it is."""
    assert cost_of_a_step(parts, 10_000) < 3 * cost_of_a_step(parts, 500)


def test_memory_is_flat_while_a_bind_is_toggled() -> None:
    """20,000 components come and go, and nothing of them stays."""
    var = Var("v", 0)
    tap: Tap[int] = Tap("tap", Ok(1))

    def decide(x: int) -> Current[int]:
        return component(f"c {x}", lambda: tap).map(increment)

    steps = Steps(var.get().bind(decide), check=False)

    def objects_after(toggles: int) -> int:
        for _ in range(toggles):
            var.update(increment)
            steps.step()
            steps.take_changed()
            tap.listeners.clear()
            tap.events.clear()
        gc.collect()
        return len(gc.get_objects())

    before = objects_after(100)
    assert objects_after(20_000) < before + 100
    assert len(tap.open) == 1
    assert steps.stats == Stats(ok=2)
    steps.stop()


def test_nothing_waits_for_the_garbage_collector() -> None:
    """Functions and sources stop with the step that does not need them, collected or not."""
    gc.disable()
    try:
        var = Var("v", True)
        tap: Tap[int] = Tap("tap", Ok(1))
        current = tap.current()
        calls = Calls()
        steps = Steps(
            var.get().bind(lambda yes: current.map(calls.of(abs)) if yes else constant(0))
        )
        var.set(False)
        steps.step()
        assert tap.events == ["+tap", "-tap"]
        tap.set(Ok(-2))
        steps.step()
        assert calls == [1]
        steps.stop()
    finally:
        gc.enable()
