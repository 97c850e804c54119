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
    if op in ("base", "lint", "test", "check"):
        raise Failure("no space left")
    if op == "drop":
        raise Failure("no such host")
    return Primitive.constant(op)


def test_what_is_blocked_by_another_is_not_named() -> None:
    """The one that failed is, wherever it stands, with its reason."""
    base = run("base")
    pushes: dict[str, Current[Any]] = {f"push image {n}": run("push", base) for n in range(29)}
    for together in ({"base": base, **pushes}, {**pushes, "base": base}):
        assert evaluate(all(together)) == Failed("base failed: no space left")


def test_the_cause_comes_before_what_it_blocks() -> None:
    """Where none of them is the cause, the stage that is comes first, with its reason; the first of
    what it blocks are named behind it, and the others counted.
    """
    base = run("base")
    pushed = {f"push image {n}": run("push", base) for n in range(29)}
    why = "base failed: no space left; blocked: push image 0, push image 1, "
    output = evaluate(all(pushed))
    assert isinstance(output, Failed)
    assert output.message.startswith(why)
    assert output.message.endswith(" and 21 more")
    assert len(output.message) < 200
    for groups in (all({"A": all(pushed), "B": all(pushed)}), all({"A": all({"B": all(pushed)})})):
        output = evaluate(groups)
        assert isinstance(output, Failed)
        assert output.message.startswith("base failed: no space left; blocked: A")


def test_the_cause_is_found_behind_a_gathering_that_blocks() -> None:
    """What waits for several checks is blocked by those that have failed, even in a list."""
    lint, test = run("lint"), run("test")
    checks = all({"lint": lint, "test": test, "fine": constant(1)})
    items = constant(["web", "shop"]).list_iter(lambda name: run("check"))
    pushed = {n: run("push", constant(n).gate(on=all({"checks": checks}))) for n in ("a", "b")}
    why = Failed("lint, test failed: no space left; blocked: a, b")
    assert evaluate(all(pushed)) == why
    gated = run("push", constant("x").gate(on=items))
    why = Failed("web/check, shop/check failed: no space left; blocked: a")
    assert evaluate(all({"a": gated})) == why
    beside = {"a": run("push", base := run("base")), "B": lint, "b": run("deploy", base)}
    assert evaluate(all(beside)) == Failed("base, B failed: no space left; blocked: a, b")


def test_what_belongs_to_no_stage_is_named_by_what_it_fails() -> None:
    """A value that has failed has no path, so the labels are the only names."""
    pushed = {n: run("push", fail("no config")) for n in ("a", "b")}
    assert evaluate(all(pushed)) == Failed("a, b failed: no config")
    assert evaluate(all({"x": all(pushed)})) == Failed("x failed: a, b failed: no config")


def test_a_deep_pipeline_finds_the_cause() -> None:
    """However many gatherings lie between, and however often each is used."""
    whole: Current[Any] = run("base")
    for _ in range(300):
        whole = all({"x": run("push", whole), "y": run("push", whole)})
    assert evaluate(whole) == Failed("base failed: no space left; blocked: x, y")


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
        return run("push", run("build", run("base")))

    pushed = constant(["web"]).list_map(repo).map(len)
    why = Failed("web/base failed: no space left; blocked: shop")
    assert evaluate(all({"shop": pushed})) == why
    assert evaluate(all({"shop": pushed, "docs": constant(1)})) == why
    why = Failed("web/base failed: no space left; blocked: x")
    assert evaluate(all({"x": all({"shop": pushed})})) == why
    base = run("base")
    assert evaluate(all({"A": base.map(str)})) == Failed("A failed: no space left")
    both = {"B": run("push", base), "A": base.map(str)}
    assert evaluate(all(both)) == Failed("A failed: no space left")


def test_two_that_different_stages_block() -> None:
    """There is no room for two reasons; for one that both have, there is."""
    one, other = run("push", run("base", "1")), run("push", run("base", "2", name="2"))
    why = Failed("base, base (2) failed: no space left; blocked: A, B")
    assert evaluate(all({"A": one, "B": other})) == why
    drop = run("push", run("drop"))
    assert evaluate(all({"A": one, "B": drop})) == Failed("base, drop failed; blocked: A, B")
    why = Failed("base failed: no space left; blocked: A, B")
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
        assert h.output == Failed("base image/base failed: no space left; blocked: A, B")
        which.set(2)
        await h.settle()
        assert h.output == Failed("base image/base failed: no space left; blocked: A, B")
