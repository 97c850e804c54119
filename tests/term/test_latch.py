"""latch: what was known last is held while something new is made, or can't be had just now."""

from __future__ import annotations

from typing import Any

import pytest

from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    FailureKind,
    Metadata,
    Ok,
    Output,
    State,
    Var,
    active,
    all,
    component,
    constant,
    evaluate,
    metadata,
    pair,
)
from pycurrent.term.diagram import graph_of

from .steps import Calls, Steps, Tap

READY, RUNNING = Active(Activity.READY), Active(Activity.RUNNING)
DOWN = Failed("502", kind=FailureKind.INFRA)
BAD = Failed("bad")


def shown(outputs: list[Output[int]], *, infra: bool = False) -> list[Output[int]]:
    """What is shown after each output of the source."""
    source: Var[int] = Var("source", outputs[0])
    steps = Steps(source.get().latch(infra=infra))
    seen = [steps.output]
    for output in outputs[1:]:
        source.set(output)
        seen.append(steps.step())
    steps.stop()
    return seen


def test_the_last_known_output_is_held_while_a_new_one_is_made() -> None:
    """A value and a failure; before the first there is nothing to hold."""
    outputs: list[Output[int]] = [READY, RUNNING, Ok(1), READY, RUNNING, BAD, RUNNING, Ok(2)]
    assert shown(outputs) == [READY, RUNNING, Ok(1), Ok(1), Ok(1), BAD, BAD, Ok(2)]


def test_with_infra_the_last_value_is_held_while_it_cant_be_had() -> None:
    """Until there is a new one, or a failure of another kind, for which there is no excuse."""
    outputs: list[Output[int]] = [DOWN, Ok(1), DOWN, RUNNING, DOWN, Ok(2), DOWN, BAD, RUNNING]
    assert shown(outputs, infra=True) == [
        *(DOWN, Ok(1), Ok(1), Ok(1), Ok(1), Ok(2), Ok(2), BAD, BAD),
    ]
    assert shown([Ok(1), BAD, DOWN, RUNNING], infra=True) == [Ok(1), BAD, DOWN, DOWN]
    assert shown([Ok(1), BAD, RUNNING, DOWN, Ok(1)], infra=True) == [Ok(1), BAD, BAD, DOWN, Ok(1)]


@pytest.mark.parametrize("kind", [k for k in FailureKind if k is not FailureKind.INFRA])
def test_no_other_failure_is_held_back(kind: FailureKind) -> None:
    """Nor is any without `infra`."""
    failed = Failed("no", kind=kind)
    assert shown([Ok(1), failed], infra=True) == [Ok(1), failed]
    assert shown([Ok(1), DOWN]) == [Ok(1), DOWN]


def test_what_follows_stays_as_it_is() -> None:
    """Items keep their sub-pipelines, and no function is called in vain."""
    source: Var[list[int]] = Var("source", [1, 2])
    built, called = Calls(), Calls()

    def each(item: Current[int]) -> Current[int]:
        built.append("built")
        return item.map(called.of(lambda value: -value))

    steps = Steps(source.get().latch(infra=True).list_map(each))
    built.take()
    called.take()
    for output in (RUNNING, DOWN, Ok([1, 2]), RUNNING, Ok([1, 2, 3])):
        source.set(output)
        steps.step()
    assert (len(built), called) == (1, [3])
    assert steps.value == [-1, -2, -3]


def test_a_failure_of_several_is_held_back_if_it_is_all_infrastructure() -> None:
    """One that is wrong is told."""
    one: Var[int] = Var("one", 1)
    other: Var[int] = Var("other", 2)
    both = all({"one": one.get(), "other": other.get()})
    steps = Steps(both.latch(infra=True))
    one.set(DOWN)
    other.set(DOWN)
    assert steps.step() == Ok(None)
    other.set(BAD)
    assert steps.step() == Failed("one, other failed")


def test_without_an_engine_it_is_what_its_source_is() -> None:
    """There is nothing earlier."""
    assert evaluate(active(Activity.RUNNING).latch()) == RUNNING
    assert evaluate(constant(1).latch(infra=True)) == Ok(1)


def test_the_metadata_says_that_an_earlier_result_is_shown() -> None:
    """And what is done about it."""
    source: Var[int] = Var("source", 1)
    latched = source.get().latch(infra=True)
    steps: Steps[Any] = Steps(pair(latched, metadata(latched)))
    assert steps.value == (1, None)
    source.set(RUNNING)
    assert steps.step() == Ok((1, Metadata(None, Activity.RUNNING, "an earlier result")))
    source.set(DOWN)
    note = "an earlier result, as now it is: 502"
    assert steps.step() == Ok((1, Metadata(None, None, note)))
    source.set(2)
    assert steps.step() == Ok((2, None))


def test_the_diagram_shows_it_while_it_holds_something() -> None:
    """As a box between what is made anew and what uses the earlier result."""
    source: Var[int] = Var("source", 1)

    def tap(value: int) -> Tap[int]:
        return Tap("source", Ok(value), [])

    term = component("use", tap, component("list", tap, source.get()).latch(infra=True))
    steps = Steps(term)

    def boxes() -> list[tuple[str, State | None, Activity | None]]:
        return [(node.label, node.state, node.update) for node in graph_of(term, steps.live).nodes]

    ok = [(name, State.OK, None) for name in ("source", "list", "use")]
    assert boxes() == ok
    source.set(RUNNING)
    steps.step()
    assert boxes()[1:] == [
        ("list", State.BLOCKED, None),
        ("(earlier result)", State.OK, Activity.RUNNING),
        ("use", State.OK, None),
    ]
    source.set(DOWN)
    steps.step()
    assert boxes()[2] == ("(earlier result)", State.OK, None)
    source.set(2)
    steps.step()
    assert boxes() == ok
