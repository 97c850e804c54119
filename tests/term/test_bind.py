"""Binds: parts of a pipeline that are decided on while it runs."""

from typing import Any

import pytest

from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Failure,
    Ok,
    Primitive,
    Stats,
    Var,
    bind,
    component,
    constant,
    evaluate,
    map,
    pair,
)

from .steps import Calls, Steps, Tap


def test_bind_decides_on_the_rest_of_the_pipeline() -> None:
    """It has the output of the current that the function returned, and follows it."""
    which = Var("which", "a")
    sources = {"a": Var("a", 1), "b": Var("b", 2)}
    steps = Steps(which.get().bind(lambda name: sources[name].get()))
    assert steps.output == Ok(1)
    sources["a"].set(10)
    assert steps.step() == Ok(10)
    which.set("b")
    assert steps.step() == Ok(2)
    sources["b"].set(Failed("why"))
    assert steps.step() == Failed("why")
    steps.stop()


def test_bind_of_several_inputs_gets_all_values() -> None:
    """In their order; with none, the function is called once."""
    joined = bind(lambda a, b: constant(a + b), constant("x"), constant("y"))
    assert evaluate(joined) == Ok("xy")
    assert evaluate(bind(lambda: constant(1))) == Ok(1)


def test_what_a_bind_made_before_is_undone() -> None:
    """Its terms are no longer needed: functions aren't called and sources are let go."""
    events: list[str] = []
    taps = {name: Tap(name, Ok(name), events) for name in "ab"}
    calls = Calls()
    which: Var[str] = Var("which", "a")
    steps = Steps(which.get().bind(lambda name: taps[name].current().map(calls.of(str.upper))))
    which.set("b")
    assert steps.step() == Ok("B")
    assert events == ["+a", "+b", "-a"]
    taps["a"].set(Ok("z"))
    steps.step()
    assert calls == ["a", "b"]
    which.set(Active(Activity.READY))
    assert steps.step() == Active(Activity.READY)
    assert events == ["+a", "+b", "-a", "-b"]
    steps.stop()


def test_what_was_undone_is_not_called_with_the_values_of_the_step() -> None:
    """Where the input and something inside change together, only the new inside is called."""
    var = Var("v", 1)
    source = var.get()
    calls = Calls()

    def inside(outer: int) -> Current[int]:
        return source.map(calls.of(lambda inner: (outer, inner)[0]))

    steps = Steps(source.bind(inside))
    var.set(2)
    steps.step()
    assert calls == [1, 2]
    steps.stop()


def test_what_two_insides_share_is_kept() -> None:
    """A source that the next decision needs too is not let go and taken up again."""
    tap: Tap[int] = Tap("tap", Ok(1))
    shared = tap.current()
    var = Var("v", 1)
    steps = Steps(var.get().bind(lambda x: shared.map(lambda y: x + y)))
    var.set(2)
    assert steps.step() == Ok(3)
    assert tap.events == ["+tap"]
    steps.stop()
    assert tap.events == ["+tap", "-tap"]


def test_an_equal_input_keeps_the_decision() -> None:
    """The function is called once for each value that differs."""
    calls = Calls()
    var = Var("v", 1)
    steps = Steps(var.get().map(lambda x: x % 2).bind(calls.of(constant)))
    var.set(3)
    steps.step()
    var.set(4)
    steps.step()
    assert calls == [1, 0]
    steps.stop()


def test_an_equal_outcome_stops_there() -> None:
    """A new inside with the value of the old one is no change."""
    var = Var("v", 1)
    calls = Calls()
    steps = Steps(var.get().bind(lambda x: constant([x % 2])).map(calls.of(str)))
    var.set(3)
    steps.step()
    assert calls == [[1]]
    steps.stop()


def test_a_decision_that_raises_is_a_failure() -> None:
    """And ends with the next value for which it does not."""

    def decide(x: int) -> Current[int]:
        if x < 0:
            raise Failure(f"{x} is negative")
        return constant(x)

    var = Var("v", -1)
    steps = Steps(var.get().bind(decide))
    assert steps.output == Failed("-1 is negative")
    var.set(1)
    assert steps.step() == Ok(1)
    var.set(-2)
    assert steps.step() == Failed("-2 is negative")
    steps.stop()


def test_a_decision_that_is_no_current_is_a_failure() -> None:
    """It names the function and what it returned."""

    def decide(x: int) -> Any:
        return x

    output = evaluate(constant(1).bind(decide))
    place = f"test_bind.py:{decide.__code__.co_firstlineno}"
    assert output == Failed(f"decide ({place}) must return a current, not int: see constant()")


def test_binds_nest() -> None:
    """What an outer one undoes goes with all that is inside it, once."""
    events: list[str] = []
    taps = {name: Tap(name, Ok(name), events) for name in "abcd"}
    outer, inner = Var("outer", 0), Var("inner", 0)

    def choose(half: int) -> Current[str]:
        return inner.get().bind(lambda place: taps["abcd"[2 * half + place]].current())

    steps = Steps(outer.get().bind(choose))
    inner.set(1)
    assert steps.step() == Ok("b")
    outer.set(1)
    inner.set(0)
    assert steps.step() == Ok("c")
    steps.stop()
    assert events == ["+a", "+b", "-a", "+c", "-b", "-c"]


def test_a_term_of_the_surroundings_may_be_the_decision() -> None:
    """It lives on, where others need it, when the bind decides otherwise."""
    tap: Tap[int] = Tap("tap", Ok(1))
    current = tap.current()
    var = Var("v", True)
    steps = Steps(pair(var.get().bind(lambda yes: current if yes else constant(0)), current))
    var.set(False)
    assert steps.step() == Ok((0, 1))
    tap.set(Ok(2))
    assert steps.step() == Ok((0, 2))
    assert tap.events == ["+tap"]
    steps.stop()


NEEDS_ITSELF = Failed("this part of the pipeline needs its own outcome")


def test_a_bind_that_is_its_own_decision_fails() -> None:
    """It says so instead of waiting forever, and can recover."""
    var = Var("v", True)
    term: Current[int] = var.get().bind(lambda yes: term if yes else constant(1))
    steps = Steps(term)
    assert steps.output == NEEDS_ITSELF
    var.set(False)
    assert steps.step() == Ok(1)
    var.set(True)
    assert steps.step() == NEEDS_ITSELF
    steps.stop()


def test_a_bind_that_leads_to_itself_fails() -> None:
    """Other users of it see the failure, and no functions see a mixture of steps."""
    var = Var("v", 1)
    source = var.get()
    term: Current[int] = source.bind(
        lambda x: constant(x) if x % 2 else term.map(lambda y: y).map(lambda y: y)
    )
    calls = Calls()
    steps = Steps(map(calls.of(lambda *values: values), source, term, term.map(abs)).state())
    var.set(2)
    assert steps.step() == Ok(NEEDS_ITSELF)
    var.set(3)
    steps.step()
    assert calls == [(1, 1, 1), (3, 3, 3)]
    steps.stop()


def test_two_binds_that_lead_to_each_other_fail() -> None:
    """The circle is found where it closes."""
    one: Current[int] = constant(1).bind(lambda _: two)
    two: Current[int] = constant(2).bind(lambda _: one)
    steps = Steps(pair(one, two))
    assert steps.output == NEEDS_ITSELF
    steps.stop()


@pytest.mark.parametrize("name", [None, "decide"])
def test_a_named_bind_is_a_stage(name: str | None) -> None:
    """It is ok once it has decided, whatever came of it; without a name it is not counted."""
    var: Var[int] = Var("v", Active(Activity.READY))

    def decide(x: int) -> Current[int]:
        if x < 0:
            raise Failure("negative")
        return component("inside", lambda: Primitive[int].constant(x).map_output(lambda _: failed))

    failed = Failed("inside")
    steps = Steps(var.get().bind(decide, name=name))
    counted = int(name is not None)
    assert steps.stats == Stats(ready=1, blocked=counted)
    var.set(1)
    assert steps.step() == failed
    assert steps.stats == Stats(ok=1 + counted, failed=1)
    var.set(-1)
    steps.step()
    assert steps.stats == Stats(ok=1, failed=counted)
    steps.stop()
