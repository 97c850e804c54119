"""Several currents, whose types the function that is applied to their values is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, TypeVarTuple, overload

from pycurrent.term.current import Current, bind, map
from pycurrent.term.shape import Eq

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
U = TypeVar("U")
Ts = TypeVarTuple("Ts")


class Several(Generic[*Ts]):
    """Several currents at once."""

    __slots__ = ("_currents",)

    def __init__(self, *currents: Current[Any]) -> None:
        self._currents = currents

    def map(self, fn: Callable[[*Ts], U], *, eq: Eq | None = None) -> Current[U]:
        """Apply a function to the values of all: see `Current.map`."""
        return map(fn, *self._currents, eq=eq)

    def bind(
        self,
        fn: Callable[[*Ts], Current[U]],
        *,
        name: str | None = None,
        eq: Eq | None = None,
    ) -> Current[U]:
        """Decide on the rest of the pipeline from the values of all: see `Current.bind`."""
        return bind(fn, *self._currents, name=name, eq=eq)


@overload
def inputs(a: Current[A], /) -> Several[A]: ...
@overload
def inputs(a: Current[A], b: Current[B], /) -> Several[A, B]: ...
@overload
def inputs(a: Current[A], b: Current[B], c: Current[C], /) -> Several[A, B, C]: ...
@overload
def inputs(
    a: Current[A], b: Current[B], c: Current[C], d: Current[D], /
) -> Several[A, B, C, D]: ...
@overload
def inputs(
    a: Current[A], b: Current[B], c: Current[C], d: Current[D], e: Current[E], /
) -> Several[A, B, C, D, E]: ...
@overload
def inputs(
    a: Current[A], b: Current[B], c: Current[C], d: Current[D], e: Current[E], f: Current[F], /
) -> Several[A, B, C, D, E, F]: ...
@overload
def inputs(*currents: Current[Any]) -> Several[*tuple[Any, ...]]: ...
def inputs(*currents: Current[Any]) -> Any:
    """Several currents, for a function of all of their values: `inputs(a, b).map(fn)`.

    It is `map(fn, a, b)`, but here editors and type checkers know the types of a lambda's
    parameters, up to six.
    """
    return Several(*currents)
