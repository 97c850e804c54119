"""Random pipelines, kept up to date by steps and compared with a naive evaluation."""

from functools import cache
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pycurrent.term import Active, Activity, Failed, Ok, Output, Var

from ..effort import examples
from . import programs as p
from .steps import Steps

NUMBERS = 3
LISTS = 2

outputs: st.SearchStrategy[Output[p.Value]] = st.one_of(
    st.integers(0, p.LIMIT - 1).map(lambda number: Ok((number,))),
    st.sampled_from(["x", "y"]).map(Failed),
    st.sampled_from([Active(Activity.READY), Active(Activity.RUNNING)]),
)
# Few enough for items to stay and come back, each key once: 0 and 1, 2 and 3 share theirs.
items = st.lists(st.integers(0, 7), unique_by=lambda number: number // 2, max_size=4).flatmap(
    lambda numbers: st.booleans().map(
        lambda twice: tuple([(number,) for number in (*numbers, *numbers[: int(twice)])])
    )
)
item_lists: st.SearchStrategy[Output[tuple[p.Value, ...]]] = st.one_of(
    items.map(Ok), items.map(Ok), outputs.filter(lambda output: not isinstance(output, Ok))
)


@cache
def leaves(definitions: int, depth: int) -> st.SearchStrategy[p.Expr]:
    choices: list[st.SearchStrategy[p.Expr]] = [
        st.integers(0, NUMBERS - 1).map(p.Read),
        outputs.map(p.Just),
    ]
    if definitions:
        choices.append(st.integers(0, definitions - 1).map(p.Shared))
    if depth:
        choices.append(st.integers(0, depth - 1).map(p.Local))
    return st.one_of(choices[::-1])


@cache
def expressions(definitions: int, depth: int, size: int) -> st.SearchStrategy[p.Expr]:
    """Expressions that may use so many definitions and locals, and nest so deep."""
    if not size:
        return leaves(definitions, depth)
    part = st.deferred(lambda: expressions(definitions, depth, size - 1))
    body = st.deferred(lambda: expressions(definitions, depth + 1, size - 1))
    several = st.lists(part, max_size=3).map(tuple)
    some = st.lists(part, min_size=1, max_size=2).map(tuple)
    branches = st.lists(body, min_size=1, max_size=3).map(tuple)
    number = st.integers(0, p.LIMIT - 1)
    return st.one_of(
        leaves(definitions, depth),
        st.builds(p.Map, number, several),
        st.builds(p.MapError, part),
        st.builds(p.Component, number, several),
        st.builds(p.Bind, some, branches, st.sampled_from([None, "decide"])),
        st.builds(
            p.Each, st.one_of(st.integers(0, LISTS - 1), part), body, st.booleans(), st.booleans()
        ),
        st.builds(p.Option, part, body),
        st.builds(p.Gate, part, part),
        st.builds(p.Report, part, st.booleans()),
        st.builds(p.Sum, several),
        several.flatmap(
            lambda args: st.sampled_from([None, tuple("ABC"[: len(args)])]).map(
                lambda labels: p.Every(args, labels)
            )
        ),
    )


@st.composite
def programs(draw: st.DrawFn) -> list[p.Expr]:
    count = draw(st.integers(1, 4))
    return [draw(expressions(place, 0, 3)) for place in range(count)]


changes = st.lists(
    st.one_of(
        st.tuples(st.just("number"), st.integers(0, NUMBERS - 1), outputs),
        st.tuples(st.just("list"), st.integers(0, LISTS - 1), item_lists),
    ),
    min_size=1,
    max_size=3,
)


# Without the phase that explains a failure: it traces every line.
@settings(deadline=None, max_examples=examples(300), phases=set(Phase) - {Phase.explain})
@given(
    definitions=programs(),
    numbers=st.lists(outputs, min_size=NUMBERS, max_size=NUMBERS),
    lists=st.lists(item_lists, min_size=LISTS, max_size=LISTS),
    steps=st.lists(changes, max_size=6),
)
def test_a_random_pipeline_is_kept_up_to_date(
    definitions: list[p.Expr],
    numbers: list[Output[p.Value]],
    lists: list[Output[tuple[p.Value, ...]]],
    steps: list[list[tuple[str, int, Any]]],
) -> None:
    """After every step the output and the counts are those of a naive evaluation, and each
    function was called once if what it got is new, and otherwise not at all.
    """
    pipeline = p.Pipeline(
        definitions,
        [Var(f"n{index}", output) for index, output in enumerate(numbers)],
        [Var(f"l{index}", output) for index, output in enumerate(lists)],
    )
    driven = Steps(pipeline.root)
    before: p.Naive | None = None
    for step in [[], *steps]:
        for kind, place, output in step:
            if kind == "number":
                numbers[place] = output
                pipeline.numbers[place].set(output)
            else:
                lists[place] = output
                pipeline.lists[place].set(output)
        driven.step()
        naive = p.Naive(definitions, numbers[:], lists[:])
        assert driven.output == naive.output
        assert pipeline.calls == naive.new_calls(before)
        assert driven.stats == naive.stats()
        pipeline.calls.clear()
        before = naive
    driven.stop()
