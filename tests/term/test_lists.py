"""list_map, list_iter, option_map, option_iter: a sub-pipeline for each item."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from operator import neg
from typing import Any

import pytest

from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Failure,
    Fixed,
    Ok,
    Output,
    Primitive,
    Var,
    active,
    component,
    constant,
    evaluate,
    fail,
    pair,
    seq,
)

from .steps import Calls, Steps, Tap


@dataclass(frozen=True)
class Branch:
    name: str
    commit: str


class Builds:
    """A pipeline for each item of a list, its calls and sources recorded."""

    def __init__(self) -> None:
        self.built = Calls()
        self.computed = Calls()
        self.events: list[str] = []

    def each(self, item: Current[Any]) -> Current[Any]:
        self.built.append("built")
        tapped = component("tap", self._tap, item)
        return tapped.map(self.computed.of(lambda value: value))

    def _tap(self, value: Any) -> Tap[Any]:
        return Tap(str(value), Ok(value), self.events)


def test_a_list_has_the_results_in_its_order() -> None:
    """Also where it is empty, and of any iterable."""
    lists: list[Iterable[int]] = [[3, 1, 2], (1,), [], {5: "five"}.keys(), range(100)]
    for items in lists:
        negated = constant(items).list_map(lambda item: item.map(neg))
        assert evaluate(negated) == Ok([-x for x in items])
        assert evaluate(constant(items).list_iter(lambda item: item)) == Ok(None)


def test_an_item_that_stays_keeps_its_pipeline() -> None:
    """The function is called for new items only, and sources of removed ones are let go."""
    var, builds = Var("list", [1, 2, 3]), Builds()
    steps = Steps(var.get().list_map(builds.each))
    assert (len(builds.built.take()), sorted(builds.computed.take())) == (3, [1, 2, 3])
    builds.events.clear()
    var.set([1, 4, 3])
    assert steps.step() == Ok([1, 4, 3])
    assert (len(builds.built.take()), builds.computed.take()) == (1, [4])
    assert sorted(builds.events) == ["+4", "-2"]
    steps.stop()
    assert sorted(builds.events) == ["+4", "-1", "-2", "-3", "-4"]


@pytest.mark.parametrize("size", [4, 500])
def test_items_that_move_keep_their_pipelines(size: int) -> None:
    """The order of the results follows; nothing is built, computed or let go."""
    items = list(range(size))
    var, builds = Var("list", items), Builds()
    steps = Steps(var.get().list_map(builds.each))
    builds.built.clear()
    builds.computed.clear()
    builds.events.clear()
    for moved in (
        [*items[1:], items[0]],
        items[::-1],
        [items[1], items[0], *items[2:]],
        [items[-1], *items[:-1]],
    ):
        var.set(moved)
        assert steps.step() == Ok(moved)
    assert (builds.built, builds.computed, builds.events) == ([], [], [])
    steps.stop()


def test_equal_items_share_a_pipeline() -> None:
    """It lives until the last of them is gone."""
    var, builds = Var("list", ["a", "b", "a"]), Builds()
    steps = Steps(var.get().list_map(builds.each))
    assert steps.output == Ok(["a", "b", "a"])
    var.set(["b", "a"])
    assert steps.step() == Ok(["b", "a"])
    var.set(["b", "b", "a", "a"])
    assert steps.step() == Ok(["b", "b", "a", "a"])
    assert (len(builds.built), sorted(builds.computed)) == (2, ["a", "b"])
    assert sorted(builds.events) == ["+a", "+b"]
    builds.events.clear()
    var.set(["b"])
    steps.step()
    assert builds.events == ["-a"]
    steps.stop()


def test_a_key_tells_items_apart() -> None:
    """An item with the key of an old one is that item, with another value."""
    var, builds = Var("branches", [Branch("main", "1"), Branch("dev", "2")]), Builds()
    commits = var.get().list_map(
        lambda branch: builds.each(branch.map(lambda b: b.commit)), key=lambda b: b.name
    )
    steps = Steps(commits)
    assert sorted(builds.computed.take()) == ["1", "2"]
    builds.events.clear()
    var.set([Branch("dev", "2"), Branch("main", "3")])
    assert steps.step() == Ok(["2", "3"])
    assert (len(builds.built), builds.computed.take()) == (2, ["3"])
    assert builds.events == ["+3", "-1"]
    steps.stop()


def test_items_with_a_key_need_not_be_hashable() -> None:
    """Only the key must be."""
    var = Var("list", [{"name": "a", "size": 1}])
    sizes = var.get().list_map(lambda item: item.map(lambda d: d["size"]), key=lambda d: d["name"])
    steps = Steps(sizes)
    var.set([{"name": "b", "size": 2}, {"name": "a", "size": 3}])
    assert steps.step() == Ok([2, 3])
    steps.stop()


@pytest.mark.parametrize("items", [[[1]], [[1], [2]], [{}], [1, [1]]])
def test_items_without_a_key_must_be_hashable(items: list[Any]) -> None:
    """The failure says what to do."""
    output = evaluate(constant(items).list_map(lambda item: item))
    assert isinstance(output, Failed)
    assert "hashable" in output.message
    assert "key=" in output.message


def test_two_different_items_with_one_key_are_a_failure() -> None:
    """It names the key and both items, and ends when the list is right again."""
    var = Var("branches", [Branch("main", "1"), Branch("main", "2")])
    steps = Steps(var.get().list_map(lambda b: b.map(lambda b: b.commit), key=lambda b: b.name))
    message = (
        "two different items have the key 'main': "
        "Branch(name='main', commit='1') and Branch(name='main', commit='2')"
    )
    assert steps.output == Failed(message)
    var.set([Branch("main", "2"), Branch("main", "2")])
    assert steps.step() == Ok(["2", "2"])
    var.set([Branch("main", "2"), Branch("main", "1")])
    assert isinstance(steps.step(), Failed)
    steps.stop()


def test_a_key_that_raises_is_a_failure() -> None:
    """As any function of the term."""
    output = evaluate(constant([0]).list_map(lambda item: item, key=lambda x: 1 // x))
    assert output == Failed("ZeroDivisionError: integer division or modulo by zero")


def test_what_is_no_list_is_a_failure() -> None:
    """It says what was there instead."""
    number: Current[Any] = constant(5)
    output = evaluate(number.list_map(lambda item: item))
    assert isinstance(output, Failed)
    assert re.fullmatch(r"list_map takes a list, not 5 \(test_lists.py:\d+\)", output.message)


def test_an_item_that_raises_while_it_is_built_fails_alone() -> None:
    """The pipelines of the others live, and so do those that were there."""
    builds = Builds()

    def each(item: Current[int]) -> Current[int]:
        if len(builds.built) == 1:
            builds.built.append("raises")
            raise Failure("second")
        return builds.each(item)

    var = Var("list", [1, 2, 3])
    steps = Steps(var.get().list_map(each))
    assert steps.output == Failed("2 failed: second")
    assert sorted(builds.events) == ["+1", "+3"]
    var.set([1, 3])
    assert steps.step() == Ok([1, 3])
    assert sorted(builds.events) == ["+1", "+3"]
    steps.stop()


def test_an_item_whose_function_returns_no_current_fails() -> None:
    """It names the function and what it returned."""

    def each(item: Current[int]) -> Any:
        return item.map

    output = evaluate(constant([1]).list_map(each))
    assert isinstance(output, Failed)
    place = f"test_lists.py:{each.__code__.co_firstlineno}"
    expected = f"1 failed: each ({place}) must return a current, not the function"
    assert output.message.startswith(expected)


def test_items_that_failed_are_named() -> None:
    """With the reason where all have the same; a list is ok only if all its items are."""
    output: dict[str, Current[Any]] = {
        "ok": constant(1),
        "ready": active(Activity.READY),
        "x": constant(1).map(lambda _: 1 // 0),
        "y": constant(1).bind(lambda _: fail_with("y")),
    }

    def fail_with(message: str) -> Current[Any]:
        raise Failure(message)

    var = Var("list", ["ok", "ready", "y", "x"])
    steps = Steps(var.get().list_iter(lambda item: item.bind(lambda name: output[name])))
    assert steps.output == Failed("y, x failed")
    var.set(["ok", "ready", "y"])
    assert steps.step() == Failed("y failed: y")
    var.set(["ready", "x", "ok", "x"])
    failed = steps.step()
    assert isinstance(failed, Failed)
    assert failed.message.startswith("x failed: ZeroDivisionError: ")
    assert "1 // 0" in (failed.traceback or "")
    var.set(["ready", "ok"])
    assert steps.step() == Active(Activity.READY)
    var.set(["ok"])
    assert steps.step() == Ok(None)
    steps.stop()


def test_an_item_is_named_by_its_key() -> None:
    """By the item where there is no key; of a long one that is no text, by how it begins."""

    def broken(item: Current[Any]) -> Current[Any]:
        return item.bind(lambda _: fail("why"))

    branches = constant([Branch("main", "c1"), Branch("dev", "c2")])
    named = branches.list_map(broken, key=lambda branch: branch.name)
    assert evaluate(named) == Failed("main, dev failed: why")
    first = branches.map(lambda found: found[:1])
    assert evaluate(first.list_iter(broken)) == Failed(
        "Branch(name='main', commit='c1') failed: why"
    )
    long = constant([Branch("x" * 500, "c1")]).list_iter(broken)
    assert evaluate(long) == Failed(f"Branch(name='{'x' * 106}… failed: why")
    nested = constant([[1, 2], [3]]).list_map(lambda row: row.list_map(broken), key=len)
    assert evaluate(nested) == Failed("2, 1 failed")


def test_an_item_that_only_another_one_blocks_is_not_named() -> None:
    """Each gate of a row waits for the one before it."""
    gates: list[Current[Any]] = [component("gate 0", lambda: Fixed(Failed("why")))]

    def each(item: Current[str]) -> Current[Any]:
        last = gates[-1]
        gates.append(component("gate", lambda _: Fixed(Ok(None)), last) if gates[1:] else last)
        return gates[-1]

    assert evaluate(constant(["a", "b", "c"]).list_map(each)) == Failed("a failed: why")


def test_the_option_that_failed_needs_no_name() -> None:
    """There is only one."""
    assert evaluate(constant(1).option_map(lambda _: fail("why"))) == Failed("why")


def test_the_names_follow_the_items_as_they_move() -> None:
    """Of very many, through changes of the list and of what failed."""
    items = list(range(3_000))
    failing = {name: Var[int](str(name), name) for name in (5, 1_500, 2_999)}
    var = Var("list", items)
    steps = Steps(
        var.get().list_map(
            lambda item: item.bind(
                lambda name: failing[name].get() if name in failing else constant(name)
            )
        )
    )
    failing[1_500].set(Failed("why"))
    assert steps.step() == Failed("1500 failed: why")
    failing[5].set(Failed("why"))
    assert steps.step() == Failed("5, 1500 failed: why")
    var.set([-1, *items[100:], 5])
    assert steps.step() == Failed("1500, 5 failed: why")
    failing[1_500].set(0)
    var.set([*items[2_000:], 5])
    failing[2_999].set(Failed("else"))
    assert steps.step() == Failed("2999, 5 failed")
    var.set(items[2_000:])
    assert steps.step() == Failed("2999 failed: else")
    steps.stop()


def test_a_list_that_is_not_known_has_no_items() -> None:
    """What failed or is not known yet passes through; the items are let go."""
    var: Var[list[int]] = Var("list", [1])
    builds = Builds()
    steps = Steps(var.get().list_map(builds.each))
    outputs: list[Output[list[int]]] = [Failed("why"), Active(Activity.READY), Ok([2])]
    for output in outputs:
        var.set(output)
        assert steps.step() == output
    assert builds.events == ["+1", "-1", "+2"]
    steps.stop()


def test_an_item_may_go_unused_or_be_the_result() -> None:
    """The function may do without the item, or return it as it is."""
    var = Var("list", [1, 2])
    same = var.get().list_map(lambda item: item)
    other = var.get().list_map(lambda _: constant("x"))
    steps = Steps(pair(same, other))
    assert steps.output == Ok(([1, 2], ["x", "x"]))
    var.set([2])
    assert steps.step() == Ok(([2], ["x"]))
    steps.stop()


def test_an_item_may_be_used_later_by_a_bind_only() -> None:
    """It has its value of the time, though nothing used it before."""
    var = Var("list", [("a", 1)])
    wanted = Var("wanted", False)
    results = var.get().list_map(
        lambda item: wanted.get().bind(lambda yes: item if yes else constant(("", 0))),
        key=lambda entry: entry[0],
    )
    steps = Steps(results)
    assert steps.output == Ok([("", 0)])
    var.set([("a", 2)])
    steps.step()
    wanted.set(True)
    assert steps.step() == Ok([("a", 2)])
    wanted.set(False)
    steps.step()
    var.set([("a", 3)])
    wanted.set(True)
    assert steps.step() == Ok([("a", 3)])
    steps.stop()


def test_lists_nest() -> None:
    """A change deep inside touches only its own item."""
    matrix = Var("matrix", [(1, 2), (3,)])
    computed = Calls()
    steps = Steps(
        matrix.get().list_map(lambda row: row.list_map(lambda x: x.map(computed.of(neg))))
    )
    assert steps.output == Ok([[-1, -2], [-3]])
    computed.take()
    matrix.set([(1, 2), (3, 4), ()])
    assert steps.step() == Ok([[-1, -2], [-3, -4], []])
    assert sorted(computed) == [3, 4]
    steps.stop()


def test_a_function_may_apply_itself() -> None:
    """A tree is walked by a function that maps itself over the children."""
    tree = {"/": ("a", "b"), "a": ("c",), "b": (), "c": ()}
    seen = Calls()

    def walk(name: Current[str]) -> Current[Any]:
        return pair(name.map(seen.of(str)), name.map(lambda n: tree[n]).list_map(walk))

    steps = Steps(walk(constant("/")))
    assert steps.output == Ok(("/", [("a", [("c", [])]), ("b", [])]))
    assert sorted(seen) == ["/", "a", "b", "c"]
    steps.stop()


NEEDS_ITSELF = "this part of the pipeline needs its own outcome"


@pytest.mark.parametrize("size", [1, 300])
def test_an_item_that_needs_the_whole_list_is_a_failure(size: int) -> None:
    """It says so, whether found at once or in a step, and the list can recover."""
    items = list(range(size))
    var = Var("list", [*items, -1])
    whole: Current[list[int]] = var.get().list_map(
        lambda item: item.bind(lambda x: constant(x) if x >= 0 else whole.map(len))
    )
    steps = Steps(whole)
    assert steps.output == Failed(f"-1 failed: {NEEDS_ITSELF}")
    var.set(items)
    assert steps.step() == Ok(items)
    var.set([*items, -1])
    assert steps.step() == Failed(f"-1 failed: {NEEDS_ITSELF}")
    steps.stop()


@pytest.mark.parametrize("size", [1, 300])
def test_a_list_function_that_uses_the_list_itself_is_a_failure(size: int) -> None:
    """Without any bind, too; an empty list has no such item."""
    var: Var[list[int]] = Var("list", [])
    whole: Current[list[int]] = var.get().list_map(lambda item: whole.map(len))
    steps = Steps(whole)
    assert steps.output == Ok([])
    var.set(list(range(size)))
    assert steps.step() == Failed(NEEDS_ITSELF)
    var.set([])
    assert steps.step() == Ok([])
    steps.stop()


def test_equal_results_stop_there() -> None:
    """Where the result of each item is what it was, nobody is told."""
    var = Var("list", [("a", 1), ("b", 2)])
    calls = Calls()
    parities = var.get().list_map(
        lambda item: item.map(lambda entry: entry[1] % 2), key=lambda entry: entry[0]
    )
    steps = Steps(parities.map(calls.of(sum)))
    var.set([("a", 3), ("b", 4)])
    assert steps.step() == Ok(1)
    assert calls == [[1, 0]]
    steps.stop()


def test_an_option_that_changes_its_value_keeps_its_pipeline() -> None:
    """The function is called once for as long as there is a value."""
    var: Var[int | None] = Var("option", 1)
    builds = Builds()
    steps = Steps(var.get().option_map(builds.each))
    var.set(2)
    assert steps.step() == Ok(2)
    assert (len(builds.built), builds.computed) == (1, [1, 2])
    var.set(None)
    assert steps.step() == Ok(None)
    assert builds.events == ["+1", "+2", "-1", "-2"]
    var.set(3)
    assert steps.step() == Ok(3)
    assert len(builds.built.take()) == 2 + 1  # once more, for the example that is shown at None
    steps.stop()


def test_an_option_iter_has_no_value() -> None:
    """None once what it does for the value has succeeded, or if there is none."""
    var: Var[int | None] = Var("option", 0)
    steps = Steps(var.get().option_iter(lambda x: x.map(lambda v: 1 // v)))
    assert isinstance(steps.output, Failed)
    var.set(1)
    assert steps.step() == Ok(None)
    var.set(None)
    assert steps.step() == Ok(None)
    var.set(Active(Activity.READY))
    assert steps.step() == Active(Activity.READY)
    steps.stop()


def test_an_option_may_hold_what_is_not_hashable() -> None:
    """And any value that is not None, false ones included."""
    values: list[Any] = [[], {}, 0, "", False]
    for value in values:
        assert evaluate(constant(value).option_map(lambda x: x.map(str))) == Ok(str(value))


def test_an_item_cannot_be_used_outside_of_its_list() -> None:
    """What a function let out works as long as the item is there, with its value."""
    var = Var("list", [1])
    leaked: list[Current[int]] = []

    def each(item: Current[int]) -> Current[int]:
        leaked.append(item)
        return item

    toggle = Var("toggle", False)
    outside = toggle.get().bind(lambda on: leaked[0] if on else constant(0))
    steps = Steps(seq([outside, var.get().list_map(each).map(sum)]))
    toggle.set(True)
    assert steps.step() == Ok([1, 1])
    steps.stop()


def test_a_component_of_an_item_is_subscribed_to_once_per_value() -> None:
    """Its function is called for the value of each new item, and for no other."""
    var = Var("list", ["a", "b"])
    calls = Calls()
    frob = component("frob {key}")(calls.of(Primitive[str].constant))
    steps = Steps(var.get().list_map(frob))
    var.set(["c", "a", "b"])
    steps.step()
    assert sorted(calls) == ["a", "b", "c"]
    steps.stop()
