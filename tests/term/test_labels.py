"""The labels of stages, by which people find them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pycurrent.errors import WrongKind
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Fixed,
    Metadata,
    Ok,
    Output,
    Primitive,
    Runtime,
    Subscription,
    Var,
    all,
    component,
    constant,
    context,
    evaluate,
    labels,
    noting,
)

from .steps import Steps


@component("test {commit}")
def check(commit: str) -> Primitive[str]:
    return Fixed(Ok(commit))


def labels_of(steps: Steps[Any]) -> dict[str, dict[str, str]]:
    """The labels of all stages, by their paths."""
    refs = [steps.live.ref(stage) for stage in steps.live.stages()]
    return {str(ref): dict(ref.labels) for ref in refs}


def test_all_that_is_built_inside_has_the_labels() -> None:
    """Nested blocks add to them, and the innermost wins; what is built elsewhere has none."""
    with labels(repo="web", team="a"):
        one = check("1")
        with context(constant(0)), labels(team="b", arch="arm"):
            two = check("2")
    steps = Steps(all([one, two, check("3")]))
    assert labels_of(steps) == {
        "test 1": {"repo": "web", "team": "a"},
        "test 2": {"repo": "web", "team": "b", "arch": "arm"},
        "test 3": {},
    }
    steps.stop()


def test_items_of_lists_and_binds_inside_have_the_labels_too() -> None:
    """Also those that are made later."""
    items = Var("items", ["x"])
    current = items.get()
    with labels(repo="web"):
        each = current.list_map(lambda item: item.bind(check, name="decide"))
    steps = Steps(each)
    items.set(["x", "y"])
    steps.step()
    found = labels_of(steps)
    assert found.pop("items") == {}
    assert set(found) == {"x/decide", "y/decide", "x/decide/test x", "y/decide/test y"}
    assert [*found.values()] == [{"repo": "web"}] * 4
    steps.stop()


def test_a_label_that_is_a_current_follows_its_value() -> None:
    """Until it is known, or while it has failed, it is left out, and nothing waits for it."""
    branch: Var[str] = Var("branch", Active(Activity.RUNNING))
    with labels(repo="web", branch=branch.get()):
        term = check("1")
        with labels(repo="api"):
            other = check("2")
    steps = Steps(all([term, other]))
    assert steps.output == Ok(None)
    found = labels_of(steps)
    assert found["test 1"] == {"repo": "web"}
    branch.set("main")
    steps.step()
    found = labels_of(steps)
    assert found["test 1"] == {"repo": "web", "branch": "main"}
    assert found["test 2"] == {"repo": "api", "branch": "main"}
    branch.set("dev")
    steps.step()
    assert labels_of(steps)["test 2"] == {"repo": "api", "branch": "dev"}
    steps.stop()


def test_a_current_wins_over_a_text_around_it_and_a_text_over_a_current() -> None:
    """The innermost one counts, of whichever kind."""
    number = Var("number", 7).get().map(str)
    with labels(a="outside", b=constant("outside")), labels(a=number, b="inside"):
        term = check("1")
    steps = Steps(term)
    assert labels_of(steps)["test 1"] == {"a": "7", "b": "inside"}
    steps.stop()


class Told(Primitive[str]):
    """A source that counts how often its stage gets other labels."""

    def __init__(self) -> None:
        self.told = 0

    def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[str]:
        return _Told(self)


class _Told(Subscription[str]):
    def __init__(self, source: Told) -> None:
        self._source = source

    @property
    def labels(self) -> Mapping[str, str]:
        return {"commit": "c1", "repo": "of the operation"}

    def relabelled(self) -> None:
        self._source.told += 1

    def read(self) -> tuple[Output[str], Metadata | None]:
        return Ok("value"), None

    def close(self) -> None:
        pass


def test_what_a_stage_follows_adds_labels_and_is_told_of_others() -> None:
    """The author's own labels win. Nothing is told where none has changed."""
    source, branch = Told(), Var("branch", "main")
    with labels(repo="web", branch=branch.get()):
        term: Current[str] = component("follow", lambda: source.map_output(lambda out: out))
    steps = Steps(term)
    assert labels_of(steps)["follow"] == {"repo": "web", "branch": "main", "commit": "c1"}
    branch.set("main")
    steps.step()
    assert source.told == 0
    branch.set("dev")
    steps.step()
    assert source.told == 1
    steps.stop()


def test_labels_change_no_output_and_no_path() -> None:
    """They are only there to be found by."""
    with labels(repo=constant("web")):
        term = check("1")
    assert evaluate(term) == Ok("1")
    steps = Steps(all([term, check("1")]))
    assert sorted(map(str, labels_of(steps))) == ["test 1", "test 1#2"]
    steps.stop()


@pytest.mark.parametrize("value", [1, None, ["web"], check])
def test_a_label_is_a_text_or_a_current(value: object) -> None:
    """Anything else is refused where it is written."""
    refused = pytest.raises(WrongKind, match=r"labels\(repo=\.\.\.\) takes a text or a current")
    with refused, labels(repo=value):  # type: ignore[arg-type]
        pass


def test_labels_without_any_are_refused() -> None:
    """As somebody has forgotten them."""
    with pytest.raises(WrongKind, match=r'labels\(repo="web"\)'), labels():
        pass


def test_a_label_counts_as_a_use_of_its_current() -> None:
    """And a block in which no stage is built is nothing to tell of."""
    with noting() as made:
        with labels(branch=constant("x").map(str)):
            term = check("1")
        with labels(branch="y"):
            pass
    assert made.unused() == []
    assert evaluate(term) == Ok("1")
