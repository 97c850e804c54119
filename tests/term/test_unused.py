"""What a pipeline builds and does not use is told."""

from collections.abc import Callable
from typing import Any

import pytest

from pycurrent.term import (
    Current,
    Failure,
    Primitive,
    Var,
    all,
    build_pipeline,
    collapse_list,
    component,
    constant,
    context,
    map,
    metadata,
    option_seq,
    pair,
    seq,
    told,
)
from pycurrent.testing import Harness, HarnessFactory


@component("{op} {x}")
def do(op: str, x: object) -> Primitive[object]:
    return Primitive.constant(x)


OUTSIDE = do("outside", 1)
KEPT: list[Any] = []


def forgets_a_stage() -> Current[Any]:
    source = do("fetch", "a")
    do("lint", source)
    return do("test", source)


def forgets_the_end_of_a_chain() -> Current[Any]:
    do("lint", do("fetch", "a")).map(str).gate(on=constant(1))
    return constant(1)


def forgets_a_check() -> Current[Any]:
    source = do("fetch", "a")
    source.map(str)
    return source


def forgets_a_list() -> Current[Any]:
    constant([1]).list_iter(lambda x: do("deploy", x), label="deploy")
    constant(1).bind(lambda x: do("a", x), name="choose")
    all([do("a", 1)])
    return constant(2)


@pytest.mark.parametrize(
    ("pipeline", "names"),
    [
        (forgets_a_stage, ["'lint …'"]),
        (forgets_the_end_of_a_chain, ["a gate of 'lint …'"]),
        (forgets_a_check, ["a map of 'fetch a'"]),
        (forgets_a_list, ["'deploy'", "'choose'", "all of 'a 1'"]),
    ],
)
def test_what_nothing_uses_is_named(pipeline: Callable[[], Current[Any]], names: list[str]) -> None:
    """The last term of what is unused, by its stage."""
    assert build_pipeline(pipeline)[1] == names


def kept_by_a_function() -> Current[Any]:
    base, other = do("base", 1), do("other", 1)

    def decide(x: int) -> Current[Any]:
        return do("run", base) if x else other

    return constant(1).bind(decide)


def used_by_items() -> Current[Any]:
    base = do("base", 1)
    return constant([1]).list_map(lambda x: pair(do("run", x), base))


def of_a_module() -> Current[Any]:
    OUTSIDE.map(str) if not KEPT else None
    KEPT.append(do("kept", 1))
    return OUTSIDE


def made_by_combinators() -> Current[Any]:
    source = do("fetch", 1)
    folded, _ = collapse_list([source, source], key="k", value="v", input=source)
    _, whole = collapse_list([source], key="k", value="v", input=source)
    option_seq(None)
    constant(3)
    with context(do("context", 1)):
        inner = do("inner", 1)
    return map(
        lambda *_: 1, seq(folded), whole, metadata(source.map(str)), Var("v", 1).get(), inner
    )


@pytest.mark.parametrize("pipeline", [kept_by_a_function, used_by_items, made_by_combinators])
def test_what_may_still_be_used_is_not_named(pipeline: Callable[[], Current[Any]]) -> None:
    """By a function for later, or by what a combinator has made."""
    assert build_pipeline(pipeline)[1] == []


def test_what_a_module_has_made_or_keeps_is_not_named() -> None:
    """It is not the pipeline's."""
    KEPT.append(1)
    assert build_pipeline(of_a_module)[1] == []


def test_no_more_than_a_few_are_named() -> None:
    """The others are counted."""

    def pipeline() -> Current[Any]:
        for n in range(13):
            do("lint", n)
        return constant(1)

    text = told(build_pipeline(pipeline)[1])
    assert text is not None
    assert "'lint 9' and 3 more; if it is to run" in text
    assert told([]) is None


async def test_what_functions_of_binds_and_lists_build_and_do_not_use_is_named(
    harness: HarnessFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """As soon as it is built, and once, however often; what is used is not, nor what is kept."""
    x = Var("x", 1)
    kept = []

    def decide(x: int) -> Current[Any]:
        kept.append(do("kept", x))
        if x > 1:
            do("lint", "bind")
        return do("test", x)

    def each(item: Current[str]) -> Current[Any]:
        do("lint", item)
        return pair(do("test", item), do("deploy", item).map(str))

    def option(item: Current[int]) -> Current[Any]:
        do("scan", item).gate(on=item)
        return item

    def pipeline() -> Current[Any]:
        do("top", 1)
        listed = constant(["a", "b"]).list_map(each)
        return all([x.get().bind(decide), listed, x.get().option_map(option)])

    def told_now(h: Harness) -> str:
        (problem,) = h.engine.opened.problems
        return problem.message.partition(";")[0]

    built = "built but not used, so never run: 'top 1', 'lint …', a gate of 'scan …'"
    async with harness(pipeline) as h:
        await h.settle()
        assert told_now(h) == built
        for value in (2, 3, 2):
            x.set(value)
            await h.settle()
            assert told_now(h) == f"{built}, 'lint bind'"
    messages = [record.message for record in caplog.records]
    assert len(set(messages)) == len(messages)


async def test_no_more_than_a_few_are_looked_for_inside(harness: HarnessFactory) -> None:
    """Each value of a bind may have another name."""
    x = Var("x", 0)

    def decide(x: int) -> Current[Any]:
        do("lint", x)
        return constant(x)

    async with harness(lambda: x.get().bind(decide)) as h:
        for value in range(1, 20):
            x.set(value)
            await h.settle()
        (problem,) = h.engine.opened.problems
        assert "'lint 9'; if it is to run" in problem.message


async def test_a_function_that_raises_has_not_left_anything(harness: HarnessFactory) -> None:
    """It has not come to use it."""

    def decide(x: int) -> Current[Any]:
        do("lint", x)
        raise Failure("no")

    async with harness(lambda: constant(1).bind(decide)) as h:
        await h.settle()
        assert list(h.engine.opened.problems) == []
