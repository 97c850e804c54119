"""The paths of stages: the names by which people and records call them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.errors import WrongKind
from pycurrent.term import (
    Current,
    Fixed,
    Ok,
    Primitive,
    Runtime,
    StageRef,
    Subscription,
    Var,
    all,
    component,
    constant,
    context,
)
from pycurrent.term.paths import Paths
from pycurrent.term.stage_names import LONG, form_of

from ..effort import examples
from .steps import Steps


@component("test @{commit}")
def check(commit: str, arch: str | None = None) -> Primitive[str]:
    return Fixed(Ok(f"{commit} {arch}"))


@component("build {image} on {arch} (of {commit})")
def build(image: str, arch: str, commit: str) -> Primitive[str]:
    return Fixed(Ok(image + arch + commit))


def paths(current: Current[Any]) -> list[str]:
    """Of all stages of a pipeline."""
    steps = Steps(current)
    found = [str(steps.live.account.paths.of(stage.term)) for stage in steps.live.stages()]
    steps.stop()
    return found


COMMIT = Var("head", "c1")


def test_a_name_is_the_label_with_the_constants_and_without_the_values_of_currents() -> None:
    """So it is the same whatever the values are."""
    commit, arch = COMMIT.get(), constant("arm")
    assert paths(check(commit)) == ["head", "test"]
    assert paths(build("web", "x86", commit)) == ["head", "build web on x86"]
    assert paths(build("web", arch, "c0")) == ["build web on (of c0)"]
    assert paths(build(arch, "x86", commit)) == ["head", "build on x86"]
    assert paths(component("as {it} is", lambda _: Fixed(Ok(1)), commit)) == ["head", "as {it} is"]


def test_a_label_need_not_show_any_of_the_currents() -> None:
    """Such as those that are given beside its parameters. Then it is the name, as it stands."""

    def run(what: str, *rest: str) -> Primitive[str]:
        return Fixed(Ok(what))

    assert paths(component("run {what}")(run)("it", COMMIT.get())) == ["head", "run it"]
    assert paths(component("run  {what}")(run)("it", COMMIT.get())) == ["head", "run  it"]


def test_a_label_that_shows_only_currents_is_called_by_what_they_are() -> None:
    """It needs some name."""

    @component("{commit}")
    def shown(commit: str) -> Primitive[str]:
        return Fixed(Ok(commit))

    assert paths(shown(COMMIT.get())) == ["head", "commit"]


def test_a_path_goes_through_the_items_of_lists_and_named_binds() -> None:
    """Items are called by their keys; an option and a bind without a name have no part in it."""
    repos = constant([("web", 1), ("api/v1", 2)])

    def each(repo: Current[tuple[str, int]]) -> Current[Any]:
        inside = repo.bind(
            lambda _: constant(1).option_map(lambda it: it.bind(lambda _: check("c0"))),
            name="50%",
        )
        return all([inside, component("push", lambda _: Fixed(Ok(None)), repo)])

    term = repos.list_map(each, key=lambda repo: repo[0], label="repositories")
    assert sorted(paths(term)) == [
        "api%2Fv1/50%25",
        "api%2Fv1/50%25/test @c0",
        "api%2Fv1/push",
        "web/50%25",
        "web/50%25/test @c0",
        "web/push",
    ]


def test_the_place_of_a_term_is_where_it_was_built() -> None:
    """Not where it is used; a block of `context` is no place."""
    outside = check(COMMIT.get())
    term = constant([1]).list_map(lambda item: item.bind(lambda _: outside, name="choose"))
    with context(COMMIT.get()):
        other = component("inside", lambda: Fixed(Ok(1)))
    assert sorted(paths(all([term, other]))) == ["1/choose", "head", "inside", "test"]


def test_long_names_are_cut_and_told_apart() -> None:
    """By a digest of the whole."""
    keys = ["x" * 200, "x" * 200 + "y"]
    term = constant(keys).list_map(lambda item: component("t", lambda _: Fixed(Ok(1)), item))
    one, other = paths(term)
    assert one != other
    assert len(one) == len(other) == LONG + len("/t")


def test_twins_are_told_apart_by_their_constants_and_then_numbered() -> None:
    """The same in any order, but for those that are equal."""
    commit = COMMIT.get()
    twins = [check(commit, "arm"), check(commit, "x86"), check(commit), check(commit, "arm")]
    expected = ["head", "test", "test (arch=arm)", "test (arch=arm)#2", "test (arch=x86)"]
    assert sorted(paths(all(twins))) == expected
    assert sorted(paths(all(twins[::-1]))) == expected
    inline = [component("do", lambda *_: Fixed(Ok(1)), n, commit) for n in (1, 2)]
    assert paths(all(inline)) == ["head", "do (1)", "do (2)"]


def test_a_number_that_another_stage_has_as_its_name_is_not_taken_for_it() -> None:
    """Paths are unique."""
    names = ["a", "a#2", "a", "a"]
    terms = [component(name, lambda: Fixed(Ok(1))) for name in names]
    assert paths(all(terms)) == ["a", "a#2", "a#2#", "a#3"]


def test_a_stage_keeps_its_path_while_its_twins_come_and_go() -> None:
    """Once told from another one it stays so; equal ones keep their numbers."""
    which = Var("which", 0)
    commit = COMMIT.get()
    twins = [check(commit, "arm"), check(commit, "x86"), check(commit, "arm")]
    both = [all(twins), all(twins[1:]), twins[2]]
    steps = Steps(which.get().bind(lambda n: both[n]))

    def shown() -> list[StageRef]:
        stages = [stage for stage in steps.live.stages() if stage.label.startswith("test")]
        return [steps.live.account.paths.of(stage.term) for stage in stages]

    every = ["test (arch=arm)", "test (arch=x86)", "test (arch=arm)#2"]
    assert [str(ref) for ref in shown()] == every
    assert [ref.is_stable for ref in shown()] == [False, True, False]
    for n, names in [
        (1, ["test (arch=x86)", "test (arch=arm)#2"]),
        (2, ["test (arch=arm)#2"]),
        (0, every),
    ]:
        which.set(n)
        steps.step()
        assert sorted(map(str, shown())) == sorted(names)
    steps.stop()


class Asking(Primitive[int]):
    """A source that asks who subscribes."""

    def __init__(self, asked: list[StageRef]) -> None:
        self._asked = asked

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[int]:
        self._asked.append(runtime.stage)
        return Fixed(Ok(1)).subscribe(runtime, changed)


def test_what_subscribes_is_told_which_stage_it_is() -> None:
    """Each time; labels are there, if there are none yet."""
    asked: list[StageRef] = []
    items = Var("items", ["a", "b"])
    term = items.get().list_map(lambda item: component("ask", lambda _: Asking(asked), item))
    steps = Steps(term)
    items.set(["a", "c"])
    steps.step()
    assert [ref.path for ref in asked] == [("a", "ask"), ("b", "ask"), ("c", "ask")]
    assert asked[0] == StageRef(("a", "ask"), {})
    assert len({*asked, asked[0]}) == 3
    steps.stop()


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class Options:
    colours: frozenset[Colour]
    where: Path


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, "None"),
        (1.5, "1.5"),
        (True, "True"),
        (b"x", "b'x'"),
        ("text", "text"),
        ([1, ("a", None)], "[1, [a, None]]"),
        ({"b": 1, "a": Colour.RED}, "{a: Colour.RED, b: 1}"),
        (Options(frozenset({Colour.RED}), Path("/x")), "Options(colours={Colour.RED}, where=/x)"),
        (object(), "object"),
        (len, "len"),
        (Options, "Options"),
    ],
)
def test_a_constant_has_a_form_that_is_the_same_in_each_run(value: object, form: str) -> None:
    """Never an address; the order of sets and dictionaries does not matter."""
    assert form_of(value) == form


def test_the_form_of_a_value_that_holds_itself_ends() -> None:
    """It is told only so deep."""
    value: list[Any] = []
    value.append(value)
    assert form_of(value).startswith("[[[")


# Properties


@dataclass(frozen=True)
class Part:
    """A list or a named bind with parts in it; or a stage, where there are none."""

    name: str
    constant: int | None
    keys: tuple[int, ...] | None
    inside: tuple[Part, ...]


NAMES = st.sampled_from(["a", "b", "c/d", "50%"])
parts = st.recursive(
    st.builds(Part, NAMES, st.none() | st.integers(0, 2), st.none(), st.just(())),
    lambda inner: st.builds(
        Part,
        NAMES,
        st.none(),
        st.none() | st.lists(st.integers(0, 9), max_size=3, unique=True).map(tuple),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
    ),
    max_leaves=8,
)
programs = st.lists(parts, max_size=6)


def made(part: Part, given: Current[Any]) -> Current[Any]:
    if part.keys is not None:
        return constant(part.keys).list_map(lambda item: made_all(part.inside, item))
    if part.inside:
        return given.bind(lambda _: made_all(part.inside, given), name=part.name)
    if part.constant is None:
        return component(part.name, lambda _: Fixed(Ok(1)), given)
    return component(part.name, lambda *_: Fixed(Ok(1)), given, part.constant)


def made_all(program: list[Part] | tuple[Part, ...], given: Current[Any]) -> Current[Any]:
    return all([made(part, given) for part in program])


def refs(program: list[Part]) -> list[StageRef]:
    steps: Steps[Any] = Steps(made_all(program, constant(0)))
    found = [steps.live.account.paths.of(stage.term) for stage in steps.live.stages()]
    steps.stop()
    return found


@settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)
@given(programs, programs, st.randoms(use_true_random=False))
def test_paths_are_unique_and_stay(
    program: list[Part], others: list[Part], rng: random.Random
) -> None:
    """No two stages have the same; they are those of a pipeline that is built anew, in another
    order, and with parts added elsewhere.
    """
    found = refs(program)
    assert len({str(ref) for ref in found}) == len(found)
    assert refs(program) == found
    shuffled = rng.sample(program, len(program))
    assert sorted(map(str, refs(shuffled))) == sorted(map(str, found))
    elsewhere = Part("elsewhere", None, None, tuple(others)) if others else None
    edited = [*shuffled, elsewhere] if elsewhere else shuffled
    assert {str(ref) for ref in found} <= {str(ref) for ref in refs(edited)}


def test_stages_may_come_and_go_while_paths_are_taken_in() -> None:
    """Somebody who wants one path meanwhile gets it."""
    terms = [check("c0", str(n)) for n in range(1000)]
    living = dict.fromkeys(terms[:900])
    index = Paths(lambda: living, living)
    slices = index.take_in()
    next(slices)
    for term in terms[300:600]:
        living.pop(term, None)
        index.remove(term)
    for term in terms[900:]:
        living[term] = None
        index.add(term)
    next(slices)
    refs = {str(index.of(term)) for term in living}
    assert len(refs) == len(living) == 700
    assert list(slices) == []


def test_paths_may_be_forgotten_while_they_are_taken_in() -> None:
    """Who goes on with that does not take them to be whole."""
    living: dict[Current[Any], None] = {check(f"c{number}"): None for number in range(1000)}
    index = Paths(lambda: living, living)
    slices = index.take_in()
    next(slices)
    index.forget()
    for _ in slices:
        pass
    assert [str(index.of(term)) for term in living] == [f"test @c{n}" for n in range(1000)]


@pytest.mark.parametrize("arch", [None, "arm"])
def test_a_stage_that_is_built_anew_keeps_its_path(arch: str | None) -> None:
    """The old one and the new one, with equal constants or others, both live for a part of the
    step: they are no twins.
    """
    which = Var("which", "x86")
    commit = COMMIT.get()
    steps = Steps(which.get().bind(lambda new: check(commit, arch or new)))

    def ref() -> StageRef:
        (stage,) = [s for s in steps.live.stages() if s.label.startswith("test")]
        return steps.live.account.paths.of(stage.term)

    for new in ("x86", "s390", "riscv", "x86"):
        which.set(Ok(new))
        steps.step()
        assert (str(ref()), ref().is_stable) == ("test", True)
    steps.stop()


def test_a_stage_that_asks_in_the_step_in_which_it_is_built_anew_is_no_twin() -> None:
    """Of the one whose place it takes, which lives until the end of the step."""
    which = Var("which", 0)
    asked: list[StageRef] = []

    def ask() -> Primitive[int]:
        return Asking(asked)

    steps = Steps(which.get().bind(lambda _: component("ask", ask)))
    for new in (1, 2, 3):
        which.set(Ok(new))
        steps.step()
        (stage,) = [s for s in steps.live.stages() if s.label == "ask"]
        assert steps.live.account.paths.of(stage.term) == StageRef(("ask",))
    assert [(str(ref), ref.is_stable) for ref in asked] == [("ask", True)] * 4
    steps.stop()


def test_a_stage_that_lives_on_after_its_surroundings_has_a_path_too() -> None:
    """Another one than that of the stage that has taken its place."""
    commit = COMMIT.get()
    steps = Steps(all([check(commit), check(commit)]))
    old, new = [s.term for s in steps.live.stages() if s.label.startswith("test")]
    living, leaving = {old: None}, set[int]()
    index = Paths(lambda: living, living, leaves=lambda term: id(term) in leaving)
    assert str(index.of(old)) == "test"
    leaving.add(id(old))
    living[new] = None
    index.add(new)
    assert index.of(new) == StageRef(("test",))
    assert [str(index.of(term)) for term in (old, new)] == ["test#2", "test"]
    steps.stop()


@settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)
@given(programs, st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=30))
def test_paths_do_not_depend_on_their_hashes(
    program: list[Part], changes: list[tuple[bool, int]]
) -> None:
    """Whether few of them, or all, have the same one, and in whichever order stages come and go."""
    steps: Steps[Any] = Steps(made_all(program, constant(0)))
    terms = [stage.term for stage in steps.live.stages()]
    living = dict.fromkeys(terms)
    spread = Paths(lambda: living, living)
    crowded = Paths(lambda: living, living, hash_of=len)
    for comes, place in [(True, 0), *changes]:
        if not terms:
            break
        term = terms[place % len(terms)]
        for index in (spread, crowded):
            (index.add if comes else index.remove)(term)
        if comes:
            living[term] = None
        else:
            living.pop(term, None)
        assert [spread.of(one) for one in living] == [crowded.of(one) for one in living]
        assert len({str(spread.of(one)) for one in living}) == len(living)
    steps.stop()


def test_a_name_tells_equal_twins_apart_and_makes_their_paths_stable() -> None:
    """With a decorator and inline; the order of building does not matter then."""
    commit = COMMIT.get()

    def pipeline(order: int) -> Current[Any]:
        made = [
            check(commit, name="first"),
            check(commit, name="second"),
            component("inline", lambda: Fixed(Ok(1)), name="a/b"),
        ]
        return all(made[::order])

    for order in (1, -1):
        assert sorted(paths(pipeline(order))) == [
            "head",
            "inline (a%2Fb)",
            "test (first)",
            "test (second)",
        ]


def test_a_function_with_a_parameter_called_name_keeps_it() -> None:
    """Then the stage is told apart by that, as by each constant argument."""

    @component("greet")
    def greet(name: str) -> Primitive[str]:
        return Fixed(Ok(f"hello {name}"))

    assert sorted(paths(all([greet(name="ann"), greet(name="bob")]))) == [
        "greet (name=ann)",
        "greet (name=bob)",
    ]


def test_a_name_is_a_text_and_belongs_to_one_stage() -> None:
    """Anything else is refused where it is written."""
    with pytest.raises(WrongKind, match="name= takes a text, not 1"):
        check(COMMIT.get(), name=1)  # type: ignore[arg-type]
    with pytest.raises(WrongKind, match="name= is for one stage"):
        component("frob", name="one")  # type: ignore[call-overload]
