"""The trust of stages: of what is built within `untrusted`."""

from __future__ import annotations

from typing import Any

import pytest

from pycurrent.errors import WrongKind
from pycurrent.term import (
    TRUSTED,
    Active,
    Activity,
    Current,
    Failed,
    Fixed,
    Ok,
    Output,
    Primitive,
    Trust,
    Trusted,
    Untrusted,
    Var,
    all,
    component,
    constant,
    labels,
    noting,
    untrusted,
)

from .steps import Steps

A, B = "a" * 40, "b" * 40
FORK = Untrusted("octo/web", A)


@component("test {commit}")
def check(commit: str) -> Primitive[str]:
    return Fixed(Ok(commit))


@component("lint")
def lint() -> Primitive[None]:
    return Fixed(Ok(None))


def trust_of(steps: Steps[Any]) -> dict[str, Trust | None]:
    """The trust of all stages, by their paths."""
    refs = [steps.live.ref(stage) for stage in steps.live.stages()]
    return {str(ref): ref.trust for ref in refs}


def test_all_that_is_built_inside_is_untrusted() -> None:
    """In blocks of labels, items of lists and binds, too; what is built elsewhere is trusted."""
    with untrusted(FORK):
        one = check("1")
        with labels(repo="web"):
            two = check("2")
        items = constant([3]).list_map(lambda item: check(item.map(str)), key=str, label="item")
        inside = constant(4).bind(lambda four: check(str(four)), name="four")
    steps = Steps(all([one, two, items, inside, check("5")]))
    assert trust_of(steps) == {
        "test 1": FORK,
        "test 2": FORK,
        "3/test": FORK,
        "four": FORK,
        "four/test 4": FORK,
        "test 5": TRUSTED,
    }
    steps.stop()


def test_stages_keep_their_labels_paths_and_names() -> None:
    """A block changes nothing else of what is built inside."""
    repo = Var("repo", "web")
    with labels(repo=repo.get(), team="a"), untrusted(FORK), labels(arch="arm"):
        inside = all([check(constant("1")), lint()])
    steps = Steps(inside)
    stages = [stage for stage in steps.live.stages() if stage.label != "repo"]
    found = {str(ref): dict(ref.labels) for ref in map(steps.live.ref, stages)}
    own = {"repo": "web", "team": "a", "arch": "arm"}
    assert found == {"test": own, "lint": own}
    assert sorted(stage.label for stage in stages) == ["lint", "test 1"]
    repo.set("shop")
    steps.step()
    assert {ref.labels["repo"] for ref in map(steps.live.ref, stages)} == {"shop"}
    steps.stop()


def test_nothing_begins_before_its_trust_is_known() -> None:
    """A current is waited for, and followed: each new trust is a new subscription."""
    trust: Var[Trust] = Var("trust", Active(Activity.RUNNING))
    seen: list[Trust | None] = []

    class Asks(Primitive[str]):
        def subscribe(self, runtime: Any, changed: Any) -> Any:
            seen.append(runtime.trust)
            assert runtime.stage.trust == runtime.trust
            return Fixed(Ok("known")).subscribe(runtime, changed)

    with untrusted(trust.get()):
        current = component("asks", Asks)
    steps = Steps(current)
    assert steps.output == Active(Activity.RUNNING)
    assert seen == []
    assert trust_of(steps)["asks"] is None
    for now in (FORK, Trusted(), Untrusted("octo/web", B)):
        trust.set(now)
        assert steps.step() == Ok("known")
        assert seen[-1] == now
    trust.set(Untrusted("octo/web", B))
    steps.step()
    assert len(seen) == 3
    steps.stop()


@pytest.mark.parametrize(
    ("outer", "inner", "found"),
    [
        (FORK, Trusted(), Ok(FORK)),
        (Trusted(), FORK, Ok(FORK)),
        (FORK, FORK, Ok(FORK)),
        (FORK, Untrusted("octo/web", B), Failed("can't be used within")),
        (Untrusted("", A), Trusted(), Failed("source='' does not name one")),
        (Untrusted("a\nb", A), Trusted(), Failed("does not name one")),
        (Untrusted("octo/web", "main"), Trusted(), Failed("commit='main' is not the whole hash")),
        (Untrusted("octo/web", A[:7]), Trusted(), Failed("is not the whole hash")),
    ],
)
def test_nothing_is_trusted_within_what_is_not(
    outer: Trust, inner: Trust, found: Output[Trust]
) -> None:
    """A block inside makes nothing trusted, and two commits, or what names none, are a failure."""
    with untrusted(outer), untrusted(constant(inner)):
        current = check("1")
    steps = Steps(current)
    match found:
        case Failed(message):
            assert isinstance(steps.output, Failed)
            assert message in steps.output.message
        case Ok(trust):
            assert trust_of(steps) == {"test 1": trust}
    steps.stop()


def test_something_else_than_a_trust_is_refused() -> None:
    """At once where it is a value, and as a failure of the stages where a current has it."""
    wrong: Any = "octo/web"
    match = r"takes Trusted\(\), Untrusted\(...\) or a current, not"
    with pytest.raises(WrongKind, match=match), untrusted(wrong):
        pass
    of_wrong: Current[Any] = constant(wrong)
    with untrusted(of_wrong):
        current = check("1")
    steps = Steps(current)
    assert isinstance(steps.output, Failed)
    assert "not 'octo/web'" in steps.output.message
    steps.stop()


def test_a_block_without_stages_is_not_told_as_unused() -> None:
    """A pipeline that builds nothing inside has built nothing that is not used."""
    with noting() as made, untrusted(FORK), untrusted(FORK):
        pass
    assert made.unused() == []
