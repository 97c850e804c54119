"""The diagram: which boxes, edges and groups a pipeline has."""

from collections.abc import Callable
from typing import Any, get_args

import pytest

from pycurrent.term import (
    Activity,
    Current,
    Failed,
    Primitive,
    State,
    Var,
    active,
    all,
    bind,
    collapse_list,
    component,
    constant,
    context,
    draw,
    fail,
    map,
    metadata,
    pair,
    seq,
    walk,
)
from pycurrent.term.diagram import FailedInside, NodeKind, graph_of
from pycurrent.term.graph_data import GroupKind
from pycurrent.term.shape import Shape

from .drawn import Drawn
from .steps import Steps

DEEP = 1500
"""More than the recursion limit of Python, which is 1,000."""


def box(label: str, *inputs: Current[Any]) -> Current[Any]:
    """A component that succeeds with its label."""
    return component(label, lambda *_: Primitive.constant(label), *inputs)


@component("show {what}")
def show(what: object) -> Primitive[object]:
    return Primitive.constant(what)


def live(current: Current[Any], unfold: draw.Unfold | None = None) -> Drawn:
    """The diagram after a first step."""
    return Drawn(current, Steps(current).live, unfold)


# Boxes and what has none


def test_a_component_is_a_box_with_edges_from_its_inputs() -> None:
    """The boxes in the order of the walk, inputs first."""
    drawn = Drawn(box("deploy", box("build", box("head")), box("config")))
    assert drawn.labels == ["head", "build", "config", "deploy"]
    assert drawn.edges == {"head -> build", "build -> deploy", "config -> deploy"}


def test_functions_have_no_box() -> None:
    """What passes its inputs on is not drawn, and edges go through it."""
    a, b = box("a"), box("b")
    middle = pair(a.map(str).map_error(str), seq([b]).ignore().cutoff(lambda *_: False))
    drawn = live(box("c", map(lambda *_: 1, middle, metadata(a))))
    assert drawn.edges == {"a -> c", "b -> c"}


def test_a_label_shows_the_values_of_inputs_where_they_are_known() -> None:
    """And an ellipsis where they are not."""
    term = show(constant("this"))
    assert Drawn(term).labels == ["show …"]
    assert live(term).labels == ["show this"]


def test_constants_are_drawn_with_a_label_or_without_a_value() -> None:
    """A label, a failure and an activity are shown; other constants are not."""
    term = all([constant(1), constant(2, label="two"), fail("no"), active(Activity.READY)])
    for drawn in (Drawn(term), live(term)):
        assert drawn.states == {
            "two": State.OK,
            "(const)": State.FAILED,
            "(input)": State.READY,
        }
        assert drawn["(const)"].failure == "no"
        assert drawn["(input)"].kind is NodeKind.INPUT


@pytest.mark.parametrize("many", [False, True])
def test_a_map_that_raised_is_a_red_box(many: bool) -> None:
    """With its message, whether it is a map of one input or of several."""
    source = Var("source", 0)

    def divide(n: int, *_: int) -> int:
        return 1 // n

    current = source.get()
    term = box("use", map(divide, current, current) if many else current.map(divide))
    steps = Steps(term)
    drawn = Drawn(term, steps.live)
    assert drawn.edges == {"source -> map", "map -> use"}
    assert drawn.states == {"source": State.OK, "map": State.FAILED, "use": State.BLOCKED}
    assert drawn["map"].failure is not None
    assert "ZeroDivisionError" in drawn["map"].failure
    source.set(Failed("gone"))
    steps.step()
    assert Drawn(term, steps.live).labels == ["source", "use"]


def test_states_and_catches_have_a_box_unless_hidden() -> None:
    """Hidden ones pass their input on."""
    a, b = box("a"), box("b")
    term = box(
        "end", a.state(), b.catch(), box("c").state(hidden=True), box("d").catch(hidden=True)
    )
    assert Drawn(term).edges == {
        "a -> state",
        "b -> catch",
        "state -> end",
        "catch -> end",
        "c -> end",
        "d -> end",
    }


# Edges that others imply


def test_an_edge_that_others_imply_is_left_out() -> None:
    """Along paths of any length, through what has no box, too."""
    head = box("head")
    build = box("build", head)
    test = box("test", pair(build, head).map(str))
    assert Drawn(box("end", head, all([test, build]))).edges == {
        "head -> build",
        "build -> test",
        "test -> end",
    }


def test_what_is_below_a_state_is_not_implied_by_it() -> None:
    """A state is known even where its input is not: who needs both, waits for both."""
    commit = box("commit")
    build = box("build", commit)
    drawn = Drawn(box("report", commit, build.state()))
    assert drawn.edges == {
        "commit -> build",
        "build -> state",
        "state -> report",
        "commit -> report",
    }


def test_a_gate_is_a_circle_with_a_dashed_control() -> None:
    """It comes after both of its inputs, and implies both."""
    a, ok = box("a"), box("ok")
    drawn = Drawn(box("push", a.gate(on=ok), a, ok))
    assert drawn.edges == {"a -> gate", "ok ~> gate", "gate -> push"}
    assert drawn["gate"].kind is NodeKind.GATE


def test_the_control_of_a_gate_implies_what_leads_to_it() -> None:
    """And the other way round: what the value comes after needs no dashed edge."""
    build = box("build")
    test = box("test", build)
    assert Drawn(box("push", build.gate(on=test))).edges == {
        "build -> test",
        "test ~> gate",
        "gate -> push",
    }
    assert "test -> gate" in Drawn(test.gate(on=build)).edges
    assert Drawn(build.gate(on=build)).edges == {"build -> gate"}


def test_a_gate_is_ok_or_blocked() -> None:
    """It never fails itself."""
    control = Var[int]("control", Failed("no"))
    term = box("value").gate(on=control.get())
    steps = Steps(term)
    assert Drawn(term, steps.live).states["gate"] is State.BLOCKED
    control.set(1)
    steps.step()
    assert Drawn(term, steps.live).states["gate"] is State.OK


# Binds


def test_a_bind_is_one_box_until_it_has_run() -> None:
    """Then the inside follows its name, or replaces the box that has none."""
    source = Var[int]("source", Failed("not yet"))
    for name in ("choose", None):
        source.set(Failed("not yet"))
        current = source.get()
        term = box("end", current.bind(lambda _: box("inside"), name=name))
        steps = Steps(term)
        shown = name or "bind"
        assert Drawn(term).edges == {f"source -> {shown}", f"{shown} -> end"}
        drawn = Drawn(term, steps.live)
        assert drawn.edges == Drawn(term).edges
        assert drawn.states[shown] is State.BLOCKED
        source.set(1)
        steps.step()
        edges = Drawn(term, steps.live).edges
        if name is None:
            assert edges == {"source -> inside", "inside -> end"}
        else:
            assert edges == {"source -> choose", "choose -> inside", "inside -> end"}


def test_a_bind_whose_function_raised_is_red() -> None:
    """With or without a name, and with the message; what follows is blocked."""
    for name in ("choose", None):

        def choose(_: object) -> Current[int]:
            raise RuntimeError("lost")

        drawn = live(box("end", box("source").bind(choose, name=name)))
        assert drawn[name or "bind"].state is State.FAILED
        assert drawn[name or "bind"].failure == "RuntimeError: lost"
        assert drawn.states["end"] is State.BLOCKED


def test_a_bind_leads_to_what_follows_even_if_it_chose_something_older() -> None:
    """What it decided on may have been there before, and may come from elsewhere."""
    old = box("old")
    choose = box("source").bind(lambda _: old, name="choose")
    for term in (box("end", choose), box("end", choose, old), box("end", old, choose)):
        assert live(term).edges == {"source -> choose", "choose -> end", "old -> end"}


def test_a_bind_to_a_constant_leads_on() -> None:
    """A constant that was built inside comes after the box, or what led to it."""
    source = box("source")
    assert "choose -> end" in live(box("end", source.bind(constant, name="choose"))).edges
    assert live(box("end", bind(lambda *_: constant(1), source, source))).edges == {"source -> end"}


# Contexts


def test_a_context_leads_to_what_is_built_inside() -> None:
    """To the boxes, and to what would come from nowhere; not where that is implied."""
    a, b = box("a"), box("b")
    with context(a), context(b):
        first = box("first")
        value = constant(1).map(str)
        term = box("last", first, value)
    assert Drawn(term).edges == {"a -> first", "b -> first", "first -> last"}
    assert Drawn(box("use", value)).edges == {"a -> use", "b -> use"}


def test_a_context_does_not_lead_to_what_was_built_outside() -> None:
    """A function of something else does not show it."""
    a = box("a")
    with context(box("ctx")):
        term = a.map(str)
    assert Drawn(box("end", term)).labels == ["a", "end"]


def test_a_circle_that_a_context_closes_is_cut() -> None:
    """A bind may choose what was built in its own context."""
    made: list[Current[Any]] = []
    choose = box("source").bind(lambda _: made[0], name="choose")
    with context(choose.map(str)):
        made.append(box("inside"))
    drawn = live(all([choose, made[0]]))
    assert sorted(drawn.labels) == ["choose", "inside", "source"]


# Lists and options


def test_a_list_is_a_cluster_with_a_box_for_each_item() -> None:
    """Each item comes from the list's source and leads to what is done for it."""
    items = component("items", lambda: Primitive.constant(["a", "b"]))
    term = box("end", items.list_map(show, label="each"))
    drawn = live(term)
    assert drawn.edges == {
        "items -> a",
        "a -> show a",
        "items -> b",
        "b -> show b",
        "show a -> end",
        "show b -> end",
    }
    assert drawn["a"].kind is NodeKind.ITEM
    assert [drawn.group_of(x) for x in ("items", "a", "show b", "end")] == [
        None,
        "each",
        "each",
        None,
    ]


def test_a_list_without_items_shows_an_example() -> None:
    """It says whether it is unknown or empty; the example is blocked."""
    items = Var[list[str]]("items", Failed("why"))
    term = items.get().list_map(show)
    assert Drawn(term).edges == {"items -> (each item)", "(each item) -> show …"}
    steps = Steps(term)
    assert Drawn(term, steps.live).states == {
        "items": State.FAILED,
        "(each item)": State.BLOCKED,
        "show …": State.BLOCKED,
    }
    items.set([])
    steps.step()
    drawn = Drawn(term, steps.live)
    assert drawn.states["(empty list)"] is State.BLOCKED
    assert drawn.states["show …"] is State.BLOCKED
    items.set(["x"])
    steps.step()
    assert Drawn(term, steps.live).labels == ["items", "x", "show x"]


def test_items_are_drawn_in_the_order_of_the_list() -> None:
    """Whenever they came; equal ones once."""
    items = Var("items", ["c"])
    term = items.get().list_iter(show)
    steps = Steps(term)
    items.set(["a", "c", "b", "a"])
    steps.step()
    assert [n.label for n in Drawn(term, steps.live).graph.nodes if n.kind is NodeKind.ITEM] == [
        "a",
        "c",
        "b",
    ]


def test_an_item_is_named_by_its_key() -> None:
    """If the list has one."""
    items = constant([("a", 1)])
    assert "a" in live(items.list_map(show, key=lambda item: item[0])).labels


def test_a_list_that_can_not_tell_its_items_apart_is_red() -> None:
    """In the box that stands for each of them."""
    items = constant([("a", 1), ("a", 2)])
    drawn = live(items.list_map(show, key=lambda item: item[0]))
    assert drawn["(each item)"].state is State.FAILED
    assert "the key 'a'" in (drawn["(each item)"].failure or "")


def test_an_item_whose_function_raised_is_red() -> None:
    """The others are not."""

    def pick(item: Current[int]) -> Current[Any]:
        if "b" in built:
            raise RuntimeError("lost")
        built.append("b")
        return show(item)

    built: list[str] = []
    drawn = live(constant([1, 2]).list_map(pick))
    assert drawn.states == {"1": State.OK, "show 1": State.OK, "2": State.FAILED}
    assert drawn["2"].failure == "RuntimeError: lost"


def test_an_item_leads_to_the_outcome_that_does_not_use_it() -> None:
    """The outcome of the list depends on the list."""
    items = component("items", lambda: Primitive.constant(["a"]))
    drawn = live(box("end", items.list_map(lambda _: constant(1))))
    assert drawn.edges == {"items -> a", "a -> end"}


def test_an_option_is_a_dotted_cluster_without_a_box_for_the_item() -> None:
    """It shows what would be done while there is no value."""
    option = Var[str | None]("option", None)
    for method in (Current.option_map, Current.option_iter):
        option.set(None)
        term: Current[Any] = method(option.get(), show, label="maybe")
        steps = Steps(box("end", term))
        assert Drawn(term).edges == {"option -> show …"}
        assert Drawn(term, steps.live).states["show …"] is State.BLOCKED
        option.set("x")
        steps.step()
        drawn = Drawn(term, steps.live)
        assert drawn.edges == {"option -> show x"}
        assert drawn.group_of("show x") == "maybe"
        assert [group.kind for group in drawn.graph.groups] == [GroupKind.OPTION]


def test_an_option_whose_function_raised_has_a_red_box() -> None:
    """So that it is seen where the failure came from."""

    def lose(_: Current[int]) -> Current[int]:
        raise RuntimeError("lost")

    drawn = live(constant(1).option_map(lose))
    assert drawn.states == {"1": State.FAILED}


def test_lists_within_lists_are_clusters_within_clusters() -> None:
    """In examples and alive."""
    items = constant([[1], [2]], label="items")
    term = items.list_map(lambda inner: inner.list_map(show, label="inner"), label="outer")
    for drawn in (Drawn(items.list_map(lambda x: x.list_map(show))), live(term)):
        parents = {group.id: group.parent for group in drawn.graph.groups}
        assert {parents[p] for p in parents.values() if p is not None} == {None}
        assert len(drawn.graph.groups) == (2 if drawn.labels[1] == "(each item)" else 3)


def test_the_example_of_a_pipeline_that_builds_itself_again_ends() -> None:
    """Such a list is shown once."""

    def grow(item: Current[Any]) -> Current[Any]:
        return show(item.list_map(grow))

    drawn = Drawn(constant([], label="seed").list_map(grow))
    assert len(drawn.graph.nodes) < 10


# Folds


def folded(content: Callable[[Current[Any]], Current[Any]]) -> Current[Any]:
    """A fold around some content, after a box "in" and before a box "out"."""
    source = box("in")
    return box("out", content(source).collapse(key="part", value="one", input=source))


def test_a_fold_is_one_box_until_it_is_unfolded() -> None:
    """By its key and value, by one of several values, or with all others."""
    term = folded(lambda source: box("b", box("a", source)))
    drawn = Drawn(term)
    assert drawn.edges == {"in -> +", "+ -> out"}
    assert drawn["+"].fold is not None
    assert (drawn["+"].fold.key, drawn["+"].fold.value) == ("part", "one")
    assert Drawn(term, unfold={"part": "other"}).labels == drawn.labels
    assert Drawn(term, unfold={"part": "once"}).labels == drawn.labels
    unfolds: list[draw.Unfold] = [{"part": "one"}, {"part": {"zero", "one"}}, "all"]
    for unfold in unfolds:
        assert Drawn(term, unfold=unfold).edges == {"in -> a", "a -> b", "b -> out"}


def test_a_fold_has_the_colour_of_what_happens_inside() -> None:
    """It is blocked while only its input fails or is not known."""
    source, inside = Var("in", 1), Var("inside", 1)
    current = source.get()
    content = all({"a": current, "b": inside.get()})
    term = content.collapse(key="k", value="v", input=current)
    steps = Steps(term)

    def state() -> State | None:
        steps.step()
        return Drawn(term, steps.live).states["+"]

    assert state() is State.OK
    inside.set(Failed("why"))
    assert state() is State.FAILED
    source.set(Failed("earlier"))
    assert state() is State.FAILED
    inside.set(2)
    assert state() is State.BLOCKED
    source.set(3)
    inside.update(lambda _: 3)
    assert state() is State.OK


def failing(label: str, *inputs: Current[Any]) -> Current[Any]:
    """A component that fails."""
    return component(
        label, lambda *_: Primitive.constant(1).map_output(lambda _: Failed(f"no {label}")), *inputs
    )


def test_a_fold_tells_of_the_failures_that_are_caught_within() -> None:
    """Their number, and the message of one; its state stays that of the value."""
    term = folded(lambda source: all([failing("a", source), failing("b", source)]).catch())
    drawn = live(term)
    assert drawn.states["+"] is State.OK
    assert drawn["+"].failed_inside == FailedInside(2, "no a")
    unfolded = live(term, {"part": "one"})
    assert [node.failed_inside for node in unfolded.graph.nodes] == [None] * len(unfolded.labels)


def test_what_failed_before_a_fold_is_not_inside() -> None:
    """It is drawn, and so is what failed beside it."""
    source = failing("in").catch()
    term = all([box("a", source).collapse(key="part", value="one", input=source), failing("b")])
    assert live(term)["+"].failed_inside is None


def test_the_outer_fold_tells_of_what_failed_in_the_inner_one() -> None:
    """In lists and binds, too, and where several are folded together."""
    source = constant(["x"])

    def inner(item: Current[Any]) -> Current[Any]:
        return (
            item.bind(lambda _: failing("a"), name="decide")
            .catch()
            .collapse(key="in", value="x", input=item)
        )

    members, whole = collapse_list(
        [source.list_map(inner), box("b")], key="k", value="v", input=source
    )
    assert live(members[0])["+"].failed_inside == FailedInside(1, "no a")
    assert live(whole)["+"].failed_inside == FailedInside(1, "no a")
    assert live(whole, {"k": "v"})["+"].failed_inside == FailedInside(1, "no a")


def test_a_named_bind_that_raised_in_a_fold_has_failed_inside() -> None:
    """It is a stage, as components are."""

    def decide(_: object) -> Current[Any]:
        raise ValueError("undecided")

    term = folded(lambda source: bind(decide, source, name="decide").catch())
    inside = live(term)["+"].failed_inside
    assert inside is not None
    assert inside.stages == 1
    assert "undecided" in (inside.failure or "")


def test_currents_folded_together_lead_to_one_box() -> None:
    """Whether or not somebody needs the whole."""
    source = box("in")
    members, _ = collapse_list(
        [box("a", source), box("b", source)], key="k", value="v", input=source
    )
    term = box("end", *members)
    for drawn in (Drawn(term), live(term)):
        assert drawn.edges == {"in -> +", "+ -> end"}
    assert live(term).states["+"] is State.OK
    assert Drawn(term, unfold="all").edges == {"in -> a", "in -> b", "a -> end", "b -> end"}


def test_the_items_of_a_list_may_be_folded() -> None:
    """Each has its own fold, after the item."""
    term = constant(["a", "b"]).list_map(show, collapse_key="item")
    drawn = live(term, {"item": "b"})
    assert drawn.edges == {"a -> +", "b -> show b"}


# Large ones


def test_many_that_wait_for_many_meet_in_a_point() -> None:
    """There are as many edges as boxes, not as many as pairs."""
    first = all([box("a") for _ in range(300)])
    graph = graph_of(all([box("b", first) for _ in range(300)]), None)
    assert len(graph.edges) == 600
    assert [n.kind for n in graph.nodes].count(NodeKind.JUNCTION) == 1


def test_gates_on_many_meet_in_a_point_too() -> None:
    """Its edges to the gates are dashed."""
    ready = all([box("a") for _ in range(50)])
    drawn = graph_of(all([box("b").gate(on=ready) for _ in range(50)]), None)
    assert len(drawn.edges) == 150


def test_a_few_that_wait_for_a_few_do_not() -> None:
    """A point would save little, and be in the way."""
    first = pair(box("a"), box("b"))
    assert Drawn(all([box(f"c{i}", first) for i in range(3)])).edges == {
        f"{source} -> c{i}" for source in "ab" for i in range(3)
    }


def test_a_point_whose_edges_others_imply_is_not_drawn() -> None:
    """Only the first of a row of boxes has an edge from each of its context."""
    with context(all([box(f"c{i}") for i in range(10)])):
        term = box("s0")
        for i in range(1, 20):
            term = box(f"s{i}", term)
    drawn = Drawn(term)
    assert len(drawn.edges) == 10 + 19
    assert "junction" not in drawn.labels


@pytest.mark.parametrize(
    "grow",
    [
        lambda term: term.map(str),
        lambda term: pair(term, term),
        lambda term: box("x", term),
        lambda term: term.bind(constant),
        lambda term: term.gate(on=term),
        lambda term: term.collapse(key="k", value="v", input=term),
    ],
)
def test_long_chains_do_not_hit_the_recursion_limit(
    grow: Callable[[Current[Any]], Current[Any]],
) -> None:
    """However deep a pipeline is."""
    term = constant(0, label="start")
    for _ in range(DEEP):
        term = grow(term)
    graph_of(term, None)
    graph_of(term, None, unfold="all")


def test_deep_nests_do_not_hit_the_recursion_limit() -> None:
    """Of contexts, of binds that have run, and of lists."""

    def nest(depth: int) -> Current[Any]:
        here = box(f"b{depth}")
        return here.bind(lambda _: nest(depth - 1)) if depth else here

    term = nest(DEEP)
    assert len(graph_of(term, Steps(term, check=False).live).edges) == DEEP


def test_the_same_pipeline_always_gives_the_same_diagram() -> None:
    """Equal as data, for two engines too."""

    def pipeline() -> Current[Any]:
        source = component("list", lambda: Primitive.constant(["x", "y", "z"]))
        return all([source.list_map(show), folded(lambda s: box("inner", s))])

    first, second = pipeline(), pipeline()
    assert live(first).graph == live(second).graph == live(first).graph


def test_every_kind_of_term_can_be_drawn() -> None:
    """The walk knows each shape that there is."""
    assert set(get_args(Shape)) == set(walk.VISITS)
