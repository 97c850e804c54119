"""Stats: how many stages of a pipeline are in which state."""

import gc
import weakref
from typing import Any

import pytest

from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Fixed,
    Ok,
    Output,
    Primitive,
    Stats,
    Var,
    component,
    constant,
    evaluate,
    map,
    pair,
)
from pycurrent.term.diagram import graph_of

from .steps import Calls, Steps, Tap


@component("stage")
def stage(*inputs: Any) -> Primitive[str]:
    return Primitive.constant("done")


def of(output: Output[int]) -> Current[int]:
    return component("stage", lambda: Fixed(output))


@pytest.mark.parametrize(
    ("output", "stats"),
    [
        (Ok(1), Stats(ok=1)),
        (Failed("why"), Stats(failed=1)),
        (Active(Activity.READY), Stats(ready=1)),
        (Active(Activity.RUNNING), Stats(running=1)),
        (Active(Activity.WAITING_FOR_CONFIRMATION), Stats(waiting_for_confirmation=1)),
    ],
)
def test_a_component_is_counted_by_its_state(output: Output[int], stats: Stats) -> None:
    """What comes after it is blocked, unless it is ok."""
    steps = Steps(of(output))
    assert steps.stats == stats
    after = Steps(stage(of(output)))
    assert after.stats.total == 2
    assert after.stats.blocked == int(output != Ok(1))


def test_only_components_and_named_binds_are_counted() -> None:
    """Other terms have no state of their own."""
    one = constant(1, label="one")
    steps = Steps(map(lambda *_: None, one, one.map(abs), one.bind(constant), one.gate(on=one)))
    assert steps.stats == Stats()
    named = Steps(one.bind(constant, name="decide"))
    assert named.stats == Stats(ok=1)


def test_the_counts_follow_the_changes() -> None:
    """Each stage is in one state at a time, whatever happens in which order."""
    tap: Tap[int] = Tap("tap", Active(Activity.READY))
    first = tap.current()
    steps = Steps(pair(stage(first), stage(stage(first))))
    assert steps.stats == Stats(ready=1, blocked=3)
    expected: list[tuple[Output[int], Stats]] = [
        (Active(Activity.RUNNING), Stats(running=1, blocked=3)),
        (Ok(1), Stats(ok=4)),
        (Failed("why"), Stats(failed=1, blocked=3)),
        (Ok(2), Stats(ok=4)),
    ]
    for output, stats in expected:
        tap.set(output)
        steps.step()
        assert steps.stats == stats
    steps.stop()


def test_a_stage_that_is_no_longer_needed_is_not_counted() -> None:
    """And is again, blocked or not, when it is."""
    var = Var("v", True)
    steps = Steps(var.get().bind(lambda yes: stage(stage()) if yes else constant("")))
    assert steps.stats == Stats(ok=3)
    var.set(False)
    steps.step()
    assert steps.stats == Stats(ok=1)
    var.set(True)
    steps.step()
    assert steps.stats == Stats(ok=3)
    steps.stop()


@pytest.mark.parametrize("absent", [Active(Activity.RUNNING), Failed("why"), Ok([])])
def test_what_an_example_shows_counts_as_blocked(absent: Output[list[int]]) -> None:
    """For as long as the list is not known or empty, what would be done for each item."""
    var: Var[list[int]] = Var("list", absent)
    steps = Steps(var.get().list_map(lambda item: stage(stage(item))))
    assert steps.stats.blocked == 2
    var.set([1, 2, 3])
    steps.step()
    assert steps.stats == Stats(ok=1 + 6)
    var.set(absent)
    steps.step()
    assert steps.stats.blocked == 2
    steps.stop()


@pytest.mark.parametrize("absent", [Active(Activity.RUNNING), Failed("why"), Ok(None)])
def test_what_an_option_would_do_counts_as_blocked(absent: Output[int | None]) -> None:
    """As long as it is not known or None."""
    var: Var[int | None] = Var("option", absent)
    steps = Steps(var.get().option_map(stage))
    assert steps.stats.blocked == 1
    var.set(1)
    steps.step()
    assert steps.stats == Stats(ok=2)
    var.set(absent)
    steps.step()
    assert steps.stats.blocked == 1
    steps.stop()


def test_named_binds_of_an_example_count_too() -> None:
    """They are stages; unnamed ones are not, and what they would make is not known."""

    def each(item: Current[int]) -> Current[Any]:
        return item.bind(stage, name="decide").bind(lambda _: stage())

    empty: Current[list[int]] = constant([])
    assert Steps(empty.list_map(each)).stats == Stats(blocked=1)


def test_a_living_stage_in_an_example_is_not_counted_twice() -> None:
    """It is counted where it lives."""
    shared = stage()
    empty: Current[list[int]] = constant([])
    listed = empty.list_map(lambda item: stage(item, shared))
    steps = Steps(pair(listed, shared))
    assert steps.stats == Stats(ok=1, blocked=1)
    steps.stop()


def test_two_examples_that_share_a_stage_count_it_once() -> None:
    """As long as one of them is shown."""
    shared = stage()
    lists: list[Var[list[int]]] = [Var("one", []), Var("two", [])]
    terms = [var.get().list_map(lambda item: pair(item, shared)) for var in lists]
    steps = Steps(pair(*terms))
    assert steps.stats == Stats(ok=2, blocked=1)
    lists[0].set([1])
    steps.step()
    assert steps.stats == Stats(ok=3)
    lists[0].set([])
    steps.step()
    assert steps.stats == Stats(ok=2, blocked=1)
    steps.stop()


@pytest.mark.parametrize("first", ["empty", "unneeded"])
def test_a_living_stage_that_dies_is_blocked_where_an_example_shows_it(first: str) -> None:
    """In whatever order the list became empty and the stage was needed no longer."""
    items, needed = Var("list", [1]), Var("needed", True)
    deep = stage()
    shared = stage(deep)
    listed = items.get().list_map(lambda item: pair(item, shared))
    other = needed.get().bind(lambda yes: shared if yes else constant(""))
    steps = Steps(pair(listed, other))
    if first == "empty":
        items.set([])
        steps.step()
        needed.set(False)
    else:
        needed.set(False)
        steps.step()
        items.set([])
    steps.step()
    assert steps.stats == Stats(ok=2, blocked=2)
    needed.set(True)
    steps.step()
    assert steps.stats == Stats(ok=4)
    needed.set(False)
    items.set([1])
    steps.step()
    assert steps.stats == Stats(ok=4)
    steps.stop()


def test_lists_within_an_example_show_theirs() -> None:
    """What would be done for each item of each item."""
    var: Var[list[tuple[int, ...]]] = Var("lists", [])
    steps = Steps(var.get().list_map(lambda row: stage(row.list_map(stage))))
    assert steps.stats == Stats(ok=1, blocked=2)
    var.set([()])
    steps.step()
    assert steps.stats == Stats(ok=2, blocked=1)
    var.set([(1,)])
    steps.step()
    assert steps.stats == Stats(ok=3)
    steps.stop()


def test_a_function_that_applies_itself_shows_a_finite_example() -> None:
    """One level of what builds itself again."""
    tree = {"/": ("a",), "a": ()}
    built = []

    def walk(name: Current[str]) -> Current[Any]:
        built.append(name)
        return pair(stage(name), name.map(lambda n: tree[n]).list_map(walk))

    var: Var[str] = Var("root", Active(Activity.READY))
    steps = Steps(walk(var.get()))
    assert steps.stats.ready == 1
    assert 1 <= steps.stats.blocked <= 3
    assert len(built) < 10
    var.set("/")
    steps.step()
    assert steps.stats.ok == 3
    steps.stop()


def test_an_example_that_raises_shows_nothing() -> None:
    """The failure is seen when there is an item."""

    def each(item: Current[int]) -> Current[int]:
        raise ValueError("broken")

    var: Var[list[int]] = Var("list", [])
    steps = Steps(var.get().list_map(each))
    assert (steps.output, steps.stats) == (Ok([]), Stats(ok=1))
    var.set([1])
    assert steps.step() == Failed("1 failed: ValueError: broken")
    steps.stop()


def test_the_function_is_called_once_for_all_examples() -> None:
    """However often the list becomes empty."""
    items: list[Current[int]] = []

    def each(item: Current[int]) -> Current[int]:
        items.append(item)
        return item

    var: Var[list[int]] = Var("list", [])
    term = var.get().list_map(each)
    steps = Steps(term)
    for value in ([1], [], [2], []):
        var.set(value)
        steps.step()
    assert len(items) == 3
    assert evaluate(items[0]) == Active(Activity.READY)
    steps.stop()


def test_the_stages_that_changed_are_told_once() -> None:
    """Those whose state or metadata did, and are still there."""
    tap, other = Tap("tap", Ok(1)), Tap("other", Ok(1))
    var = Var("v", True)
    current = other.current()
    steps = Steps(pair(tap.current(), var.get().bind(lambda yes: current if yes else constant(0))))
    assert len(steps.live.take_changed()) == 3
    assert steps.live.take_changed() == []
    tap.set(Ok(2))
    steps.step()
    assert steps.live.take_changed() == []
    tap.set(Failed("why"))
    other.set(Failed("why"))
    var.set(False)
    steps.step()
    changed = steps.live.take_changed()
    assert [steps.live.output(stage) for stage in changed] == [Failed("why")]
    steps.stop()


def test_each_engine_builds_its_own_example_once() -> None:
    """Terms are shared by engines, and nothing is written to them."""
    built = Calls()

    def each(item: Current[int]) -> Current[int]:
        built.append("built")
        return component("each", lambda n: Fixed(Ok(n)), item)

    items: Var[list[int]] = Var("list", [])
    term = items.get().list_map(each)
    one, other = Steps(term), Steps(term)
    assert built.take() == ["built", "built"]
    for steps in (one, other):
        assert [node.label for node in graph_of(term, steps.live).nodes][-1] == "each"
        assert steps.stats == Stats(ok=1, blocked=1)
        items.set([1])
        steps.step()
        items.set([])
        steps.step()
    assert built == ["built"] * 2
    one.stop()
    other.stop()


def test_an_example_goes_with_its_list() -> None:
    """An engine whose binds make lists again and again keeps no example of an old one."""
    number = Var("number", 0)
    made: list[weakref.ref[Current[Any]]] = []

    def choose(_: int) -> Current[Any]:
        empty: list[int] = []
        inside = constant(empty).list_map(lambda item: item.map(abs))
        made.append(weakref.ref(inside))
        return inside

    steps = Steps(number.get().bind(choose))
    for value in range(1, 5):
        number.set(value)
        steps.step()
    gc.collect()
    assert [term() is None for term in made] == [True, True, True, True, False]
    steps.stop()
