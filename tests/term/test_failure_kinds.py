"""Whose failure it is goes along with the failure."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from pycurrent.term import (
    Current,
    Failed,
    Failure,
    FailureKind,
    Ok,
    all,
    component,
    constant,
    from_output,
    map,
    pair,
)
from pycurrent.term.output import failed_by
from pycurrent.testing import evaluate

INFRA = FailureKind.INFRA
BAD = Failed("502", kind=INFRA)


def kind(current: Current[Any]) -> FailureKind:
    output = evaluate(current)
    assert isinstance(output, Failed)
    return output.kind


def fails(*, kind: FailureKind) -> Callable[[Any], Any]:
    def fn(value: object) -> None:
        raise Failure("no", kind=kind)

    return fn


@pytest.mark.parametrize("expected", FailureKind)
def test_a_failure_that_is_raised_has_its_kind(expected: FailureKind) -> None:
    """In a function on values, in a bind, in a component."""
    fn = fails(kind=expected)
    assert kind(constant(1).map(fn)) is expected
    assert kind(constant(1).bind(fn)) is expected
    assert kind(component("c", fn, constant(1))) is expected


def test_without_a_word_it_is_the_works_own() -> None:
    """As is any other exception."""
    assert Failure("no").kind is Failed("no").kind is FailureKind.REAL
    assert failed_by(ValueError("no")).kind is FailureKind.REAL


def test_the_kind_is_not_compared() -> None:
    """Equal messages are equal failures."""
    assert Failed("a", kind=INFRA) == Failed("a")
    assert hash(Failed("a", kind=INFRA)) == hash(Failed("a"))


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_has_it_too(again: Callable[[Any], Any]) -> None:
    """Of the failure, and of the exception."""
    assert again(BAD).kind is INFRA
    assert again(Failure("no", kind=INFRA)).kind is INFRA


class Own(Failure):
    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}", kind=INFRA)


class Silent(Failure):
    def __init__(self) -> None:
        pass


def test_an_exception_derived_from_failure_has_one() -> None:
    """Also one that does not pass it on."""
    assert failed_by(Own(3)).kind is INFRA
    assert failed_by(Silent()).kind is FailureKind.REAL


@pytest.mark.parametrize(
    "through",
    [
        lambda c: c.map(len),
        lambda c: c.map_error(str.upper),
        lambda c: c.gate(on=constant(1)),
        lambda c: constant(1).gate(on=c),
        lambda c: c.cutoff(lambda a, b: a == b),
        lambda c: c.ignore(),
        lambda c: c.list_map(lambda x: x),
        lambda c: constant([1]).list_map(lambda x: c),
        lambda c: c.bind(constant),
        lambda c: constant(1).bind(lambda x: c),
        lambda c: pair(constant(1), c),
        lambda c: map(max, c, constant(1)),
        lambda c: all([c, constant(1)]),
        lambda c: all({"a": c, "b": constant(1)}),
    ],
)
def test_what_passes_on_a_failure_passes_on_its_kind(
    through: Callable[[Current[Any]], Current[Any]],
) -> None:
    """Where it is the only one."""
    assert kind(through(from_output(BAD))) is INFRA


def test_state_and_catch_show_it() -> None:
    """So a function can look at it."""
    bad: Current[Any] = from_output(BAD)
    seen: list[Current[Any]] = [bad.state(), bad.catch()]
    for current in seen:
        assert evaluate(current.map(lambda output: output.kind)) == Ok(INFRA)


def test_of_several_failures_the_kind_is_that_of_all() -> None:
    """Else it is a real one: something is wrong that no network will heal."""
    infra: Current[Any] = from_output(BAD)
    real: Current[Any] = from_output(Failed("bad code"))
    assert kind(all({"a": infra, "b": infra})) is INFRA
    assert kind(all({"a": infra, "b": real})) is FailureKind.REAL
    assert kind(all({"a": all({"x": infra, "y": real}), "b": infra})) is FailureKind.REAL
    assert kind(all({"a": all({"x": infra}), "b": infra})) is INFRA
