"""The ids of boxes and groups: those of stages are their paths, and no other can be one."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.term import (
    Current,
    Failure,
    Fixed,
    Ok,
    Primitive,
    TermGraph,
    Var,
    all,
    component,
    constant,
    fail,
    pair,
)
from pycurrent.term.diagram import Closing, Graph, NodeKind, Unfold, graph_of

from ..effort import examples
from .drawn import check, is_of_no_stage
from .steps import Steps


def one(*_: object) -> Primitive[int]:
    return Fixed(Ok(1))


def stage(name: str, *inputs: Current[Any]) -> Current[int]:
    return component(name, one, *inputs)


def ids(graph: Graph) -> list[str]:
    """Of boxes and groups, without points, which are made of edges."""
    boxes = [node.id for node in graph.nodes if node.kind is not NodeKind.JUNCTION]
    return [*boxes, *(group.id for group in graph.groups)]


def drawn(root: Current[Any], unfold: Unfold = "all", depth: int | None = None) -> list[str]:
    """The ids that a new engine gives."""
    steps: Steps[Any] = Steps(root)
    graph = graph_of(root, steps.live, unfold=unfold, closing=Closing(depth, size=2))
    check(graph)
    steps.stop()
    return ids(graph)


def test_the_id_of_a_stage_is_its_path_and_others_say_what_they_are() -> None:
    """And where: so that they can be read."""
    start = stage("fetch")

    def each(item: Current[str]) -> Current[Any]:
        built = stage("build", item)
        return stage("deploy", built.gate(on=stage("ap/prove", item)))

    terms = [
        start.map(lambda _: ["web", "50%"]).list_map(each, label="repos"),
        start.state(),
        start.map(lambda _: 1 / 0),
        fail("no"),
        stage("slow").collapse(key="k", value="v/1", input=start),
    ]
    assert set(drawn(all(terms), unfold={})) == {
        "fetch",
        "%list:repos",
        "%list:repos/%item:web",
        "%list:repos/%item:50%25",
        *(f"{key}/{name}" for key in ("web", "50%25") for name in ("build", "deploy")),
        *(f"{key}/ap%2Fprove" for key in ("web", "50%25")),
        *(f"%list:repos/%item:{key}/%gate:build on ap%2Fprove" for key in ("web", "50%25")),
        "%state:fetch",
        "%function:fetch",
        "%constant:no",
        "%fold:k=v%2F1",
    }


def test_ids_have_a_bounded_length_but_those_of_stages() -> None:
    """As a list is opened by its id, in the address of a request."""
    long = "x/" * 100

    def lists(depth: int) -> Current[Any]:
        if not depth:
            return stage("end")
        return constant([long]).list_map(lambda _: lists(depth - 1), label=long)

    found = [id for id in drawn(lists(4)) if is_of_no_stage(id)]
    assert len(found) == 8
    assert max(map(len, found)) < 250


def test_a_list_has_one_id_closed_and_open_and_so_have_ranges() -> None:
    """What closed it is opened by it, also where the range begins with another item by then."""
    items = Var("items", ["a", "b", "c"])
    root = items.get().list_map(lambda item: stage("s", item), label="l")
    steps = Steps(root)

    def shown(*opened: str) -> list[str]:
        return ids(graph_of(root, steps.live, closing=Closing(0, opened, size=2)))

    assert shown() == ["items", "%list:l"]
    assert shown("%list:l") == ["items", "%list:l/%range:a", "%list:l/%range:c", "%list:l"]
    opened = shown("%list:l", "%list:l/%range:c")
    assert opened[1:4] == ["%list:l/%range:a", "%list:l/%item:c", "c/s"]
    items.set(["new", "a", "b", "c", "d"])
    steps.step()
    moved = shown("%list:l", "%list:l/%range:c")
    assert moved[1:5] == ["%list:l/%range:new", "%list:l/%item:b", "b/s", "%list:l/%item:c"]
    assert moved[-2:] == ["%list:l", "%list:l/%range:c"]
    steps.stop()


def test_equal_boxes_are_numbered_and_keep_their_numbers() -> None:
    """While others come and go, in all drawings; a number that is free is given again."""
    which, start = Var("which", 0), stage("start")
    twins = [start.state() for _ in range(3)]
    chosen = [all(twins), all(twins[1:]), all(twins[2:])]
    root = which.get().bind(lambda n: chosen[n])
    steps = Steps(root)

    def states() -> list[str]:
        return [id for id in ids(graph_of(root, steps.live)) if "state" in id]

    for n, numbers in [(0, [1, 2, 3]), (1, [2, 3]), (2, [3]), (0, [1, 2, 3])]:
        which.set(n)
        steps.step()
        found = [f"%state:start%#{n}" if n > 1 else "%state:start" for n in numbers]
        assert sorted(states()) == sorted(found)
    steps.stop()


def test_what_is_built_again_has_the_ids_of_what_it_replaces() -> None:
    """As a stage has the same path again."""
    value = Var("value", 1)

    def inside(_: int) -> Current[Any]:
        listed = constant([1, 2]).list_map(lambda item: stage("s", item).state())
        return listed.gate(on=stage("on"))

    root = value.get().bind(inside, name="chosen")
    steps = Steps(root)
    before = ids(graph_of(root, steps.live))
    for new in (2, 3):
        value.set(new)
        steps.step()
        assert ids(graph_of(root, steps.live)) == before
    steps.stop()


def test_what_only_an_example_shows_has_no_path() -> None:
    """A stage of which nobody needs the result any more does not keep its own."""
    items = Var("items", [1])
    used = stage("check")
    parts = items.get().list_map(lambda item: stage("inside", pair(item, used)), label="l")
    root = pair(parts, stage("check"))
    steps = Steps(root)
    assert {"check", "check#2", "1/inside"} <= set(ids(graph_of(root, steps.live)))
    items.set([])
    steps.step()
    graph = graph_of(root, steps.live)
    check(graph)
    blocked = {node.id for node in graph.nodes if node.state and node.state.name == "BLOCKED"}
    assert blocked == {
        "%item:l",
        "%item:l/%idle component:inside",
        "%idle component:check",
    }
    steps.stop()


# Properties


@dataclass(frozen=True)
class Piece:
    """A part of a pipeline that has boxes, and perhaps parts within it."""

    kind: str
    name: str
    keys: tuple[int, ...] = ()
    inside: tuple[Piece, ...] = ()


NAMES = st.sampled_from(["a", "b", "c/d", "50%", "%list:a"])
LEAVES = st.sampled_from(["stage", "gate", "state", "catch", "fold", "function", "failed"])
pieces = st.recursive(
    st.builds(Piece, LEAVES, NAMES),
    lambda inner: st.builds(
        Piece,
        st.sampled_from(["list", "plain list", "bind", "option"]),
        NAMES,
        st.lists(st.integers(0, 9), max_size=5, unique=True).map(tuple),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
    ),
    max_leaves=8,
)
programs = st.lists(pieces, max_size=6)


def no(_: object) -> int:
    raise Failure("no")


def made(piece: Piece, start: Current[Any]) -> Current[Any]:
    name, keys = piece.name, constant(piece.keys)
    match piece.kind:
        case "stage":
            return stage(name, start)
        case "gate":
            return stage(name, start).gate(on=stage("on", start))
        case "state":
            return stage(name, start).state()
        case "catch":
            return stage(name, start).catch()
        case "fold":
            return stage(name, start).collapse(key="k", value=name, input=start)
        case "function":
            return stage(name, start).map(no)
        case "failed":
            return fail(name)
        case "bind":
            return start.bind(lambda _: made_all(piece.inside, start), name=name)
        case "option":
            return start.map(lambda _: piece.keys[0] if piece.keys else None).option_map(
                lambda _: made_all(piece.inside, start)
            )
        case "plain list":
            return keys.list_map(lambda item: made_all(piece.inside, item))
        case _:
            return keys.list_map(lambda item: made_all(piece.inside, item), label=name)


def made_all(program: list[Piece] | tuple[Piece, ...], start: Current[Any]) -> Current[Any]:
    return all([made(piece, start) for piece in program])


def apart(piece: Piece, number: int) -> Piece:
    """The same with another name, and other keys."""
    keys = tuple(10 * number + key for key in piece.keys)
    return replace(piece, name=f"{piece.name}{number}", keys=keys)


@settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)
@given(
    programs,
    programs,
    st.randoms(use_true_random=False),
    st.sampled_from([{}, "all"]),
    st.sampled_from([None, 0, 1]),
)
def test_ids_are_unique_and_stay(
    program: list[Piece],
    others: list[Piece],
    rng: random.Random,
    unfold: Unfold,
    depth: int | None,
) -> None:
    """Those of stages are their paths, and no other can be one. They are those of a pipeline that
    is built anew, in another order, and with parts added elsewhere.
    """

    def found(program: list[Piece]) -> list[str]:
        return drawn(made_all(program, stage("start")), unfold, depth)

    before = found(program)
    assert found(program) == before
    # Equal ones are numbered as they come, and so is what is in them, or hidden by them.
    program = [piece for piece in program if piece.kind not in {"plain list", "option"}]
    program = [apart(piece, n) for n, piece in enumerate(program)]
    before = found(program)
    shuffled = rng.sample(program, len(program))
    assert sorted(found(shuffled)) == sorted(before)
    elsewhere = Piece("bind", "elsewhere", (), tuple(others))
    assert set(before) <= set(found([*shuffled, elsewhere] if others else shuffled))


@settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)
@given(programs, st.randoms(use_true_random=False))
def test_an_id_finds_the_same_box_in_another_order(
    program: list[Piece], rng: random.Random
) -> None:
    """Where all are told apart by their names: in its place, and with the same label."""
    program = [replace(piece, name=f"n{n}") for n, piece in enumerate(program)]
    program = [piece for piece in program if piece.kind not in {"plain list", "option"}]

    def found(program: list[Piece]) -> dict[str, tuple[Any, ...]]:
        root = made_all([replace(p, inside=()) for p in program], stage("start"))
        steps: Steps[Any] = Steps(root)
        graph = graph_of(root, steps.live)
        steps.stop()
        boxes = [n for n in graph.nodes if n.kind is not NodeKind.JUNCTION]
        return {node.id: (node.kind, node.label, node.group, node.state) for node in boxes}

    assert found(rng.sample(program, len(program))) == found(program)


def test_a_pipeline_that_does_not_run_has_ids_too() -> None:
    """No stage of it lives."""
    nothing: TermGraph | None = None
    graph = graph_of(all([stage("a"), stage("a").gate(on=stage("b"))]), nothing)
    check(graph)
    assert ids(graph) == [
        "%idle component:a",
        "%idle component:a%#2",
        "%idle component:b",
        "%idle gate:a on b",
    ]
