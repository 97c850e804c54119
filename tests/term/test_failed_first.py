"""The failure of many together names what failed first."""

from typing import Any

from pycurrent.term import (
    Current,
    Failed,
    Failure,
    Primitive,
    all,
    component,
    constant,
    evaluate,
    fail,
)


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
    """Where none of them is the cause, the first are named, and the others counted."""
    base = run("base")
    output = evaluate(all({f"push image {n}": run("push", base) for n in range(29)}))
    assert isinstance(output, Failed)
    assert output.message.startswith("push image 0, push image 1, ")
    assert output.message.endswith(" more failed: no space left")
    assert len(output.message) < 200


def test_failures_of_their_own_are_all_named() -> None:
    """With the reason if it is the same."""
    two = {"A": fail("why"), "B": fail("why")}
    assert evaluate(all(two)) == Failed("A, B failed: why")
    assert evaluate(all({**two, "C": fail("else")})) == Failed("A, B, C failed")
    shared = fail("why")
    both = {"A": shared.map(str), "B": shared.map(len), "C": constant(1)}
    assert evaluate(all(both)) == Failed("A, B failed: why")
