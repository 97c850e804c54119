"""The failed stages because of which a current has failed."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    FailedStages,
    FailureKind,
    Ok,
    Output,
    Var,
    all,
    constant,
    failed_stages,
)

from ..effort import examples
from .steps import Steps

BAD, WORSE, DOWN = Failed("bad"), Failed("worse"), Failed("502", kind=FailureKind.INFRA)
RUNNING = Active(Activity.RUNNING)


def paths(output: Output[FailedStages]) -> list[str]:
    """The paths of those that are told."""
    assert isinstance(output, Ok)
    return [one.path for one in output.value.first]


def test_a_second_failure_is_told_although_the_first_hides_it() -> None:
    """From left to right, until all is well again."""
    left, right = Var("left", 1), Var("right", 2)
    steps = Steps(failed_stages(all([left.get(), right.get()]), 10))
    assert paths(steps.output) == []
    left.set(BAD)
    assert paths(steps.step()) == ["left"]
    right.set(DOWN)
    steps.step()
    output = steps.step()
    assert paths(output) == ["left", "right"]
    assert isinstance(output, Ok)
    assert [one.kind for one in output.value.first] == [FailureKind.REAL, FailureKind.INFRA]
    left.set(RUNNING)
    steps.step()
    assert paths(steps.step()) == ["right"]
    right.set(2)
    assert paths(steps.step()) == []
    steps.stop()


def test_a_failure_within_a_decision_is_told() -> None:
    """And so is that of the decision itself, and what blocks it."""
    which, inner = Var("which", "inner"), Var[int]("inner", BAD)

    def decide(name: str) -> Current[Any]:
        if name == "none":
            raise ValueError("there is none")
        return all([inner.get(), constant(1)])

    decided = which.get().bind(decide, name="decide")
    steps = Steps(failed_stages(decided, 10))
    assert paths(steps.output) == ["decide/inner"] or paths(steps.output) == ["inner"]
    which.set("none")
    assert paths(steps.step()) == ["decide"]
    which.set(WORSE)
    assert paths(steps.step()) == ["which"]
    steps.stop()


def test_a_dropped_item_is_told_no_longer() -> None:
    """Though the failure of the list is the same, nothing keeps its stages."""
    items = Var("items", [1, 2, 3])
    shared: dict[int, Var[int]] = {
        number: Var(f"item {number}", Failed("bad")) for number in (1, 2, 3)
    }
    listed = items.get().list_map(lambda item: item.bind(lambda number: shared[number].get()))
    steps = Steps(failed_stages(listed.ignore().map_error(lambda _: "bad"), 2))
    assert isinstance(steps.output, Ok)
    assert (len(paths(steps.output)), steps.output.value.more) == (2, 1)
    items.set([2])
    steps.step()
    assert [path.rpartition("/")[2] for path in paths(steps.step())] == ["item 2"]
    assert steps.stats.total == 2
    steps.stop()


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([Ok(1), BAD, WORSE, RUNNING]))))
def test_it_follows_whatever_fails(changes: list[tuple[int, Output[int]]]) -> None:
    """After each change, two steps later at most, in a pipeline of stages and decisions."""
    stages = [Var(f"s{number}", 1) for number in range(6)]
    a, b, c, d, e, f = (one.get() for one in stages)
    decided = c.bind(lambda _: all([d, e]))
    steps = Steps(failed_stages(all([all([a, b]), decided, f.gate(on=a)]), 10))
    outputs: list[Output[int]] = [Ok(1)] * 6
    for place, output in changes:
        stages[place].set(output)
        outputs[place] = output
        steps.step()
        steps.step()
        failed = {place for place in range(6) if isinstance(outputs[place], Failed)}
        if isinstance(outputs[2], Failed | Active):
            failed -= {3, 4}
        assert {path.rpartition("/")[2] for path in paths(steps.output)} == {
            f"s{place}" for place in failed
        }
    steps.stop()
