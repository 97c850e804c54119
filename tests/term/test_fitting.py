"""A component takes values of the types that its parameters are annotated with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import pytest

from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import (
    Current,
    Failed,
    Ok,
    Primitive,
    UsageFailure,
    component,
    constant,
    evaluate,
)

if TYPE_CHECKING:
    from socket import socket

T = TypeVar("T")


class Place:
    had_by = "see find_place()"


class Map:
    given_instead = "write map.place()"


class HasName(Protocol):
    name: str


@component("go")
def go(
    place: Place | None = None,
    words: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    number: float = 0,
    path: Path | str = "",
    kind: Literal["a", "b"] = "a",
    pair: tuple[str, ...] = (),
) -> Primitive[str]:
    return Primitive.constant("gone")


@component("any")
def anything(
    free: Any, whatever: object, same: T, named: HasName, of_checkers: socket, many: Iterable[T]
) -> Primitive[str]:
    return Primitive.constant("done")


WRONG: list[tuple[str, Any, str]] = [
    ("place", "HEAD", "Place or None, not 'HEAD': see find_place()"),
    ("place", Map(), "Place or None, not Map: write map.place()"),
    ("words", "ls -l", "Sequence[str], not 'ls -l': write ['ls', '-l']"),
    ("words", ["sleep", 3], "Sequence[str], not a list that holds 3"),
    ("words", 3, "Sequence[str], not 3"),
    ("env", {"A": 1}, "Mapping[str, str] or None, not a dict that holds 1"),
    ("env", [("A", "1")], "Mapping[str, str] or None, not list"),
    ("number", "3", "float, not '3'"),
    ("path", 3, "Path or str, not 3"),
    ("kind", 3, "'a' or 'b', not 3"),
    ("pair", ["a"], "tuple[str, ...], not list"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_a_value_of_another_type_is_refused_where_it_is_given(
    name: str, value: Any, said: str
) -> None:
    """The message names the function, the parameter, what it takes, and what came."""
    with pytest.raises(UsageError) as refused:
        go(**{name: value})
    assert str(refused.value).startswith("go (test_fitting.py:")
    assert str(refused.value).endswith(f"): {name}= takes {said}")


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_a_value_of_a_current_is_refused_when_it_comes(name: str, value: Any, said: str) -> None:
    """Then it is the failure of the component."""
    output = evaluate(go(**{name: constant(0).map(lambda _: value)}))  # type: ignore[arg-type]
    assert isinstance(output, UsageFailure)
    assert f"): {name}= takes {said}" in output.message


@pytest.mark.parametrize(("name", "value", "said"), WRONG)
def test_a_constant_is_refused_where_it_is_given(name: str, value: Any, said: str) -> None:
    """Its value is known, so the message can have the line."""
    with pytest.raises(WrongKind) as refused:
        go(**{name: constant(value)})  # type: ignore[arg-type]
    assert f"): {name}= takes {said}" in str(refused.value)


def test_it_holds_for_the_inline_form() -> None:
    """Whose arguments are in the places of the parameters."""

    def of_number(number: int) -> Primitive[int]:
        return Primitive.constant(number)

    assert evaluate(component("box", of_number, 3)) == Ok(3)
    with pytest.raises(UsageError, match=r"of_number \(.*\): number= takes int, not '3'"):
        component("box", of_number, "3")


def test_what_a_type_checker_takes_is_taken() -> None:
    """Whole numbers for fractions, subclasses, defaults, and all where anything may be."""

    class Word(str):
        __slots__ = ()

    whole = go(Place(), [Word("a")], {"A": "1"}, number=3, path=Path(), kind="b", pair=("x",))
    assert evaluate(whole) == Ok("gone")
    assert evaluate(anything(1, None, "x", 3, 4, [5])) == Ok("done")  # type: ignore[arg-type]


def test_a_function_that_expects_a_current_is_told_by_what_it_does() -> None:
    """Annotations of parameters that are currents say nothing of the values."""

    @component("mixed")
    def mixed(x: Current[int] | int) -> Primitive[object]:
        return Primitive.constant(x)

    assert evaluate(mixed(constant(3))) == Ok(3)
    text = constant(3).map(str)
    assert isinstance(evaluate(mixed(text)), Failed)  # type: ignore[arg-type]
