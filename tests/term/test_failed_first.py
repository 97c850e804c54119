"""The failure of many together names what failed first."""

from typing import Any

from pycurrent.term import (
    Current,
    Failed,
    Failure,
    Primitive,
    Var,
    all,
    component,
    constant,
    evaluate,
    fail,
)
from pycurrent.testing import HarnessFactory


@component("{op}")
def run(op: str, after: object = None) -> Primitive[str]:
    if op == "base":
        raise Failure("no space left")
    return Primitive.constant(op)


def test_what_is_blocked_by_another_is_not_named() -> None:
    """The one that failed is, wherever it stands, with its reason."""
    base = run("base")
    pushes: dict[str, Current[Any]] = {f"push image {n}": run("push", base) for n in range(29)}
    for together in ({"base": base, **pushes}, {**pushes, "base": base}):
        assert evaluate(all(together)) == Failed("base failed: no space left")


def test_the_reason_is_not_behind_all_the_labels() -> None:
    """Where none of them is the cause, the first are named, and the others counted; and the stage
    that is.
    """
    base = run("base")
    output = evaluate(all({f"push image {n}": run("push", base) for n in range(29)}))
    assert isinstance(output, Failed)
    assert output.message.startswith("push image 0, push image 1, ")
    assert output.message.endswith(" more failed: base failed: no space left")
    assert len(output.message) < 200


def test_failures_of_their_own_are_all_named() -> None:
    """With the reason if it is the same."""
    two = {"A": fail("why"), "B": fail("why")}
    assert evaluate(all(two)) == Failed("A, B failed: why")
    assert evaluate(all({**two, "C": fail("else")})) == Failed("A, B, C failed")
    shared = fail("why")
    both = {"A": shared.map(str), "B": shared.map(len), "C": constant(1)}
    assert evaluate(all(both)) == Failed("A, B failed: why")


def test_the_reason_of_what_is_blocked_names_the_stage_that_failed() -> None:
    """By its path, however far away it is; what only applies a function to a result has failed with
    the stage, and those that are blocked are not named beside it.
    """

    def repo(name: Current[str]) -> Current[str]:
        return run("push", run("test", run("base")))

    pushed = constant(["web"]).list_map(repo).map(len)
    why = Failed("shop failed: web failed: web/base failed: no space left")
    assert evaluate(all({"shop": pushed})) == why
    assert evaluate(all({"shop": pushed, "docs": constant(1)})) == why
    assert evaluate(all({"x": all({"shop": pushed})})) == Failed(f"x failed: {why.message}")
    base = run("base")
    assert evaluate(all({"A": base.map(str)})) == Failed("A failed: no space left")
    both = {"B": run("push", base), "A": base.map(str)}
    assert evaluate(all(both)) == Failed("A failed: no space left")


def test_two_that_different_stages_block() -> None:
    """There is no room for two reasons; for one that both have, there is."""
    one, other = run("push", run("base", "1")), run("push", run("base", "2"))
    assert evaluate(all({"A": one, "B": other})) == Failed("A, B failed")
    why = Failed("A, B failed: base failed: no space left")
    assert evaluate(all({"A": one, "B": one.map(len)})) == why


async def test_a_running_pipeline_names_the_stage_as_long_as_it_lives(
    harness: HarnessFactory,
) -> None:
    """It does so again when another one has failed."""
    which = Var("which", 1)

    def pipeline() -> Current[Any]:
        base = which.get().bind(lambda n: run("base", str(n)), name="base image")
        return all({"A": run("push", base), "B": run("push", base, name="b")})

    async with harness(pipeline) as h:
        await h.settle()
        assert h.output == Failed("A, B failed: base image/base failed: no space left")
        which.set(2)
        await h.settle()
        assert h.output == Failed("A, B failed: base image/base failed: no space left")
